"""What a checkpoint is made of."""
from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class StatePart(Protocol):
    """Something whose state is a nest of arrays and plain values, see `nests.save`."""

    def get_state(self) -> Any:
        """Returns the state; what it holds is not changed afterwards."""

    def set_state(self, state: Any) -> None:
        """Takes a state that `get_state` returned; raises a `CheckpointFault` if it is of something else."""


@runtime_checkable
class FolderPart(Protocol):
    """Something that writes files of its own, such as a Reverb server's tables."""

    def save(self, folder: str) -> None:
        """Writes into `folder`, which exists and is empty."""

    def load(self, folder: str) -> None:
        """Reads what `save` wrote, and writes nothing there."""
