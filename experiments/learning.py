"""Does it learn? One task, several seeds, against its bars.

  python -m experiments.learning --task=cartpole
"""
from __future__ import annotations

import dataclasses
import os

from absl import app

from experiments import command_line, results, sweep, sweep_flags
from experiments.errors import RunError
from experiments.learning_tasks import TASKS

sweep_flags.adopt("seeds", "steps", "workers", "task")


def build() -> sweep.Sweep:
    """Returns the sweep that the flags ask for.

    Raises:
      RunError: for fewer steps or seeds than the bars are of.
    """
    name = sweep_flags.task(TASKS, "cartpole")
    task = TASKS[name]
    steps, seeds = sweep_flags.STEPS.value or task.base.steps, sweep_flags.SEEDS.value or task.seeds
    if steps < task.base.steps or seeds < task.seeds:
        raise RunError(
            f"--steps={steps} --seeds={seeds}: the bars of {name} are of {task.base.steps} steps and {task.seeds} "
            "seeds; ask for no fewer, or try one run by experiments.train"
        )
    return sweep.Sweep(name, dataclasses.replace(task.base, steps=steps), task.variants, range(seeds))


def main(argv: list) -> None:
    """Runs what is missing, prints the figures, and exits with 1 on a miss."""
    command_line.check(argv)
    try:
        asked = build()
        task = TASKS[asked.name]
        found = sweep.run(asked, sweep_flags.WORKERS.value)
    except RunError as error:
        raise SystemExit(f"error: {error}") from error
    judged = [bar.judge(sweep.read(asked)) for bar in task.bars]
    verdicts = "\n".join(f"- {line}" for _, line in judged) + "\n"
    with open(os.path.join("docs", "results", asked.name, "table.md"), "a", encoding="utf-8") as file:
        file.write(f"\n{task.question}\n\n{verdicts}")
    print(f"{task.question}\n{results.table(asked.name, found, None)}\n{verdicts}")
    if not all(reached for reached, _ in judged):
        raise SystemExit(1)


if __name__ == "__main__":
    app.run(main)
