"""Is ending an episode taken for a way out of cost?"""
from __future__ import annotations

from typing import Optional

import numpy as np
from tf_agents.trajectories import time_step as ts

from infonodes.environments.probes.probe import Probe, features, one_of, positive


class Quitting(Probe):
    """Each tick costs 1 until action 1 quits; the quitting move costs 1 too.

    Quitting is a true termination (discount 0), the limit of `ticks` a truncation (discount
    1). Observation: 1 while in it, 0 after quitting.

    Optimum of the plain return: -1, by quitting at once, against `staying_return` = -ticks.
    An agent that takes death for an absorbing state at its unmet set point sees no gain in
    quitting; one that takes rewards for all there is quits at once.
    """

    STAY, QUIT = 0, 1

    def __init__(self, ticks: int = 50, seed: Optional[int] = None):
        """Builds the probe.

        Args:
          ticks: Moves after which a stay is cut.
          seed: As for every probe; nothing here is drawn.

        Raises:
          ValueError: if there is no move.
        """
        positive("quitting", ticks=ticks)
        super().__init__(features(1), one_of(2), seed)
        self._ticks, self._tick = ticks, 0

    @property
    def optimal_return(self) -> float:
        """-1, by quitting at once."""
        return -1.0

    @property
    def staying_return(self) -> float:
        """Return of one that never quits."""
        return -float(self._ticks)

    def _reset(self) -> ts.TimeStep:
        self._tick = 0
        return ts.restart(np.ones(1, np.float32))

    def _step(self, action: np.ndarray) -> ts.TimeStep:
        if int(action) == self.QUIT:
            return ts.termination(np.zeros(1, np.float32), -1.0)
        self._tick += 1
        if self._tick < self._ticks:
            return ts.transition(np.ones(1, np.float32), -1.0)
        return ts.truncation(np.ones(1, np.float32), -1.0)
