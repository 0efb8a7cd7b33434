"""Does an agent trained on CartPole hold the pole from anywhere on the track?

  python -m experiments.wide_starts runs/FOLDER [runs/FOLDER …]

Plays greedy episodes with the last checkpoint of each run, from gym's starts, within 0.05 of the middle, and from
anywhere: x within 1.5, its velocity within 0.8, the pole's angle within 0.1 and its velocity within 0.6. A linear
controller holds all of those. An agent that does not is one that drift can catch, and ten seeds from gym's starts tell
two settings apart far more roughly.
"""
from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from typing import Any

import gym
import numpy as np
from absl import app, flags, logging
from tf_agents.environments import py_environment
from tqdm import tqdm

from experiments import finished_runs
from experiments.errors import RunError
from experiments.evaluation import Evaluator
from infonodes import environments

_EPISODES = flags.DEFINE_integer("episodes", 100, "Greedy episodes of each kind of start.", 1)

ENV = "CartPole-v1"
# Greatest start of x, its velocity, the pole's angle and its velocity.
WIDE = np.array([1.5, 0.8, 0.1, 0.6])
# Ticks after which gym ends an episode.
LIMIT = 500
_SEED = 50_000


class Anywhere(gym.Wrapper):
    """CartPole whose episodes begin anywhere within `WIDE`, uniformly."""

    def reset(self, **kwargs: Any) -> np.ndarray:
        self.env.reset(**kwargs)
        start = self.unwrapped.np_random.uniform(-WIDE, WIDE)
        self.unwrapped.state = tuple(start)
        return start.astype(np.float32)


def load(wide: bool) -> py_environment.PyEnvironment:
    """Returns CartPole with gym's starts, or with wide ones."""
    return environments.load(f"gym:{ENV}", gym_env_wrappers=(Anywhere,) if wide else ())


def ticks(path: str, episodes: int) -> tuple[int, np.ndarray, np.ndarray]:
    """Returns the steps that the run in `path` was trained, and the ticks of its episodes, `[episodes]` each.

    The first are from gym's starts, the second from wide ones.

    Raises:
      RunError: if there is no such run, or it is of another environment.
    """
    run = finished_runs.read(path)
    if run.config.env != ENV:
        raise RunError(f"wide_starts {path!r}: it is of {run.config.env!r}, expected a run of {ENV}")
    agent, step = finished_runs.load_agent(run)
    play = lambda wide: Evaluator(agent.policy, lambda: load(wide), episodes, _SEED).run(step).lengths
    return step, np.array(play(False)), np.array(play(True))


def main(argv: list) -> None:
    """Prints a table, a row a run."""
    if len(argv) < 2:
        raise app.UsageError("expected folders of runs of CartPole-v1")
    logging.set_verbosity(logging.WARNING)
    rows = []
    for path in tqdm(argv[1:], unit="run"):
        try:
            step, narrow, wide = ticks(path, _EPISODES.value)
        except RunError as error:
            raise SystemExit(str(error)) from error
        held = np.mean(wide == LIMIT)
        rows.append(f"| {path} | {step:,} | {narrow.mean():.0f} | {wide.mean():.0f} | {held:.2f} |")
    print("| run | steps | ticks, gym's starts | ticks, wide starts | of these held to the end |")
    print("| --- | --- | --- | --- | --- |")
    print("\n".join(rows))


if __name__ == "__main__":
    app.run(main)
