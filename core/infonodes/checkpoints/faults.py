"""What can be wrong with a checkpoint."""
from __future__ import annotations


class CheckpointFault(RuntimeError):
    """A checkpoint that cannot be written or read: names the file and the fix."""


class CheckpointDamaged(CheckpointFault):
    """A checkpoint whose files are not what its manifest says."""


class CheckpointMismatch(CheckpointFault):
    """A sound checkpoint of something else: lists names, shapes or configuration that differ."""
