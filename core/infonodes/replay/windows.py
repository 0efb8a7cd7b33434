"""Cuts environments' frames into windows and writes them to Reverb."""
from __future__ import annotations

import collections
from typing import Any, Callable, NamedTuple, Optional

import numpy as np
import reverb
from tf_agents.trajectories.time_step import StepType

from infonodes.replay import faults

# Items the writer may run ahead of the server before it waits for it.
_MAX_PENDING = 512
# Plain numbers: TF-Agents' are arrays, which take a microsecond to compare.
_FIRST, _LAST = int(StepType.FIRST), int(StepType.LAST)


class Frames(NamedTuple):
    """One frame of each of B environments.

    Attributes:
      rows: Their bytes, uint8 `[n]` each; None where a frame was refused.
      step_types: `[B]`.
      next_step_types: `[B]`.
      costs: `[B]`.
    """

    rows: list[Optional[np.ndarray]]
    step_types: list[int]
    next_step_types: list[int]
    costs: list[float]


class _Episode:
    """One environment's open episode.

    Attributes:
      frames: How many it has.
      expected: Step type of the next one.
      refs: The writer's references to the last ones.
      costs: Of the same; None of a repeated frame.
    """

    __slots__ = ("frames", "expected", "refs", "costs")

    def __init__(self, length: int):
        self.frames, self.expected = 0, _FIRST
        self.refs: collections.deque = collections.deque(maxlen=length)
        self.costs: collections.deque = collections.deque(maxlen=length)

    def clear(self) -> None:
        """Starts anew."""
        self.frames = 0
        self.refs.clear()
        self.costs.clear()


class WindowWriter:
    """Writes overlapping windows of the episodes of B environments.

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

    All environments share one of Reverb's writers, each with a column of its own: a writer has a thread and a stream,
    and one for each environment takes twice the time.

    Attributes:
      batch_size: B.
      written: Windows written so far.
    """

    def __init__(
        self,
        client: reverb.Client,
        batch_size: int,
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
          batch_size: B.
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
        self.batch_size = batch_size
        self._hold_back = hold_back
        self._client = client
        self._table = table
        self._length = sequence_length
        self._stride = stride
        self._pad = pad
        self._priority = priority
        self._deadline_s = deadline_s
        self._writer: Optional[reverb.TrajectoryWriter] = None
        self._columns: list[Any] = []  # The writer's, one an environment.
        self._episodes = [_Episode(sequence_length) for _ in range(batch_size)]
        self._since_flush = 0
        self.written = 0

    def write(self, frames: Frames) -> None:
        """Appends a frame of each environment, and writes the windows that they fill.

        Args:
          frames: Checked ones; where one was refused, its episode is dropped.

        Raises:
          ReplayTimeout: if the server does not take what is due. All open episodes are dropped.
        """
        ended = []
        try:
            refs = self._append(frames.rows)
            for episode, ref, step_type, following, cost in zip(self._episodes, refs, *frames[1:]):
                if ref is None or step_type == _FIRST or step_type != episode.expected:
                    episode.clear()
                if ref is None:
                    continue
                episode.expected = following
                self._take(episode, ref, cost)
                if step_type == _LAST:
                    ended.append(episode)
            if ended:
                self._end(ended, frames.rows)
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Drops the frames of the open episodes; windows already written stay.

        Reverb is not told: no window will hold them, and its `end_episode` waits for the server, 0.4 ms.
        """
        for episode in self._episodes:
            episode.clear()

    def flush(self, timeout_s: Optional[float] = None) -> None:
        """Waits until every written window can be sampled."""
        if self._writer is not None:
            writer = self._writer
            self._wait(lambda ms: writer.flush(timeout_ms=ms), "writing windows", timeout_s)

    def close(self) -> None:
        """Sends what is pending and closes; the next frame opens the writer again, and starts an episode."""
        self.discard()
        if self._writer is None:
            return
        writer, self._writer, self._columns = self._writer, None, []
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
        return min((episode.refs[0] for episode in self._episodes if episode.refs), default=None)

    def get_state(self) -> dict[str, Any]:
        """Returns the open episodes; of a `LocalReplay` only, where a reference is a frame's number."""
        open_ones = [[e.frames, e.expected, list(e.refs), list(e.costs)] for e in self._episodes]
        return {"episodes": open_ones, "since_flush": self._since_flush, "written": self.written}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on with the episodes that `get_state` told of."""
        for episode, (frames, expected, refs, costs) in zip(self._episodes, state["episodes"]):
            episode.clear()
            episode.frames, episode.expected = frames, expected
            episode.refs.extend(refs)
            episode.costs.extend(costs)
        self._since_flush, self.written = state["since_flush"], state["written"]

    def _open(self) -> Any:
        # Items were checked against the data spec; Reverb need not do it again.
        return self._client.trajectory_writer(self._length + 1, validate_items=False)

    def _append(self, rows: list[Optional[np.ndarray]]) -> list:
        """Returns references to what was appended; where there is no row, None."""
        if not any(row is not None for row in rows):
            return [None] * len(rows)
        if self._writer is None:
            self._writer = self._open()
        is_alone = len(rows) == 1  # In a list, it would take Reverb twice as long.
        self._writer.append(rows[0] if is_alone else rows)
        if not self._columns:  # They stay the same objects, and asking for them takes time.
            history = self._writer.history
            self._columns = [history] if is_alone else history
        return [None if row is None else next(iter(column[-1:])) for row, column in zip(rows, self._columns)]

    def _take(self, episode: _Episode, ref: Any, cost: Optional[float]) -> None:
        episode.frames += 1
        episode.refs.append(ref)
        episode.costs.append(cost)
        past = episode.frames - self._length
        if past >= 0 and past % self._stride == 0:
            self._write_window(episode)

    def _end(self, ended: list[_Episode], rows: list[Optional[np.ndarray]]) -> None:
        """Repeats the boundary frame of episodes that ended, until their last windows are full."""
        missing = [self._missing(episode.frames) if episode in ended else 0 for episode in self._episodes]
        for k in range(max(missing) if self._pad else 0):
            repeated = [row if count > k else None for row, count in zip(rows, missing)]
            for episode, ref in zip(self._episodes, self._append(repeated)):
                if ref is not None:
                    self._take(episode, ref, None)
        for episode in ended:
            episode.clear()
        if self._hold_back:
            self.flush()

    def _missing(self, frames: int) -> int:
        """Frames until the last window that starts with a move is full."""
        last_move = frames - 2
        if last_move < 0:
            return 0
        last_start = last_move - last_move % self._stride
        return max(last_start + self._length - frames, 0)

    def _write_window(self, episode: _Episode) -> None:
        assert self._writer is not None
        writer = self._writer
        costs = [cost for cost in episode.costs if cost is not None]
        priority = self._priority(sum(costs) / len(costs))
        writer.create_item(self._table, priority, reverb.TrajectoryColumn(episode.refs))
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
