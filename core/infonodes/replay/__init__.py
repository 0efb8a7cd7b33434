"""Windows of experience, by cost or in order: Reverb tables, or arrays of this process."""
from infonodes.replay.cost_prioritized import CostPrioritizedReplay
from infonodes.replay.faults import ReplayFault, ReplayTimeout
from infonodes.replay.local import LocalReplay
from infonodes.replay.observer import ReplayObserver
from infonodes.replay.on_policy import FifoReplay

__all__ = [
    "CostPrioritizedReplay",
    "FifoReplay",
    "LocalReplay",
    "ReplayFault",
    "ReplayObserver",
    "ReplayTimeout",
]
