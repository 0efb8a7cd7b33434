"""One Gymnasium environment."""
from __future__ import annotations

from typing import Any, Optional

import gymnasium
import numpy as np
from tf_agents.environments import py_environment
from tf_agents.trajectories import time_step as ts

from infonodes.environments.gymnasium import spaces
from infonodes.types import Nest, Spec


class GymnasiumEnvironment(py_environment.PyEnvironment):
    """A `gymnasium.Env` as TF-Agents' PyEnvironment.

    A termination has discount 0. A truncation ends the episode and keeps its discount, so that a
    learner bootstraps from the last observation. Both at once are a termination.
    """

    def __init__(self, env: gymnasium.Env, seed: Optional[int] = None, discount: float = 1.0):
        """Wraps `env`.

        Args:
          env: The environment.
          seed: Of its first reset; later resets go on with the environment's own generator.
          discount: Of each move that does not terminate.

        Raises:
          TypeError: for a space that has no spec, naming it.
        """
        super().__init__(handle_auto_reset=True)
        self._env = env
        self._seed: Optional[int] = seed
        self._discount = discount
        self._info: dict[str, Any] = {}
        self._observation_spec = spaces.spec_of(env.observation_space, "observation")
        self._action_spec = spaces.spec_of(env.action_space, "action")

    @property
    def gymnasium(self) -> gymnasium.Env:
        """The environment inside."""
        return self._env

    def observation_spec(self) -> Spec:
        """Returns the spec of observations."""
        return self._observation_spec

    def action_spec(self) -> Spec:
        """Returns the spec of actions."""
        return self._action_spec

    def seed(self, seed: int) -> None:
        """Makes the next reset start from `seed`."""
        self._seed = seed

    def get_info(self) -> dict[str, Any]:
        """Returns what the environment said beside the last observation."""
        return self._info

    def render(self, mode: str = "rgb_array") -> Any:
        """Returns a picture `[H, W, 3]`.

        Raises:
          ValueError: if the environment was not made with this render mode.
        """
        if self._env.render_mode != mode:
            raise ValueError(
                f"{self._env.spec.id if self._env.spec else self._env}: render_mode is {self._env.render_mode!r}, "
                f"expected {mode!r}; make it with render_mode={mode!r}"
            )
        return self._env.render()

    def close(self) -> None:
        """Closes the environment."""
        self._env.close()

    def _reset(self) -> ts.TimeStep:
        observation, self._info = self._env.reset(seed=self._seed)
        self._seed = None
        return ts.restart(self._seen(observation))

    def _step(self, action: Nest) -> ts.TimeStep:
        asked = spaces.asked(self._env.action_space, self._action_spec, action)
        if isinstance(self._env.action_space, gymnasium.spaces.Discrete):
            asked = int(asked)  # Some environments look it up in a dict.
        observation, reward, terminated, truncated, self._info = self._env.step(asked)
        seen, reward = self._seen(observation), np.float32(reward)
        if terminated:
            return ts.termination(seen, reward)
        if truncated:
            return ts.truncation(seen, reward, np.float32(self._discount))
        return ts.transition(seen, reward, np.float32(self._discount))

    def _seen(self, observation: Any) -> Nest:
        return spaces.seen(self._env.observation_space, self._observation_spec, observation)
