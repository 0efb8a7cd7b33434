"""A world as a Gymnasium environment: what Stable-Baselines3 takes. Imports no TensorFlow."""
from __future__ import annotations

from typing import Any, Optional

import gymnasium
import numpy as np
from dm_env import specs


class GymnasiumWorld(gymnasium.Env):
    """Passes everything on; terminated is a last discount of 0."""

    def __init__(self, world: Any):
        """Wraps.

        Args:
          world: See `worlds.py`.
        """
        self._world = world
        action = world.action_spec()
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, world.observation_spec().shape, np.float32)
        if isinstance(action, specs.DiscreteArray):
            self.action_space: gymnasium.Space = gymnasium.spaces.Discrete(action.num_values)
        else:
            ends = (action.minimum, action.maximum)
            low, high = (np.broadcast_to(end, action.shape).astype(np.float32) for end in ends)
            self.action_space = gymnasium.spaces.Box(low, high, action.shape, np.float32)

    def reset(self, *, seed: Optional[int] = None, options: Optional[dict] = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        if seed is not None:
            self._world.seed(seed)
        return self._world.reset().observation, {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict]:
        found = self._world.step(action)
        terminated = bool(found.last() and found.discount == 0.0)
        return found.observation, float(found.reward), terminated, bool(found.last()) and not terminated, {}
