"""What `WindowWriter` asks of Reverb, for a replay in the same process."""
from __future__ import annotations

from typing import Optional, Protocol

import numpy as np


class Store(Protocol):
    """Where frames and windows go."""

    def add_frame(self, frame: np.ndarray) -> int:
        """Keeps a frame's bytes and returns its number."""

    def add_window(self, frames: list[int], cost: float) -> None:
        """Keeps a window of frames, by their numbers, of this mean cost."""


class LocalClient:
    """What `WindowWriter` asks of a Reverb client."""

    server_address = "this process"

    def __init__(self, store: Store):
        self._store = store

    def trajectory_writer(self, num_keep_alive_refs: int, validate_items: bool) -> LocalWriter:
        """Returns a writer; frames were checked before."""
        del validate_items
        return LocalWriter(self._store, num_keep_alive_refs)


class LocalWriter:
    """What `WindowWriter` asks of a Reverb writer; a frame's reference is its number.

    Attributes:
      history: The numbers of the last frames.
    """

    def __init__(self, store: Store, keep: int):
        self._store, self._keep = store, keep
        self._newest: Optional[np.ndarray] = None
        self.history: list[int] = []

    def append(self, frame: np.ndarray) -> None:
        """Keeps a frame; the same object again, as at an episode's end, takes no second place."""
        known = self._newest is frame and bool(self.history)
        self._newest = frame
        self.history.append(self.history[-1] if known else self._store.add_frame(frame))
        del self.history[: -self._keep]

    def create_item(self, table: str, priority: float, window: list[int]) -> None:
        """Keeps a window; what is a priority to Reverb is its mean cost here."""
        del table
        self._store.add_window(window, priority)

    def end_episode(self, timeout_ms: int) -> None:
        """Forgets the open episode."""
        del timeout_ms
        self.history = []

    def flush(self, block_until_num_items: int = 0, timeout_ms: int = 0) -> None:
        """Does nothing: what was written is there."""
        del block_until_num_items, timeout_ms

    def close(self) -> None:
        """Forgets the open episode."""
        self.history = []
