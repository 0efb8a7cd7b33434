"""Forage as a Python environment: one body, numpy."""
from __future__ import annotations

import types
from typing import Optional

import numpy as np
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

from infonodes.environments.forage import world
from infonodes.environments.forage.world import ForageSettings

# What `world` needs of an array library besides operators.
ARRAYS = types.SimpleNamespace(
    argmin=lambda x: np.argmin(x, axis=-1),
    cast=lambda x, dtype: np.asarray(x).astype(dtype),
    concat=lambda xs: np.concatenate(xs, axis=-1),
    cos=np.cos,
    matmul=np.matmul,
    pick=lambda x, i: x[np.arange(len(i)), i],
    sin=np.sin,
    take=lambda table, i: table[i],
    where=np.where,
)


def observation_spec() -> dict[str, array_spec.BoundedArraySpec]:
    """Returns the specs of what `world.observe` returns, without batch dimension."""
    floats = lambda size, low, name: array_spec.BoundedArraySpec([size], np.float32, low, 1.0, name)
    return {
        "cold": floats(1, 0.0, "cold"),
        "eaten": floats(world.FOODS, 0.0, "eaten"),
        "energy": floats(world.COMPONENTS, 0.0, "energy"),
        "sight": floats(14, -1.0, "sight"),
    }


def action_spec() -> array_spec.BoundedArraySpec:
    """Returns the spec of a choice among `world.ACTIONS`."""
    return array_spec.BoundedArraySpec([], np.int32, 0, len(world.ACTIONS) - 1, "action")


class ForagePyEnvironment(py_environment.PyEnvironment):
    """One body in the world of forage; reward 1 for each tick that it is alive after.

    Attributes:
      settings: Of the world.
      state: Where everything is, `[1, ...]`.
      spent: Energy spent on acting in this episode, by the price list.
      eaten: Energy eaten in this episode, toxin aside.
    """

    def __init__(self, settings: ForageSettings = ForageSettings(), seed: Optional[int] = None):
        """Builds the environment.

        Args:
          settings: Of the world.
          seed: Fixes all it draws; None draws one.
        """
        super().__init__(handle_auto_reset=True)
        self.settings = settings
        self._rng = np.random.default_rng(seed)
        self._cells = world.item_count(settings)
        self.state: Optional[world.WorldState] = None
        self.spent = self.eaten = 0.0

    def observation_spec(self) -> dict[str, array_spec.BoundedArraySpec]:
        """Returns the specs of one observation."""
        return observation_spec()

    def action_spec(self) -> array_spec.BoundedArraySpec:
        """Returns the spec of one action."""
        return action_spec()

    def seed(self, seed: int) -> int:
        """Starts the random draws anew from `seed`; call `reset` next."""
        self._rng = np.random.default_rng(seed)
        return seed

    def _draw(self, count: int) -> np.ndarray:
        return self._rng.integers(0, self.settings.size, (1, count, 2), np.int32)

    def _reset(self) -> ts.TimeStep:
        self.spent = self.eaten = 0.0
        self.state = world.restart(ARRAYS, self.settings, self._draw(2 + self._cells))
        return ts.restart(self._observe())

    def _step(self, action: np.ndarray) -> ts.TimeStep:
        assert self.state is not None  # TF-Agents resets first.
        chosen = np.asarray(action, np.int32).reshape([1])
        found = world.step(ARRAYS, self.settings, self.state, chosen, self._draw(self._cells))
        self.state = found.state
        self.spent += float(found.spent[0])
        self.eaten += float(found.state.eaten[0, : world.COMPONENTS].sum())
        if found.starved[0]:
            return ts.termination(self._observe(), 0.0)
        if found.cut[0]:
            return ts.truncation(self._observe(), 1.0)
        return ts.transition(self._observe(), 1.0)

    def _observe(self) -> dict[str, np.ndarray]:
        assert self.state is not None
        seen = world.observe(ARRAYS, self.settings, self.state)
        return {key: np.asarray(leaf[0], np.float32) for key, leaf in seen.items()}
