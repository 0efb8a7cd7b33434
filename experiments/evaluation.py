"""Greedy evaluation: many episodes at once, each row's first."""
from __future__ import annotations

import dataclasses
from typing import Callable

import numpy as np
from tf_agents.environments import batched_py_environment, py_environment
from tf_agents.policies import tf_policy

from experiments.errors import RunError
from infonodes.py_policy import PackedPyPolicy

# An episode longer than this has no end.
MOST_TICKS = 20_000


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What one evaluation found.

    Attributes:
      step: Environment steps trained.
      returns: Undiscounted return of each episode.
      lengths: Its moves.
    """

    step: int
    returns: tuple[float, ...]
    lengths: tuple[int, ...]

    @property
    def mean(self) -> float:
        """The mean return."""
        return float(np.mean(self.returns))


class Evaluator:
    """Evaluates a policy on environments of its own, from the same starts each time."""

    def __init__(
        self,
        policy: tf_policy.TFPolicy,
        make_env: Callable[[], py_environment.PyEnvironment],
        episodes: int,
        seed: int,
    ):
        """Builds the environments.

        Args:
          policy: As it evaluates: greedy.
          make_env: Returns an environment; called `episodes` times.
          episodes: How many episodes.
          seed: Of their starts.
        """
        self._envs = [make_env() for _ in range(episodes)]
        self._batched = batched_py_environment.BatchedPyEnvironment(self._envs, multithreading=False)
        self._policy = PackedPyPolicy(policy, batch_time_steps=False)
        self._seed = seed

    def run(self, step: int, on_tick: Callable[[], None] = lambda: None) -> Evaluation:
        """Plays the episodes.

        Args:
          step: Steps trained, for the record.
          on_tick: Called before each move; may raise to give up.

        Raises:
          RunError: if an episode does not end.
        """
        for i, env in enumerate(self._envs):
            env.seed(self._seed + i)
        episodes = len(self._envs)
        returns, lengths = np.zeros(episodes), np.zeros(episodes, int)
        playing = np.ones(episodes, bool)
        time_step, state = self._batched.reset(), self._policy.get_initial_state(episodes)
        for _ in range(MOST_TICKS):
            on_tick()
            chosen = self._policy.action(time_step, state)
            time_step = self._batched.step(chosen.action)
            state = chosen.state
            returns += playing * time_step.reward
            lengths += playing
            playing &= ~time_step.is_last()
            if not playing.any():
                return Evaluation(step, tuple(map(float, returns)), tuple(map(int, lengths)))
        raise RunError(
            f"evaluation: {playing.sum()} of {episodes} episodes did not end within {MOST_TICKS} moves; "
            "give the environment a time limit (suite_gym.load(…, max_episode_steps=…))"
        )
