"""A world as TF-Agents' PyEnvironment."""
from __future__ import annotations

from typing import Any

import dm_env
import numpy as np
from dm_env import specs
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts


class PyWorld(py_environment.PyEnvironment):
    """Passes everything on; a truncated episode keeps its discount of 1."""

    def __init__(self, world: Any):
        """Wraps.

        Args:
          world: See `worlds.py`.
        """
        super().__init__(handle_auto_reset=True)
        self._world = world
        shape, action = world.observation_spec().shape, world.action_spec()
        self._observation_spec = array_spec.ArraySpec(shape, np.float32, "observation")
        if isinstance(action, specs.DiscreteArray):
            self._action_spec = array_spec.BoundedArraySpec((), np.int64, 0, action.num_values - 1, "action")
        else:
            ends = (action.minimum, action.maximum)
            low, high = (np.broadcast_to(end, action.shape).astype(np.float32) for end in ends)
            self._action_spec = array_spec.BoundedArraySpec(action.shape, np.float32, low, high, "action")

    def seed(self, seed: int) -> None:
        """Fixes what follows the next reset."""
        self._world.seed(int(seed))
        self._current_time_step = None  # An episode under way is dropped.

    def observation_spec(self) -> array_spec.ArraySpec:
        return self._observation_spec

    def action_spec(self) -> array_spec.BoundedArraySpec:
        return self._action_spec

    def _reset(self) -> ts.TimeStep:
        return ts.restart(self._world.reset().observation)

    def _step(self, action: np.ndarray) -> ts.TimeStep:
        found: dm_env.TimeStep = self._world.step(action)
        reward, discount = np.float32(found.reward), np.float32(found.discount)
        return ts.TimeStep(np.int32(found.step_type), reward, discount, found.observation)
