"""Checkpoints of whole runs: atomic, kept to a number, verified by a manifest, no pickle."""
from infonodes.checkpoints.checkpoints import Checkpoint, Checkpoints
from infonodes.checkpoints.faults import CheckpointDamaged, CheckpointFault, CheckpointMismatch
from infonodes.checkpoints.files import GrowingFiles
from infonodes.checkpoints.parts import FolderPart, StatePart
from infonodes.checkpoints.random_state import GlobalRandomness
from infonodes.checkpoints.signals import StopSignals
from infonodes.checkpoints.variables import make_slots

__all__ = [
    "Checkpoint",
    "CheckpointDamaged",
    "CheckpointFault",
    "CheckpointMismatch",
    "Checkpoints",
    "FolderPart",
    "GlobalRandomness",
    "GrowingFiles",
    "StatePart",
    "StopSignals",
    "make_slots",
]
