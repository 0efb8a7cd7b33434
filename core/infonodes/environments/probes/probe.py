"""What all probes share."""
from __future__ import annotations

import abc
from typing import Optional, Union

import numpy as np
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts


class Probe(py_environment.PyEnvironment, abc.ABC):
    """A tiny task that tests one ability, and whose optimum is known.

    A step after an episode's end starts the next episode (`handle_auto_reset`). Returns are
    undiscounted sums over an episode.
    """

    def __init__(
        self,
        observation_spec: array_spec.ArraySpec,
        action_spec: array_spec.BoundedArraySpec,
        seed: Optional[int] = None,
    ):
        """Builds the shared part.

        Args:
          observation_spec: Of one observation.
          action_spec: Of one action.
          seed: Fixes all the probe draws; None draws one.
        """
        super().__init__(handle_auto_reset=True)
        self._observation_spec = observation_spec
        self._action_spec = action_spec
        self._rng = np.random.default_rng(seed)

    def observation_spec(self) -> array_spec.ArraySpec:
        """Returns the spec of one observation."""
        return self._observation_spec

    def action_spec(self) -> array_spec.BoundedArraySpec:
        """Returns the spec of one action."""
        return self._action_spec

    def seed(self, seed: int) -> int:
        """Starts the random draws anew from `seed`; call `reset` next."""
        self._rng = np.random.default_rng(seed)
        return seed

    @property
    @abc.abstractmethod
    def optimal_return(self) -> float:
        """The best expected return of an episode; of the current one where it varies."""

    @abc.abstractmethod
    def _reset(self) -> ts.TimeStep:
        """Starts an episode."""

    @abc.abstractmethod
    def _step(self, action: np.ndarray) -> ts.TimeStep:
        """Makes a move."""


def one_of(count: int) -> array_spec.BoundedArraySpec:
    """Returns the action spec of a choice among `count`."""
    return array_spec.BoundedArraySpec([], np.int32, 0, count - 1, "action")


def features(count: int) -> array_spec.BoundedArraySpec:
    """Returns the observation spec of `count` features in [0, 1]."""
    return array_spec.BoundedArraySpec([count], np.float32, 0.0, 1.0, "observation")


def positive(probe: str, **sizes: Union[int, float]) -> None:
    """Checks the sizes a probe was given.

    Raises:
      ValueError: naming the probe and the size that is below 1.
    """
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"probe {probe}: {name}={size}, expected at least 1")
