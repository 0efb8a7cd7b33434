"""A batch of Gymnasium environments, by `gymnasium.vector` or envpool."""
from __future__ import annotations

import multiprocessing
from typing import Any, Optional

import numpy as np
from gymnasium import vector
from tf_agents.environments import py_environment
from tf_agents.trajectories import time_step as ts

from infonodes.environments.gymnasium import spaces
from infonodes.types import Nest, Spec


class GymnasiumBatch(py_environment.PyEnvironment):
    """A vector environment as a batched PyEnvironment, `[B, ...]` at its border.

    The step after a row's last one starts its next episode and ignores the row's action, as
    TF-Agents' environments do; Gymnasium calls it `AutoresetMode.NEXT_STEP`, and envpool knows
    no other way.
    """

    def __init__(
        self, env: Any, seed: Optional[int] = None, discount: float = 1.0, deadline_s: float = 60.0
    ):
        """Wraps `env`.

        Args:
          env: A `gymnasium.vector.VectorEnv`, or `envpool.make(..., env_type="gymnasium")`.
          seed: Of its first reset. An envpool is seeded where it is made.
          discount: Of each move that does not terminate.
          deadline_s: How long environments in processes of their own may take for one step or
            reset; past it, a TimeoutError says so, and a new batch is to be made.

        Raises:
          TypeError: for a space that has no spec, naming it.
          ValueError: for a vector environment that resets at the last step, and so hides it.
        """
        super().__init__(handle_auto_reset=False)
        mode = getattr(env, "metadata", {}).get("autoreset_mode")
        if mode is not None and getattr(mode, "name", mode) != "NEXT_STEP":
            raise ValueError(
                f"autoreset_mode={mode}: expected NEXT_STEP, where a row's last observation is seen; make the vector "
                "environment with vector_kwargs={'autoreset_mode': gymnasium.vector.AutoresetMode.NEXT_STEP}"
            )
        self._env = env
        self._seed: Optional[int] = seed
        self._discount = np.float32(discount)
        self._deadline_s = deadline_s
        self._observation_space = _single(env, "observation")
        self._action_space = _single(env, "action")
        self._observation_spec = spaces.spec_of(self._observation_space, "observation")
        self._action_spec = spaces.spec_of(self._action_space, "action")
        self._ended = np.zeros([self.batch_size], bool)
        self._info: dict[str, Any] = {}

    @property
    def batched(self) -> bool:
        """True."""
        return True

    @property
    def batch_size(self) -> int:
        """Rows."""
        return int(getattr(self._env, "num_envs", 0) or len(self._env))

    def observation_spec(self) -> Spec:
        """Returns the spec of a row's observations."""
        return self._observation_spec

    def action_spec(self) -> Spec:
        """Returns the spec of a row's actions."""
        return self._action_spec

    def seed(self, seed: int) -> None:
        """Makes the next reset start from `seed`; where rows are environments of their own, row i has `seed + i`."""
        self._seed = seed

    def get_info(self) -> dict[str, Any]:
        """Returns what the environments said beside the last observations."""
        return self._info

    def close(self) -> None:
        """Closes the environments."""
        self._env.close()

    def _reset(self) -> ts.TimeStep:
        seed, self._seed = self._seed, None
        observation, self._info = self._waited("reset", **({} if seed is None else {"seed": seed}))
        self._ended[:] = False
        return ts.restart(self._seen(observation), batch_size=self.batch_size)

    def _step(self, action: Nest) -> ts.TimeStep:
        asked = spaces.asked(self._action_space, self._action_spec, action)
        observation, reward, terminated, truncated, self._info = self._waited("step", asked)
        first, self._ended = self._ended, (terminated | truncated) & ~self._ended
        kind = np.where(first, ts.StepType.FIRST, np.where(self._ended, ts.StepType.LAST, ts.StepType.MID))
        discount = np.where(terminated & ~first, np.float32(0.0), self._discount)
        return ts.TimeStep(
            step_type=kind.astype(np.int32),
            reward=np.where(first, 0.0, reward).astype(np.float32),
            discount=np.where(first, np.float32(1.0), discount),
            observation=self._seen(observation),
        )

    def _waited(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Calls `method`, with the deadline where rows are processes."""
        if not isinstance(self._env, vector.AsyncVectorEnv):
            return getattr(self._env, method)(*args, **kwargs)
        try:
            getattr(self._env, f"{method}_async")(*args, **kwargs)
            return getattr(self._env, f"{method}_wait")(timeout=self._deadline_s)
        except multiprocessing.TimeoutError as error:
            self._env.close(terminate=True)
            raise TimeoutError(
                f"{self._env}: {method}() of its {self.batch_size} processes took more than {self._deadline_s} s; they "
                "were stopped. Find what stalls, or give a longer deadline_s, and make a new batch"
            ) from error

    def _seen(self, observation: Any) -> Nest:
        return spaces.seen(self._observation_space, self._observation_spec, observation)


def _single(env: Any, what: str) -> Any:
    """Returns the space of one row; envpool calls it the space."""
    space = getattr(env, f"single_{what}_space", None)
    return getattr(env, f"{what}_space") if space is None else space
