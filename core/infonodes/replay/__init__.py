"""Reverb tables of windows of experience: by cost, or in order."""
from infonodes.replay.cost_prioritized import CostPrioritizedReplay
from infonodes.replay.faults import ReplayFault, ReplayTimeout
from infonodes.replay.observer import ReplayObserver
from infonodes.replay.on_policy import FifoReplay

__all__ = [
    "CostPrioritizedReplay",
    "FifoReplay",
    "ReplayFault",
    "ReplayObserver",
    "ReplayTimeout",
]
