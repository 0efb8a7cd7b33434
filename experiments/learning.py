"""Does it learn? One task, several seeds, against a bar.

  python -m experiments.learning --task=cartpole
"""
from __future__ import annotations

import dataclasses
from typing import Any, Mapping

from absl import app, flags

from experiments import results, sweep, sweep_flags
from experiments.errors import RunError
from experiments.run_config import RunConfig


@dataclasses.dataclass(frozen=True)
class Task:
    """One figure.

    Attributes:
      question: What it answers.
      base: What all runs share.
      bar: Final return that the first variant must reach: its interquartile mean.
      seeds: How many.
      variants: Overrides by variant; the first one is judged.
    """

    question: str
    base: RunConfig
    bar: float
    seeds: int = 5
    variants: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=lambda: {"predictive": {}})


TASKS = {
    "cartpole": Task(
        "Does the predictive agent balance the pole within 15,000 steps?",
        RunConfig(env="CartPole-v1", steps=15_000), 475.0, seeds=10,
    ),
    "pendulum": Task(
        "Does it swing up and hold, with a continuous control?",
        RunConfig(env="Pendulum-v1", steps=20_000, eval_every=2000), -250.0,
    ),
    "mountain_car": Task(
        "Does information gain find a reward that is never met by chance?",
        RunConfig(env="MountainCar-v0", steps=40_000, eval_every=4000), -150.0,
        variants={"curious": {"pred.heads": 5, "reward.curiosity": 0.1}, "not_curious": {}},
    ),
    "t_maze": Task(
        "Does memory carry a cue?",
        RunConfig(env="probe/t_maze", steps=8000, eval_episodes=40, replay={"max_size": 20_000}), 0.9,
        variants={
            "recurrent": {"agent.recurrent": True, "agent.train_sequence_length": 8},
            "memoryless": {},
        },
    ),
    "point_mass": Task(
        "Is a continuous control steered? The optimum is about -3.8.",
        RunConfig(env="probe/point_mass", steps=8000, eval_episodes=40), -6.0,
    ),
    "reactive_vs_dqn": Task(
        "Does an RLNode around DQN learn as DQN itself does?",
        RunConfig(env="CartPole-v1", preset="reactive", steps=20_000), 200.0,
        variants={
            "reactive": {"replay.exponent": 0.0},
            "reactive_by_cost": {},
            "stock_dqn": {"preset": "stock_dqn"},
        },
    ),
}

_TASK = flags.DEFINE_enum("task", "cartpole", tuple(TASKS), "Which figure.")


def build() -> sweep.Sweep:
    """Returns the sweep that the flags ask for."""
    task = TASKS[_TASK.value]
    base = dataclasses.replace(task.base, steps=sweep_flags.STEPS.value or task.base.steps)
    return sweep.Sweep(_TASK.value, base, task.variants, range(sweep_flags.SEEDS.value or task.seeds), task.bar)


def main(argv: list) -> None:
    """Runs what is missing, prints the figure, and exits with 1 on a miss."""
    del argv
    task = TASKS[_TASK.value]
    try:
        found = sweep.run(build(), sweep_flags.WORKERS.value)
    except RunError as error:
        raise SystemExit(f"error: {error}") from error
    print(f"{task.question}\n{results.table(_TASK.value, found, task.bar)}")
    judged = next(iter(task.variants))
    if found[judged].middle < task.bar:
        raise SystemExit(f"miss: {judged} {found[judged].middle:.4g}, bar {task.bar:g}")
    print(f"pass: {judged} {found[judged].middle:.4g}, bar {task.bar:g}")


if __name__ == "__main__":
    app.run(main)
