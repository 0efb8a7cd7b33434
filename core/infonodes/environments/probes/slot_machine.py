"""Does curiosity tell what can be learned from what is noise?"""
from __future__ import annotations

from typing import Optional

import numpy as np
from tf_agents.trajectories import time_step as ts

from infonodes.environments.probes.probe import Probe, features, one_of, positive


class SlotMachine(Probe):
    """Two arms and a reel; nothing is paid, there is only something to find out.

    Arm 0 (`NOISE`) spins the reel to a symbol drawn uniformly: the prediction error stays
    for ever, the information gain is nil. Arm 1 (`LEARNABLE`) turns it from symbol s to p(s),
    p a hidden cyclic order that is drawn with the seed and kept: all there is to know is
    learned in `symbols` pulls. Observation: the arm pulled last (2, zeros at first), the
    symbol (`symbols`), one-hot. Episodes are cut after `ticks`.

    Optimum: return 0 by any policy. What is measured is `learnable_share`: an agent driven by
    prediction error goes to 0 (the noisy television), one driven by information gain is
    above 1/2 while it learns and has no preference after.
    """

    NOISE, LEARNABLE = 0, 1

    def __init__(self, symbols: int = 6, ticks: int = 20, seed: Optional[int] = None):
        """Builds the probe.

        Args:
          symbols: On the reel.
          ticks: Pulls in an episode.
          seed: As for every probe; also draws the hidden order.

        Raises:
          ValueError: if there is no symbol or no pull.
        """
        positive("slot_machine", symbols=symbols, ticks=ticks)
        super().__init__(features(2 + symbols), one_of(2), seed)
        order = self._rng.permutation(symbols)
        self._next = np.empty(symbols, np.int64)
        self._next[order] = np.roll(order, -1)
        self._ticks, self._tick = ticks, 0
        self._symbol, self._arm = 0, -1
        self.pulls = np.zeros(2, np.int64)

    @property
    def optimal_return(self) -> float:
        """0."""
        return 0.0

    @property
    def learnable_share(self) -> float:
        """Share of all pulls so far that went to the learnable arm; 0.5 before any."""
        total = int(self.pulls.sum())
        return float(self.pulls[self.LEARNABLE]) / total if total else 0.5

    def _reset(self) -> ts.TimeStep:
        self._tick, self._arm = 0, -1
        self._symbol = int(self._rng.integers(len(self._next)))
        return ts.restart(self._observation())

    def _step(self, action: np.ndarray) -> ts.TimeStep:
        self._arm = int(action)
        self.pulls[self._arm] += 1
        if self._arm == self.NOISE:
            self._symbol = int(self._rng.integers(len(self._next)))
        else:
            self._symbol = int(self._next[self._symbol])
        self._tick += 1
        if self._tick < self._ticks:
            return ts.transition(self._observation(), 0.0)
        return ts.truncation(self._observation(), 0.0)

    def _observation(self) -> np.ndarray:
        seen = np.zeros(2 + len(self._next), np.float32)
        if self._arm >= 0:
            seen[self._arm] = 1.0
        seen[2 + self._symbol] = 1.0
        return seen
