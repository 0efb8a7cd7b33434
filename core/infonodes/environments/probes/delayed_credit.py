"""Is credit carried back over the ticks between an action and its pay?"""
from __future__ import annotations

from typing import Optional

import numpy as np
from tf_agents.trajectories import time_step as ts

from infonodes.environments.probes.probe import Probe, features, one_of, positive


class DelayedCredit(Probe):
    """The first action is paid `delay` ticks later; the actions between do nothing.

    ```
    frame    0      1 … delay    delay + 1
    action   counts  ignored     (end)
    reward          0            1 if the first action was the cue's, else 0
    ```

    The observation shows the cue (2), the first action once taken (2) and the share of the
    wait that is left (1), so that it takes no memory. Optimum: return 1, by first action = cue.
    """

    def __init__(self, delay: int = 5, seed: Optional[int] = None):
        """Builds the probe.

        Args:
          delay: Ticks of waiting between the move that counts and the move that is paid.
          seed: As for every probe.

        Raises:
          ValueError: if there is no wait.
        """
        positive("delayed_credit", delay=delay)
        super().__init__(features(5), one_of(2), seed)
        self._delay = delay
        self._cue, self._choice, self._ticks = 0, -1, 0

    @property
    def optimal_return(self) -> float:
        """1."""
        return 1.0

    def _reset(self) -> ts.TimeStep:
        self._cue, self._choice, self._ticks = int(self._rng.integers(2)), -1, 0
        return ts.restart(self._observation())

    def _step(self, action: np.ndarray) -> ts.TimeStep:
        if self._ticks == 0:
            self._choice = int(action)
        self._ticks += 1
        if self._ticks <= self._delay:
            return ts.transition(self._observation(), 0.0)
        return ts.termination(self._observation(), float(self._choice == self._cue))

    def _observation(self) -> np.ndarray:
        seen = np.zeros(5, np.float32)
        seen[self._cue] = 1.0
        if self._choice >= 0:
            seen[2 + self._choice] = 1.0
        seen[4] = 1.0 - self._ticks / (self._delay + 1)
        return seen
