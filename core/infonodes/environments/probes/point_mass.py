"""Is a continuous control steered to a goal?"""
from __future__ import annotations

from typing import Optional

import numpy as np
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

from infonodes.environments.probes.probe import Probe, positive


class PointMass(Probe):
    """A point on [-1, 1]² is moved by its velocity towards a goal that is shown.

    Observation: position (2), goal (2). Action: velocity in [-1, 1]², a tick moves the point
    by `reach` times it, up to the walls. Reward: minus the distance to the goal after the
    move. Episodes are cut after `ticks` (truncation: the discount stays 1).

    Optimum: straight for the goal on each axis, at full speed until it is reached. The axes
    do not hinder each other and each |difference| is as small as it can be at every tick, so
    no other policy is nearer at any tick. `optimal_return` is that of the current episode.
    """

    def __init__(self, reach: float = 0.15, ticks: int = 25, seed: Optional[int] = None):
        """Builds the probe.

        Args:
          reach: Greatest move along an axis in a tick.
          ticks: Moves in an episode.
          seed: As for every probe.

        Raises:
          ValueError: if there is no move, or none that leads anywhere.
        """
        positive("point_mass", ticks=ticks)
        if not 0.0 < reach <= 2.0:
            raise ValueError(f"probe point_mass: reach={reach}, expected in (0, 2]")
        super().__init__(
            array_spec.BoundedArraySpec([4], np.float32, -1.0, 1.0, "observation"),
            array_spec.BoundedArraySpec([2], np.float32, -1.0, 1.0, "action"),
            seed,
        )
        self._reach, self._ticks = reach, ticks
        self._start = self._position = self._goal = np.zeros(2)
        self._tick = 0

    @property
    def optimal_return(self) -> float:
        """The best return from the current episode's start."""
        away = np.abs(self._goal - self._start)
        moved = self._reach * np.arange(1, self._ticks + 1)[:, None]  # [ticks, 1]
        return -float(np.linalg.norm(np.maximum(away - moved, 0.0), axis=1).sum())

    def _reset(self) -> ts.TimeStep:
        self._start, self._goal = self._rng.uniform(-1.0, 1.0, [2, 2])
        self._position, self._tick = self._start, 0
        return ts.restart(self._observation())

    def _step(self, action: np.ndarray) -> ts.TimeStep:
        velocity = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        self._position = np.clip(self._position + self._reach * velocity, -1.0, 1.0)
        self._tick += 1
        reward = -float(np.linalg.norm(self._goal - self._position))
        if self._tick < self._ticks:
            return ts.transition(self._observation(), reward)
        return ts.truncation(self._observation(), reward)

    def _observation(self) -> np.ndarray:
        return np.concatenate([self._position, self._goal]).astype(np.float32)
