"""Is a cue remembered until it is needed?"""
from __future__ import annotations

from typing import Optional

import numpy as np
from tf_agents.trajectories import time_step as ts

from infonodes.environments.probes.probe import Probe, features, one_of, positive


class TMaze(Probe):
    """A cue at the entrance says which way to turn at a corridor's end (Bakker 2001).

    Each move leads one place on whatever the action, so that memory alone is tested (the
    passive maze of Ni et al. 2023). At the junction, action 0 turns left and 1 right: reward
    1 for the cue's side, else -1.

    ```
    frame        0            1 … length − 1    length           length + 1
    observation  cue [2] 0 0   0 0 1 0           0 0 0 1 junction  end
    ```

    Optimum: return 1 with memory; 0 in the mean without.
    """

    def __init__(self, length: int = 5, seed: Optional[int] = None):
        """Builds the probe.

        Args:
          length: Moves from the entrance to the junction.
          seed: As for every probe.

        Raises:
          ValueError: if the entrance were the junction.
        """
        positive("t_maze", length=length)
        super().__init__(features(4), one_of(2), seed)
        self._length = length
        self._cue, self._place = 0, 0

    @property
    def optimal_return(self) -> float:
        """1."""
        return 1.0

    def _reset(self) -> ts.TimeStep:
        self._cue, self._place = int(self._rng.integers(2)), 0
        return ts.restart(self._observation())

    def _step(self, action: np.ndarray) -> ts.TimeStep:
        if self._place == self._length:
            reward = 1.0 if int(action) == self._cue else -1.0
            return ts.termination(self._observation(), reward)
        self._place += 1
        return ts.transition(self._observation(), 0.0)

    def _observation(self) -> np.ndarray:
        corridor, junction = 2, 3
        place = self._cue if self._place == 0 else corridor
        if self._place == self._length:
            place = junction
        return np.eye(4, dtype=np.float32)[place]
