"""Does it learn? One task, several seeds, against its bars.

  python -m experiments.learning --task=cartpole
"""
from __future__ import annotations

import dataclasses
import os

from absl import app

from experiments import results, sweep, sweep_flags
from experiments.errors import RunError
from experiments.learning_tasks import TASKS


def build() -> sweep.Sweep:
    """Returns the sweep that the flags ask for."""
    name, steps = sweep_flags.task(TASKS, "cartpole"), sweep_flags.STEPS.value
    task = TASKS[name]
    base = task.base if steps is None else dataclasses.replace(task.base, steps=steps)
    return sweep.Sweep(name, base, task.variants, range(sweep_flags.SEEDS.value or task.seeds))


def main(argv: list) -> None:
    """Runs what is missing, prints the figures, and exits with 1 on a miss."""
    del argv
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
