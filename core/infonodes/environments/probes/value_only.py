"""Is the value of the only state learned?"""
from __future__ import annotations

from typing import Optional

import numpy as np
from tf_agents.trajectories import time_step as ts

from infonodes.environments.probes.probe import Probe, features, one_of


class ValueOnly(Probe):
    """One observation, one action, reward 1, end.

    Optimum: return 1, and V = 1 whatever the discount. An agent that fails has its value
    loss, its reward's alignment or its handling of termination wrong.
    """

    def __init__(self, seed: Optional[int] = None):
        """Builds the probe.

        Args:
          seed: As for every probe; nothing here is drawn.
        """
        super().__init__(features(1), one_of(1), seed)

    @property
    def optimal_return(self) -> float:
        """1."""
        return 1.0

    def _reset(self) -> ts.TimeStep:
        return ts.restart(np.ones(1, np.float32))

    def _step(self, action: np.ndarray) -> ts.TimeStep:
        return ts.termination(np.ones(1, np.float32), 1.0)
