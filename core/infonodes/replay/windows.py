"""Cuts one environment's frames into windows and writes them to Reverb."""
from __future__ import annotations

import collections
from typing import Any, Callable, Optional

import numpy as np
import reverb
from tf_agents.trajectories.time_step import StepType

from infonodes.replay import faults

# Items the writer may run ahead of the server before it waits for it.
_MAX_PENDING = 512


class WindowWriter:
    """Writes overlapping windows of one environment's episodes.

    ```
    frames    F  M  M  M  L->F | F  M ...        L->F is the boundary frame
    windows  [0  1  2]                           sequence_length=3, stride=1
                [1  2  3]
                   [2  3  4]
                      [3  4  4]                  the boundary frame, repeated
    ```

    A window never holds frames of two episodes, also where an episode was abandoned:
    a first frame, and one that does not follow the one before it, start anew. After an episode's end the
    boundary frame is repeated until a window has started from every frame (every
    `stride`-th) that makes a move, so that what learns from the first moves of a window
    sees the last moves of an episode, its termination above all. Repeated frames are real
    observations where TF-Agents pads with zeros, and masked by their step type all the same.

    Attributes:
      written: Windows written so far.
    """

    def __init__(
        self,
        client: reverb.Client,
        table: str,
        sequence_length: int,
        stride: int,
        pad: bool,
        priority: Callable[[float], float],
        deadline_s: float,
        hold_back: bool = False,
    ):
        """Opens the writer.

        Args:
          client: Of the server.
          table: Name of the table.
          sequence_length: Frames in a window.
          stride: Frames from one window's start to the next one's.
          pad: Whether to repeat the boundary frame; if False no window starts among an
            episode's last `sequence_length - 2` moves, and its end is only seen from afar.
          priority: Maps a window's mean cost to its stored priority.
          deadline_s: How long to wait for the server.
          hold_back: Whether to wait at an episode's end until its windows are in the table: what writes into a full
            queue is then not far ahead of who reads it.
        """
        self._hold_back = hold_back
        self._client = client
        self._table = table
        self._length = sequence_length
        self._stride = stride
        self._pad = pad
        self._priority = priority
        self._deadline_s = deadline_s
        self._writer: Optional[reverb.TrajectoryWriter] = None
        self._costs: collections.deque = collections.deque(maxlen=sequence_length)
        self._frames = 0
        self._expected: Optional[int] = None
        self._since_flush = 0
        self.written = 0

    def write(self, frame: np.ndarray, step_type: int, next_step_type: int, cost: float) -> None:
        """Appends a frame, and the windows that it fills.

        Args:
          frame: Its bytes, checked.
          step_type: Its step type.
          next_step_type: Its next one.
          cost: Its cost.

        Raises:
          ReplayTimeout: if the server does not take what is due.
        """
        if self._frames and (step_type != self._expected or step_type == StepType.FIRST):
            self.discard()
        self._expected = next_step_type
        self._append(frame, cost)
        if step_type != StepType.LAST:
            return
        for _ in range(self._missing() if self._pad else 0):
            self._append(frame, None)
        self.discard()
        if self._hold_back:
            self.flush()

    def discard(self) -> None:
        """Drops the frames of the open episode; windows already written stay.

        Reverb is not told: no window will hold them, and its `end_episode` waits for the server, 0.4 ms.
        """
        self._frames = 0
        self._costs.clear()

    def flush(self, timeout_s: Optional[float] = None) -> None:
        """Waits until every written window can be sampled."""
        if self._writer is not None:
            writer = self._writer
            self._wait(lambda ms: writer.flush(timeout_ms=ms), "writing windows", timeout_s)

    def close(self) -> None:
        """Sends what is pending and closes; the next frame opens the writer again."""
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        self.discard()
        try:
            self._wait(lambda ms: writer.end_episode(timeout_ms=ms), "closing a writer")
        finally:
            faults.within(
                self._deadline_s, writer.close, self._client.server_address, "closing a writer"
            )

    def use(self, client: reverb.Client) -> None:
        """Closes, and goes on with another client."""
        self.close()
        self._client = client

    @property
    def oldest_frame(self) -> Optional[int]:
        """Number of the first frame that a window to come may hold; of a `LocalReplay` only."""
        refs = self._writer.history if self._writer is not None else []
        return refs[0] if refs else None

    def get_state(self) -> dict[str, Any]:
        """Returns the open episode; of a `LocalReplay` only, where a frame is a number."""
        return {
            "refs": list(self._writer.history) if self._writer is not None else [],
            "costs": list(self._costs),
            "frames": self._frames,
            "expected": self._expected,
            "since_flush": self._since_flush,
            "written": self.written,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on with the episode that `get_state` told of."""
        self._writer = self._open()
        self._writer.history.extend(state["refs"])
        self._costs = collections.deque(state["costs"], maxlen=self._length)
        self._frames, self._expected = state["frames"], state["expected"]
        self._since_flush, self.written = state["since_flush"], state["written"]

    def _open(self) -> Any:
        # Items were checked against the data spec; Reverb need not do it again.
        return self._client.trajectory_writer(self._length + 1, validate_items=False)

    def _append(self, frame: np.ndarray, cost: Optional[float]) -> None:
        if self._writer is None:
            self._writer = self._open()
        self._writer.append(frame)  # A bare array: in a list it takes Reverb twice as long.
        self._frames += 1
        self._costs.append(cost)
        if self._is_window_end():
            self._write_window(self._writer)

    def _is_window_end(self) -> bool:
        past = self._frames - self._length
        return past >= 0 and past % self._stride == 0

    def _missing(self) -> int:
        """Frames until the last window that starts with a move is full."""
        last_move = self._frames - 2
        if last_move < 0:
            return 0
        last_start = last_move - last_move % self._stride
        return max(last_start + self._length - self._frames, 0)

    def _write_window(self, writer: reverb.TrajectoryWriter) -> None:
        costs = [c for c in self._costs if c is not None]
        mean_cost = sum(costs) / len(costs)
        writer.create_item(self._table, self._priority(mean_cost), writer.history[-self._length:])
        self._since_flush += 1
        self.written += 1
        if self._since_flush >= _MAX_PENDING:
            self._since_flush = 0
            self._wait(
                lambda ms: writer.flush(block_until_num_items=_MAX_PENDING, timeout_ms=ms),
                "writing windows",
            )

    def _wait(
        self, call: Callable[[int], None], doing: str, timeout_s: Optional[float] = None
    ) -> None:
        seconds = self._deadline_s if timeout_s is None else timeout_s
        try:
            call(int(seconds * 1000))
        except reverb.errors.DeadlineExceededError as error:
            raise faults.no_answer(self._client.server_address, seconds, doing) from error
