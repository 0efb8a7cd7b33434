"""What `WindowWriter` asks of Reverb, for a replay in the same process."""
from __future__ import annotations

from typing import Any, Optional, Protocol

import numpy as np
import reverb


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
        del num_keep_alive_refs, validate_items
        return LocalWriter(self._store)


class LocalWriter:
    """What `WindowWriter` asks of a Reverb writer; a frame's reference is its number."""

    def __init__(self, store: Store):
        self._store = store
        self._rows: list[Optional[np.ndarray]] = []
        self._columns: list[list[int]] = []
        self._is_nest = False

    @property
    def history(self) -> Any:
        """Columns with the newest number each, in the form of what is appended: a list of them, or the only one."""
        return self._columns if self._is_nest else self._columns[0]

    def append(self, frames: Any) -> None:
        """Keeps a frame, or of a list each that is not None; the same object again takes no second place."""
        self._is_nest = isinstance(frames, list)
        rows = frames if self._is_nest else [frames]
        if not self._columns:
            self._rows, self._columns = [None] * len(rows), [[] for _ in rows]
        for b, row in enumerate(rows):
            if row is not None and row is not self._rows[b]:
                self._rows[b], self._columns[b][:] = row, [self._store.add_frame(row)]

    def create_item(self, table: str, priority: float, window: reverb.TrajectoryColumn) -> None:
        """Keeps a window; what is a priority to Reverb is its mean cost here."""
        del table
        self._store.add_window(list(window), priority)

    def end_episode(self, timeout_ms: int) -> None:
        """Forgets the open episodes."""
        del timeout_ms
        self._rows, self._columns = [], []

    def flush(self, block_until_num_items: int = 0, timeout_ms: int = 0) -> None:
        """Does nothing: what was written is there."""
        del block_until_num_items, timeout_ms

    def close(self) -> None:
        """Does nothing: `end_episode` came before."""
