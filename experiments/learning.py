"""Does it learn? One task, several seeds, against its bars.

  python -m experiments.learning --task=cartpole
"""
from __future__ import annotations

import dataclasses
import os

from absl import app, flags

from experiments import results, sweep, sweep_flags
from experiments.errors import RunError
from experiments.learning_tasks import TASKS

_TASK = flags.DEFINE_enum("task", "cartpole", tuple(TASKS), "Which figure.")


def build() -> sweep.Sweep:
    """Returns the sweep that the flags ask for."""
    task, steps = TASKS[_TASK.value], sweep_flags.STEPS.value
    base = task.base if steps is None else dataclasses.replace(task.base, steps=steps)
    return sweep.Sweep(_TASK.value, base, task.variants, range(sweep_flags.SEEDS.value or task.seeds))


def main(argv: list) -> None:
    """Runs what is missing, prints the figures, and exits with 1 on a miss."""
    del argv
    task = TASKS[_TASK.value]
    try:
        asked = build()
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
