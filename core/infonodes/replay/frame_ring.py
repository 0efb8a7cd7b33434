"""Frames in numpy arrays that are written over in turn."""
from __future__ import annotations

from typing import Any

import numpy as np
import tree

from infonodes.types import Spec


class FrameRing:
    """The last `capacity` frames, each known by its number since the beginning.

    Memory is taken as it fills.

    Attributes:
      capacity: Frames kept.
      count: Frames added since the beginning.
      paths: Names of the leaves.
    """

    def __init__(self, data_spec: Spec, capacity: int):
        """Builds an empty ring.

        Args:
          data_spec: A nest of `TensorSpec`s of one frame.
          capacity: Frames kept.
        """
        found = tree.flatten_with_path(data_spec)
        self.paths = ["/".join(str(p) for p in path) for path, _ in found]
        self.capacity, self.count = capacity, 0
        # Zeroed memory is not taken from the system before it is written.
        self._leaves = [np.zeros([capacity, *s.shape], s.dtype.as_numpy_dtype) for _, s in found]

    def add(self, leaves: list[np.ndarray]) -> int:
        """Adds a frame and returns its number; the frame `capacity` before it is gone.

        Args:
          leaves: In the order of `paths`.
        """
        slot = self.count % self.capacity
        for ring, leaf in zip(self._leaves, leaves):
            ring[slot] = leaf
        self.count += 1
        return self.count - 1

    def take(self, numbers: np.ndarray) -> list[np.ndarray]:
        """Returns copies of frames.

        Args:
          numbers: `[...]`, of frames that are kept.

        Returns:
          Leaves `[..., *shape]`.
        """
        return [ring[numbers % self.capacity] for ring in self._leaves]

    def get_state(self, oldest: int) -> dict[str, Any]:
        """Returns the frames from number `oldest` on."""
        numbers = np.arange(max(oldest, self.count - self.capacity, 0), self.count)
        return {"count": self.count, "capacity": self.capacity, "leaves": self.take(numbers)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes the frames back, under their numbers."""
        count, leaves = state["count"], state["leaves"]
        slots = np.arange(count - len(leaves[0]), count) % self.capacity
        for ring, saved in zip(self._leaves, leaves):
            ring[slots] = saved
        self.count = count
