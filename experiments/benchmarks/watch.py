"""Counts the moves of training and the time they took; imports no learning library.

Every agent is timed from the environment's side, in the same way: from one move of training to
the next, whatever the agent does in between, but for gaps in which it was evaluated.
"""
from __future__ import annotations

import time
from typing import Any, Callable, Optional

import dm_env
import numpy as np

# Seeds from here on are of evaluation episodes.
EVALUATION_SEED = 10_000


class Watch:
    """What training has used so far.

    Attributes:
      moves: Moves of training; resets do not count.
      train_s: Seconds of acting and learning from the first move on, evaluation left out; what is
        compiled after the first move is in it.
      marks: (moves, train_s) at the beginning of each evaluation.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        """Starts at zero.

        Args:
          clock: Seconds since any moment.
        """
        self._clock, self._last = clock, None  # type: Callable[[], float], Optional[float]
        self.moves, self.train_s = 0, 0.0
        self.marks: list[tuple[int, float]] = []

    def move(self) -> None:
        """Notes a move of training."""
        now = self._clock()
        if self._last is not None:
            self.train_s += now - self._last
        self._last = now
        self.moves += 1

    def evaluation(self) -> None:
        """Notes that an evaluation episode begins."""
        if self._last is not None:
            self.train_s += self._clock() - self._last
            self._last = None
        if not self.marks or self.marks[-1][0] != self.moves:
            self.marks.append((self.moves, self.train_s))

    def over(self, world: Any) -> Watched:
        """Returns the world with this watch on it."""
        return Watched(world, self)

    def until(self, moves: int) -> Optional[float]:
        """Returns the seconds at the evaluation after `moves` moves, None if there was none."""
        return dict(self.marks).get(moves)


class Watched(dm_env.Environment):
    """A world whose moves a watch counts, unless its seed is of evaluation."""

    def __init__(self, world: dm_env.Environment, watch: Watch):
        """Wraps.

        Args:
          world: With a method `seed`.
          watch: Told of each move.
        """
        self._world, self._watch, self._evaluates = world, watch, False

    def seed(self, seed: int) -> None:
        """Seeds the next episode."""
        self._evaluates = seed >= EVALUATION_SEED
        self._world.seed(seed)

    def reset(self) -> dm_env.TimeStep:
        if self._evaluates:
            self._watch.evaluation()
        return self._world.reset()

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        found = self._world.step(action)
        if not (self._evaluates or found.first()):
            self._watch.move()
        return found

    def observation_spec(self) -> dm_env.specs.Array:
        return self._world.observation_spec()

    def action_spec(self) -> dm_env.specs.Array:
        return self._world.action_spec()
