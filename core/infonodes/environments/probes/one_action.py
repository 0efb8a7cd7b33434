"""Is the action's effect on the reward learned?"""
from __future__ import annotations

from typing import Optional

import numpy as np
from tf_agents.trajectories import time_step as ts

from infonodes.environments.probes.probe import Probe, features, one_of, positive


class OneAction(Probe):
    """Shows one of N cues; the action that names it is paid 1 at once, another -1; end.

    Optimum: return 1, by action = cue. Chance is 2/N − 1.
    """

    def __init__(self, cues: int = 2, seed: Optional[int] = None):
        """Builds the probe.

        Args:
          cues: N.
          seed: As for every probe.

        Raises:
          ValueError: if there is no cue.
        """
        positive("one_action", cues=cues)
        super().__init__(features(cues), one_of(cues), seed)
        self._codes = np.eye(cues, dtype=np.float32)
        self._cue = 0

    @property
    def optimal_return(self) -> float:
        """1."""
        return 1.0

    def _reset(self) -> ts.TimeStep:
        self._cue = int(self._rng.integers(len(self._codes)))
        return ts.restart(self._codes[self._cue].copy())

    def _step(self, action: np.ndarray) -> ts.TimeStep:
        reward = 1.0 if int(action) == self._cue else -1.0
        return ts.termination(self._codes[self._cue].copy(), reward)
