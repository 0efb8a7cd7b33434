"""The tasks as data; imports no learning library."""
from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Task:
    """One environment, and how long each agent may train on it.

    Attributes:
      source: Library it is from, see `worlds.load`.
      name: As that library names it.
      steps: Environment steps of training, action repeats counted.
      eval_every: Environment steps from one evaluation to the next.
      eval_episodes: Greedy episodes an evaluation.
      repeat: Environment steps a move.
      continuous: Whether its actions are floats.
      family: Of tasks, for the tables.
      value_range: Least and greatest discounted return, which categorical DQN's atoms span.
    """

    source: str
    name: str
    steps: int
    eval_every: int
    eval_episodes: int = 10
    repeat: int = 1
    continuous: bool = False
    family: str = "classic control"
    value_range: tuple[float, float] = (-100.0, 100.0)


_CONTROL = {"eval_every": 5000, "eval_episodes": 5, "repeat": 2, "continuous": True, "family": "dm_control"}
_BSUITE = {"eval_episodes": 10, "family": "bsuite", "value_range": (-10.0, 100.0)}

TASKS: dict[str, Task] = {
    "cartpole": Task("gym", "CartPole-v1", 15_000, 1000, value_range=(0.0, 100.0)),
    "acrobot": Task("gym", "Acrobot-v1", 20_000, 2000, value_range=(-100.0, 0.0)),
    "mountain_car": Task("gym", "MountainCar-v0", 45_000, 2500, value_range=(-100.0, 0.0)),
    "pendulum": Task("gym", "Pendulum-v1", 15_000, 1000, continuous=True),
    "mountain_car_continuous": Task("gym", "MountainCarContinuous-v0", 30_000, 2500, continuous=True),
    "lunar_lander": Task("gym", "LunarLander-v2", 100_000, 5000, family="box2d"),
    # Bandit's steps are the episodes that bsuite asks for. Of the others it is a part, as the table tells: all agents
    # take a third of an hour of two cores a task. MinAtar's are a hundredth of the five million steps of its paper.
    "bsuite_catch": Task("bsuite", "catch/0", 20_000, 2000, **_BSUITE),
    "bsuite_cartpole": Task("bsuite", "cartpole/0", 20_000, 2000, **_BSUITE),
    "bsuite_mountain_car": Task("bsuite", "mountain_car/0", 20_000, 2000, **_BSUITE),
    "bsuite_deep_sea": Task("bsuite", "deep_sea/0", 20_000, 2000, **_BSUITE),
    "bsuite_memory_len": Task("bsuite", "memory_len/4", 20_000, 2000, **_BSUITE),
    "bsuite_umbrella_length": Task("bsuite", "umbrella_length/4", 20_000, 2000, **_BSUITE),
    "bsuite_bandit": Task("bsuite", "bandit/0", 10_000, 1000, **_BSUITE),
    "minatar_breakout": Task("minatar", "breakout", 50_000, 5000, family="minatar", value_range=(0.0, 50.0)),
    "minatar_freeway": Task("minatar", "freeway", 50_000, 10_000, 5, family="minatar", value_range=(0.0, 50.0)),
    "pendulum_swingup": Task("dm_control", "pendulum/swingup", 50_000, **_CONTROL),
    "reacher_easy": Task("dm_control", "reacher/easy", 50_000, **_CONTROL),
    "cartpole_swingup": Task("dm_control", "cartpole/swingup", 50_000, **_CONTROL),
}
