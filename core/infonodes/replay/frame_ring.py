"""Frames in one array that is written over in turn."""
from __future__ import annotations

from typing import Any

import numpy as np


class FrameRing:
    """The last `capacity` frames, each known by its number since the beginning.

    Memory is taken as it fills.

    Attributes:
      capacity: Frames kept.
      count: Frames added since the beginning.
    """

    def __init__(self, size: int, capacity: int):
        """Builds an empty ring.

        Args:
          size: Bytes of a frame.
          capacity: Frames kept.
        """
        self.capacity, self.count = capacity, 0
        # Zeroed memory is not taken from the system before it is written.
        self._frames = np.zeros([capacity, size], np.uint8)

    def add(self, frame: np.ndarray) -> int:
        """Adds a frame and returns its number; the frame `capacity` before it is gone.

        Args:
          frame: uint8 `[size]`.
        """
        self._frames[self.count % self.capacity] = frame
        self.count += 1
        return self.count - 1

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """Returns copies of frames.

        Args:
          numbers: `[...]`, of frames that are kept.

        Returns:
          uint8 `[..., size]`.
        """
        return self._frames[numbers % self.capacity]

    def get_state(self, oldest: int) -> dict[str, Any]:
        """Returns the frames from number `oldest` on."""
        numbers = np.arange(max(oldest, self.count - self.capacity, 0), self.count)
        return {"count": self.count, "capacity": self.capacity, "frames": self.take(numbers)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes the frames back, under their numbers."""
        count, frames = state["count"], state["frames"]
        self._frames[np.arange(count - len(frames), count) % self.capacity] = frames
        self.count = count
