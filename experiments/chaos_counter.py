"""An environment whose observations say which window is which: what chaos counts by."""
from __future__ import annotations

import os
import time

import numpy as np
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

NAME = "chaos/counter"
# float32 counts whole numbers to 2**24.
_MOST = 2.0**24
MOVES = 20


class Counter(py_environment.PyEnvironment):
    """Episodes of `MOVES` moves; it observes (process, episode, move, frame, seconds of the day)."""

    def __init__(self) -> None:
        super().__init__(handle_auto_reset=True)
        self._episode, self._move, self._frame = -1, 0, -1

    def action_spec(self) -> array_spec.BoundedArraySpec:
        """Two actions that do nothing."""
        return array_spec.BoundedArraySpec([], np.int64, 0, 1, "action")

    def observation_spec(self) -> array_spec.BoundedArraySpec:
        """See the class."""
        return array_spec.BoundedArraySpec([5], np.float32, 0.0, _MOST, "observation")

    def seed(self, seed: int = 0) -> None:
        """Does nothing: there is no chance here."""
        del seed

    def _reset(self) -> ts.TimeStep:
        self._episode, self._move = self._episode + 1, 0
        return ts.restart(self._observe())

    def _step(self, action: np.ndarray) -> ts.TimeStep:
        del action
        self._move += 1
        if self._move == MOVES:
            return ts.termination(self._observe(), 1.0)
        return ts.transition(self._observe(), 1.0)

    def _observe(self) -> np.ndarray:
        self._frame += 1
        # A process's number may come again after 4 million others.
        now = time.time() % 86_400
        return np.array([os.getpid(), self._episode, self._move, self._frame, now], np.float32)
