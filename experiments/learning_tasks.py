"""The learning figures as data."""
from __future__ import annotations

import dataclasses
from typing import Any, Mapping

from experiments import bars
from experiments.bars import Bar
from experiments.run_config import RunConfig


@dataclasses.dataclass(frozen=True)
class Task:
    """One question.

    Attributes:
      question: What it answers.
      base: What all runs share.
      bars: What must be reached.
      seeds: How many.
      variants: Overrides by variant.
    """

    question: str
    base: RunConfig
    bars: tuple[Bar, ...]
    seeds: int = 5
    variants: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=lambda: {"predictive": {}})


_CAR = RunConfig(
    env="MountainCar-v0",
    steps=45_000,
    eval_every=2500,
    train_every=4,
    warmup=1000,
    settings={"reward": {"gamma": 0.99}},
)
_CURIOUS = {"pred.heads": 5, "reward.curiosity": 0.1, "reward.curiosity_gamma": 0.99}

TASKS = {
    "cartpole": Task(
        "Does the predictive agent balance the pole, and go on doing so?",
        RunConfig(env="CartPole-v1", steps=24_000),
        (
            Bar("mean return from 12k to 24k steps", bars.mean_between("predictive", 12_000, 24_000), 450.0),
            Bar("seeds of 10 with at least 475 at 15k", bars.seeds_at("predictive", 15_000, 475.0), 9),
            Bar("seeds of 10 with at least 475 at 5k (the higher aim)", bars.seeds_at("predictive", 5000, 475.0), 9),
        ),
        seeds=10,
    ),
    "pendulum": Task(
        "Does it swing up and hold, with a continuous control?",
        RunConfig(env="Pendulum-v1", steps=20_000, eval_every=2000, settings={"reward": {"gamma": 0.97}}),
        (Bar("mean return at 20k steps", bars.mean_between("predictive", 20_000, 20_000), -250.0),),
    ),
    "mountain_car": Task(
        "Is a reward found that is never met by chance, and does information gain help?",
        _CAR,
        (
            Bar("seeds of 5 that reach -115, with curiosity", bars.seeds_reaching("curious", -115.0), 3),
            Bar("seeds of 5 that end at -115 or more, with curiosity", bars.seeds_finally("curious", -115.0), 3),
            Bar("seeds of 5 that reach -115, without", bars.seeds_reaching("not_curious", -115.0), 0),
            Bar("seeds of 5 that end at -115 or more, without", bars.seeds_finally("not_curious", -115.0), 0),
        ),
        variants={"curious": _CURIOUS, "not_curious": {}},
    ),
    "t_maze": Task(
        "Does memory carry a cue? (Return 0.9 is the right turn 95 times of 100.)",
        RunConfig(env="probe/t_maze", steps=4000, eval_episodes=40),
        (Bar("return", bars.middle("recurrent"), 0.9),),
        variants={
            "recurrent": {"agent.recurrent": True, "agent.train_sequence_length": 8},
            "memoryless": {},
        },
    ),
    "reactive_vs_dqn": Task(
        "Does an RLNode around DQN learn as DQN itself does?",
        RunConfig(env="CartPole-v1", preset="reactive", steps=10_000),
        (Bar("overlap of the 95 % intervals, reactive and DQN", bars.overlap("reactive", "stock_dqn"), 0.0),),
        variants={
            "reactive": {"replay.exponent": 0.0, "replay.uniform_fraction": 1.0},
            "stock_dqn": {"preset": "stock_dqn"},
        },
    ),
}
