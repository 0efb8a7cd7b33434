"""TF-Agents' own replay behind our replay's methods, for agents without costs."""
from __future__ import annotations

import time
from typing import Any

import reverb
import tensorflow as tf
from tf_agents.replay_buffers import reverb_replay_buffer, reverb_utils
from tf_agents.specs import tensor_spec

from experiments.errors import RunError
from infonodes.types import Spec

_TABLE = "uniform"


class UniformReplay:
    """Stock uniform Reverb replay of windows."""

    def __init__(self, data_spec: Spec, sequence_length: int, max_size: int = 100_000):
        """Starts an embedded server.

        Args:
          data_spec: The agent's `collect_data_spec`.
          sequence_length: Frames in a window.
          max_size: Windows kept.
        """
        self._sequence_length = sequence_length
        table = reverb.Table(
            _TABLE,
            sampler=reverb.selectors.Uniform(),
            remover=reverb.selectors.Fifo(),
            max_size=max_size,
            rate_limiter=reverb.rate_limiters.MinSize(1),
            signature=tensor_spec.add_outer_dim(data_spec),
        )
        self._server = reverb.Server([table])
        self._buffer = reverb_replay_buffer.ReverbReplayBuffer(
            data_spec, _TABLE, sequence_length, local_server=self._server
        )

    def observer(self) -> "StockObserver":
        """Returns an observer for one driver."""
        return StockObserver(
            self._buffer.py_client, _TABLE, self._sequence_length, stride_length=1, pad_end_of_episodes=True
        )

    def dataset(self, batch_size: int) -> tf.data.Dataset:
        """Returns batches `(Trajectory [B, L, ...], info)`."""
        return self._buffer.as_dataset(sample_batch_size=batch_size, num_steps=self._sequence_length).prefetch(2)

    def update_priorities(self, info: Any, costs: Any) -> None:
        """Does nothing: every window is as likely."""

    def check(self) -> None:
        """Raises unless the server answers within 10 s."""
        self._buffer.py_client.server_info(timeout=10)

    def wait_for(self, n: int, timeout_s: float = 60.0) -> None:
        """Waits until the table holds `n` windows.

        Raises:
          RunError: if it took longer than `timeout_s`.
        """
        end = time.monotonic() + timeout_s
        while self._buffer.py_client.server_info(timeout=10)[_TABLE].current_size < n:
            if time.monotonic() > end:
                raise RunError(f"replay: expected {n} windows within {timeout_s:g} s; collect more steps first")
            time.sleep(0.02)

    def close(self) -> None:
        """Stops the server."""
        self._server.stop()


class StockObserver(reverb_utils.ReverbAddTrajectoryObserver):
    """TF-Agents' observer, with the names of ours."""

    def discard(self) -> None:
        """Drops the open episode."""
        self.reset(write_cached_steps=False)

    def flush(self) -> None:  # pylint: disable=arguments-differ
        """Makes what was written available for sampling."""
        super().flush()
