"""Every benchmark environment as one form that knows no learning library.

A world is a `dm_env.Environment` with a vector of float32 as observation and `seed(k)`, which fixes
all that follows the next `reset`. TF-Agents' and Stable-Baselines3's agents meet the same worlds,
in faces of their own (`py_form.py`, `gymnasium_form.py`), so that they play the same episodes.
"""
from __future__ import annotations

from typing import Any, Optional

import dm_env
import numpy as np
from dm_env import specs


class World(dm_env.Environment):
    """Flattens observations, repeats actions and cuts episodes off; subclasses play."""

    def __init__(self, observation_size: int, action_spec: specs.BoundedArray, limit: Optional[int], repeat: int = 1):
        """Starts nothing.

        Args:
          observation_size: Features.
          action_spec: A `DiscreteArray`, or bounded floats `[A]`.
          limit: Moves after which an episode is cut off, with discount 1; None where it ends by itself.
          repeat: Steps of the simulation a move; rewards are summed.
        """
        self._observation_spec = specs.Array((observation_size,), np.float32, "observation")
        self._action_spec, self._limit, self._repeat = action_spec, limit, repeat
        self._moves, self._over = 0, True

    def seed(self, seed: int) -> None:
        """Fixes what follows the next reset."""
        raise NotImplementedError

    def reset(self) -> dm_env.TimeStep:
        self._moves, self._over = 0, False
        return dm_env.restart(self._flat(self._begin()))

    def step(self, action: Any) -> dm_env.TimeStep:
        if self._over:
            return self.reset()
        total, discount, ended, seen = 0.0, 1.0, False, None
        for _ in range(self._repeat):
            seen, reward, discount, ended = self._play(action)
            total += reward
            if ended:
                break
        self._moves += 1
        cut = self._limit is not None and self._moves >= self._limit
        self._over = ended or cut
        step_type = dm_env.StepType.LAST if self._over else dm_env.StepType.MID
        return dm_env.TimeStep(step_type, total, discount, self._flat(seen))

    def observation_spec(self) -> specs.Array:
        return self._observation_spec

    def action_spec(self) -> specs.BoundedArray:
        return self._action_spec

    def _begin(self) -> Any:
        """Starts an episode; returns what is seen."""
        raise NotImplementedError

    def _play(self, action: Any) -> tuple[Any, float, float, bool]:
        """Returns what is seen, the reward, the discount, and whether the episode ended."""
        raise NotImplementedError

    def _flat(self, seen: Any) -> np.ndarray:
        parts = list(seen.values()) if isinstance(seen, dict) else [seen]
        return np.concatenate([np.asarray(part, np.float32).ravel() for part in parts])


class GymWorld(World):
    """A gym 0.23 environment; its time limit truncates, with discount 1."""

    def __init__(self, name: str):
        """Loads.

        Args:
          name: A gym id.
        """
        import gym

        timed = gym.make(name)
        self._env, self._seed = timed.unwrapped, None  # type: Any, Optional[int]
        space = self._env.action_space
        if isinstance(space, gym.spaces.Discrete):
            action: specs.BoundedArray = specs.DiscreteArray(int(space.n), name="action")
        else:
            action = specs.BoundedArray(space.shape, np.float32, space.low, space.high, "action")
        size = int(np.prod(self._env.observation_space.shape))
        super().__init__(size, action, timed.spec.max_episode_steps)

    def seed(self, seed: int) -> None:
        self._seed = seed

    def _begin(self) -> Any:
        seed, self._seed = self._seed, None
        return self._env.reset(seed=seed) if seed is not None else self._env.reset()

    def _play(self, action: Any) -> tuple[Any, float, float, bool]:
        move = int(action) if isinstance(self._action_spec, specs.DiscreteArray) else np.asarray(action, np.float32)
        seen, reward, done, _ = self._env.step(move)
        return seen, float(reward), 0.0 if done else 1.0, bool(done)


class ControlWorld(World):
    """A state task of dm_control; it never terminates, so its last discount is 1."""

    def __init__(self, name: str, repeat: int):
        """Loads.

        Args:
          name: `DOMAIN/TASK`.
          repeat: Simulation steps a move.
        """
        from dm_control import suite

        domain, task = name.split("/")
        self._env = suite.load(domain, task, task_kwargs={"random": 0})
        seen, action = self._env.observation_spec(), self._env.action_spec()
        size = sum(int(np.prod(s.shape)) for s in seen.values())
        bounded = specs.BoundedArray(action.shape, np.float32, action.minimum, action.maximum, "action")
        super().__init__(size, bounded, None, repeat)

    def seed(self, seed: int) -> None:
        self._env.task.random.seed(seed)

    def _begin(self) -> Any:
        return self._env.reset().observation

    def _play(self, action: Any) -> tuple[Any, float, float, bool]:
        found = self._env.step(np.asarray(action, np.float64))
        return found.observation, float(found.reward), float(found.discount), found.last()


class BsuiteWorld(World):
    """One of bsuite's, with what its own analysis wants to know: `rows`.

    Attributes:
      rows: A record an episode and logged step, as bsuite's `Logging` wrapper writes it.
    """

    def __init__(self, name: str):
        """Loads.

        Args:
          name: A bsuite id, such as `catch/0`.
        """
        import bsuite

        self._env = bsuite.load_from_id(name)
        self._logged = False
        size = max(int(np.prod(self._env.observation_spec().shape)), 1)
        super().__init__(size, specs.DiscreteArray(self._env.action_spec().num_values, name="action"), None)
        self.episodes = int(self._env.bsuite_num_episodes)
        self.rows: list[dict[str, Any]] = []

    def seed(self, seed: int) -> None:
        inner = self._env
        while True:  # Wrappers and worlds keep their generators under these names.
            for field in ("_rng", "_timer"):
                if hasattr(inner, field) and isinstance(getattr(inner, field), np.random.RandomState):
                    getattr(inner, field).seed(seed)
            if "_env" not in vars(inner):
                return
            inner = vars(inner)["_env"]

    def log(self) -> None:
        """Begins to write `rows`, by bsuite's own wrapper."""
        from bsuite.utils import wrappers

        self._env = wrappers.Logging(self._env, self, log_by_step=False)

    def write(self, row: dict[str, Any]) -> None:
        """Takes a record: what bsuite calls a logger."""
        self.rows.append({k: float(v) for k, v in row.items()})

    def _begin(self) -> Any:
        return self._env.reset().observation

    def _play(self, action: Any) -> tuple[Any, float, float, bool]:
        found = self._env.step(int(action))
        return found.observation, float(found.reward), float(found.discount), found.last()


class MinAtarWorld(World):
    """A MinAtar game: its planes as one vector."""

    def __init__(self, name: str, limit: int = 5000):
        """Loads.

        Args:
          name: Of the game, such as `breakout`.
          limit: Moves after which an episode is cut off.
        """
        from minatar import Environment

        self._env = Environment(name)
        size = int(np.prod(self._env.state_shape()))
        super().__init__(size, specs.DiscreteArray(self._env.num_actions(), name="action"), limit)

    def seed(self, seed: int) -> None:
        self._env.seed(seed)

    def _begin(self) -> Any:
        self._env.reset()
        return self._env.state()

    def _play(self, action: Any) -> tuple[Any, float, float, bool]:
        reward, ended = self._env.act(int(action))
        return self._env.state(), float(reward), 0.0 if ended else 1.0, bool(ended)


def load(source: str, name: str, repeat: int = 1) -> World:
    """Returns a world.

    Args:
      source: `gym`, `dm_control`, `bsuite` or `minatar`.
      name: As that library names it.
      repeat: Simulation steps a move; dm_control only.

    Raises:
      ValueError: for an unknown source.
      ImportError: with what to install, if that library is not there.
    """
    makers = {"gym": GymWorld, "bsuite": BsuiteWorld, "minatar": MinAtarWorld}
    if source != "dm_control" and source not in makers:
        raise ValueError(f"source {source!r}: expected one of {['dm_control', *makers]}")
    try:
        return ControlWorld(name, repeat) if source == "dm_control" else makers[source](name)
    except ImportError as error:
        raise ImportError(f"{source}:{name}: {error}; docs/benchmarks.md says what to install") from error
