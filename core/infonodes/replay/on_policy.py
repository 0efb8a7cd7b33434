"""Replay that is read once, in the order it was written."""
from __future__ import annotations

from typing import Optional

import gin
import reverb
import tensorflow as tf

from infonodes.replay.base import Replay
from infonodes.types import Spec


@gin.configurable(module="infonodes")
class FifoReplay(Replay):
    """A queue of windows that follow each other, for nodes that learn on policy.

    Each window is sampled once and then gone. A full queue makes writers wait, and fail
    at the deadline, where a ring would drop unread windows silently.

    Security: see `Replay`: the server is open to whoever reaches its port.
    """

    _is_queue = True

    def __init__(
        self,
        data_spec: Spec,
        sequence_length: int,
        max_size: int = 10_000,
        stride: Optional[int] = None,
        pad: bool = True,
        table_name: str = "fifo",
        server: Optional[reverb.Server] = None,
        address: Optional[str] = None,
        deadline_s: float = 10.0,
        checkpoint_dir: Optional[str] = None,
    ):
        """Starts an embedded server on a free port, or connects to one.

        Args:
          data_spec: The agent's `collect_data_spec`.
          sequence_length: L, frames in a window.
          max_size: Windows that may wait to be read.
          stride: Frames from one window's start to the next one's; L by default, so that
            each frame is read once.
          pad: Whether to fill up an episode's last window by repeating its boundary frame.
            If False, what follows an episode's last whole window is not stored, often
            with its end.
          table_name: Name of the table.
          server: A server of this process that has the table, if not a new one.
          address: `host:port` of a server that has the table, if not a new one.
          deadline_s: How long any call waits for the server, or for room in the queue.
          checkpoint_dir: As for `CostPrioritizedReplay`.

        Raises:
          ReplayFault: if the server has another table.
          ReplayTimeout: if the server does not answer.
        """
        super().__init__(
            data_spec, sequence_length, max_size, stride or sequence_length, pad, table_name, 1,
            server, address, deadline_s, checkpoint_dir,
        )

    def make_table(self, max_size: int, min_size: int) -> reverb.Table:
        """Returns a fresh table of this kind, for a server of your own."""
        del min_size  # A queue gives what it has.
        return reverb.Table.queue(self.table_name, max_size, signature=self._signature())

    def dataset(
        self, batch_size: int, prefetch: int = 2, stop_after_s: Optional[float] = None
    ) -> tf.data.Dataset:
        """Returns batches in order.

        Args:
          batch_size: B.
          prefetch: Batches taken from the queue ahead.
          stop_after_s: End the dataset when the queue stayed empty this long, with a last
            batch that may be smaller; None waits for ever.

        Returns:
          Dataset of `(Trajectory, reverb.SampleInfo)`: leaves `[B, L, ...]` and the info's
          fields `[B]`.
        """
        # A second worker would race the first one and mix up the order.
        samples = self._samples(workers=1, in_flight=1, stop_after_s=stop_after_s)
        return (
            samples.batch(batch_size, drop_remainder=stop_after_s is None)
            .map(lambda sample: (self._wire.decode(sample.data["frames"]), sample.info))
            .prefetch(prefetch)
        )
