"""Batches that are waited for with a deadline."""
from __future__ import annotations

import queue
import threading
import time
from typing import Any, Callable, Optional

import tensorflow as tf

from infonodes.eager_leak import plug


class Feed:
    """Reads a dataset in a thread: TensorFlow's own wait for the next element has no end.

    On a dead server the thread is left behind, and another feed takes its place; since it
    only reads, no half-done update is left behind with it.
    """

    def __init__(self, make_dataset: Callable[[], tf.data.Dataset], shards: int = 1, ahead: int = 2):
        """Starts reading.

        Args:
          make_dataset: Returns the dataset of one shard of a batch.
          shards: How many elements make a batch, one a replica.
          ahead: Batches to read ahead.
        """
        self._make_dataset, self._shards = make_dataset, shards
        self._batches: queue.Queue = queue.Queue(ahead)
        self._closed = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def next(self, timeout_s: float) -> Optional[list[Any]]:
        """Returns the shards of a batch, or None if there is none in time.

        Raises:
          RuntimeError: if the dataset ended, as Reverb's do for ever once they met their
            limit; the cause is what it ended with.
        """
        try:
            found = self._batches.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(found, Exception):
            raise RuntimeError(f"the dataset ended: {type(found).__name__}") from found
        return found

    def close(self) -> None:
        """Stops reading, as soon as the server lets go."""
        self._closed.set()

    def _read(self) -> None:
        try:
            elements = iter(self._make_dataset())
            while not self._closed.is_set():
                self._put([plug(next(elements)) for _ in range(self._shards)])
        except Exception as error:  # pylint: disable=broad-except
            self._put(error)

    def _put(self, item: Any) -> None:
        while not self._closed.is_set():
            try:
                return self._batches.put(item, timeout=0.2)
            except queue.Full:
                time.sleep(0)
