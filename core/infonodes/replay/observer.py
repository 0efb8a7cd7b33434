"""The observer that drivers and actors call at every step."""
from __future__ import annotations

from typing import Any, Callable, Optional

import numpy as np
from tf_agents.trajectories import trajectory as trajectory_lib

from infonodes.replay.faults import ReplayFault
from infonodes.replay.frames import FrameCheck
from infonodes.replay.windows import Frames, WindowWriter


class ReplayObserver:
    """Writes what a `PyDriver` or `Actor` sees to a replay; one observer a driver.

    Non-finite or ill-shaped frames are refused before anything of them is written; see
    `WindowWriter` for how episodes are cut.
    """

    def __init__(
        self,
        check: FrameCheck,
        make_writer: Callable[[int], WindowWriter],
        batch_size: Optional[int] = None,
        write_every: int = 1,
    ):
        """Opens a writer.

        Args:
          check: Checks frames and turns them into bytes.
          make_writer: Returns a writer for so many environments.
          batch_size: B of a batched environment; None if frames have no batch dimension.
          write_every: Frames that are checked before they are written together.
        """
        self._check = check
        self._write_every = write_every
        self._held: list[Frames] = []
        self._outer = () if batch_size is None else (batch_size,)
        self._writer = make_writer(batch_size or 1)
        self._step = check.wire.paths.index("step_type")
        self._next = check.wire.paths.index("next_step_type")
        cost = "policy_info/cost"
        self._cost = check.wire.paths.index(cost) if cost in check.wire.paths else None

    def __call__(self, trajectory: trajectory_lib.Trajectory) -> None:
        """Writes one frame, or one frame of each environment.

        Args:
          trajectory: `[...]`, or `[B, ...]` with `batch_size`.

        Raises:
          ReplayFault: if the frame does not fit the data spec or is not finite. The
            episodes it belongs to are dropped; other environments' rows are written.
          ReplayTimeout: if the server does not take what is due.
        """
        try:
            data = self._check.encode(trajectory, self._outer)
        except ReplayFault:
            self.discard()
            raise
        wire = self._check.wire
        data = data.reshape(self.batch_size, -1)
        rows: list[Optional[np.ndarray]] = list(data)
        fault = None
        if not wire.is_finite(data):
            rows = [row if wire.is_finite(row) else None for row in data]
            bad = next(b for b, row in enumerate(rows) if row is None)
            where = f"environment {bad}: " if self._outer else ""
            fault = where + self._check.describe_nonfinite(data[bad], trajectory.policy_info)
        step_types, following = (wire.leaf(data, i).tolist() for i in (self._step, self._next))
        costs = [0.0] * len(rows) if self._cost is None else wire.leaf(data, self._cost).tolist()
        self._held.append(Frames(rows, step_types, following, costs))
        if fault is not None or len(self._held) >= self._write_every:
            self.drain()
        if fault is not None:
            raise ReplayFault(fault)

    def drain(self) -> None:
        """Writes the frames held back by `write_every`.

        Raises:
          ReplayTimeout: if the server does not take what is due. Frames that were still held are dropped, and all
            open episodes.
        """
        held, self._held = self._held, []
        for frames in held:
            self._writer.write(frames)

    @property
    def batch_size(self) -> int:
        """Environments that write."""
        return self._writer.batch_size

    @property
    def oldest_frame(self) -> Optional[int]:
        """Number of the first frame that a window to come may hold; of a `LocalReplay` only."""
        return self._writer.oldest_frame

    @property
    def written(self) -> int:
        """Windows written so far; they can be sampled after `flush`."""
        return self._writer.written

    def flush(self, timeout_s: Optional[float] = None) -> None:
        """Waits until every written window can be sampled.

        Args:
          timeout_s: How long; the replay's `deadline_s` by default.

        Raises:
          ReplayTimeout: if it took longer.
        """
        self.drain()
        self._writer.flush(timeout_s)

    def discard(self) -> None:
        """Drops the open episodes, as after a crash of the environment."""
        try:
            self.drain()
        finally:
            self._writer.discard()

    def reset(self, write_cached_steps: bool = True) -> None:
        """Ends the open episodes: TF-Agents' name for `discard`.

        Args:
          write_cached_steps: Has no effect: each window was written when it filled, and
            the frames of an unfinished one make no item.
        """
        del write_cached_steps
        self.discard()

    def use(self, client: Any) -> None:
        """Goes on with another client; episodes that are open are dropped."""
        self.drain()
        self._writer.use(client)

    def get_state(self) -> dict[str, Any]:
        """Returns the open episodes; of a `LocalReplay` only."""
        self.drain()
        return self._writer.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on with the episodes that `get_state` told of.

        Raises:
          ReplayFault: if they are of another number of environments, or of a version that kept them otherwise.
        """
        if "episodes" not in state:
            raise ReplayFault("observer: saved in another form, by another version of this package; go on with that")
        if len(state["episodes"]) != self.batch_size:
            raise ReplayFault(f"observer: saved for {len(state['episodes'])} environments, now {self.batch_size}")
        self._writer.set_state(state)

    def close(self) -> None:
        """Sends what is pending and closes the writer; a later frame opens it again.

        Raises:
          ReplayTimeout: if the server does not take what is pending.
        """
        try:
            self.drain()
        finally:
            self._writer.close()
