"""The observer that drivers and actors call at every step."""
from __future__ import annotations

from typing import Any, Callable, Optional

from tf_agents.trajectories import trajectory as trajectory_lib

from infonodes.replay.faults import ReplayFault
from infonodes.replay.frames import FrameCheck
from infonodes.replay.windows import WindowWriter


class ReplayObserver:
    """Writes what a `PyDriver` or `Actor` sees to a replay; one observer a driver.

    Non-finite or ill-shaped frames are refused before anything of them is written; see
    `WindowWriter` for how episodes are cut.

    Attributes:
      writers: One an environment.
    """

    def __init__(
        self,
        check: FrameCheck,
        make_writer: Callable[[], WindowWriter],
        batch_size: Optional[int] = None,
        write_every: int = 1,
    ):
        """Opens a writer for each environment.

        Args:
          check: Checks frames and turns them into bytes.
          make_writer: Returns a writer.
          batch_size: B of a batched environment; None if frames have no batch dimension.
          write_every: Frames that are checked before they are written together.
        """
        self._check = check
        self._write_every = write_every
        self._held: list[tuple] = []
        self._batch_size = batch_size
        self.writers = [make_writer() for _ in range(batch_size or 1)]
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
        outer = () if self._batch_size is None else (self._batch_size,)
        try:
            data = self._check.encode(trajectory, outer)
        except ReplayFault:
            self.discard()
            raise
        step_type, following = (self._check.wire.leaf(data, i) for i in (self._step, self._next))
        cost = None if self._cost is None else self._check.wire.leaf(data, self._cost)
        all_finite = self._check.wire.is_finite(data)
        fault = None
        for b, writer in enumerate(self.writers):
            at: Any = b if outer else ()
            row = data[at]
            if all_finite or self._check.wire.is_finite(row):
                self._held.append((
                    writer, row, int(step_type[at]), int(following[at]), 0.0 if cost is None else float(cost[at])
                ))
                continue
            self._held.append((writer,))
            where = f"environment {b}: " if outer else ""
            fault = fault or where + self._check.describe_nonfinite(row, trajectory.policy_info)
        if fault is not None or len(self._held) >= self._write_every * len(self.writers):
            self.drain()
        if fault is not None:
            raise ReplayFault(fault)

    def drain(self) -> None:
        """Writes the frames held back by `write_every`.

        Raises:
          ReplayTimeout: if the server does not take what is due. Episodes whose frames were still held are dropped.
        """
        held, self._held = self._held, []
        for i, (writer, *frame) in enumerate(held):
            if not frame:  # Its next one was not finite.
                writer.discard()
                continue
            try:
                writer.write(*frame)
            except BaseException:
                for later, *_ in held[i:]:
                    later.discard()
                raise

    @property
    def written(self) -> int:
        """Windows written so far; they can be sampled after `flush`."""
        return sum(writer.written for writer in self.writers)

    def flush(self, timeout_s: Optional[float] = None) -> None:
        """Waits until every written window can be sampled.

        Args:
          timeout_s: How long; the replay's `deadline_s` by default.

        Raises:
          ReplayTimeout: if it took longer.
        """
        self.drain()
        for writer in self.writers:
            writer.flush(timeout_s)

    def discard(self) -> None:
        """Drops the open episodes, as after a crash of the environment."""
        try:
            self.drain()
        finally:
            for writer in self.writers:
                writer.discard()

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
        for writer in self.writers:
            writer.use(client)

    def get_state(self) -> list[Any]:
        """Returns the open episodes; of a `LocalReplay` only."""
        self.drain()
        return [writer.get_state() for writer in self.writers]

    def set_state(self, state: list[Any]) -> None:
        """Goes on with the episodes that `get_state` told of.

        Raises:
          ReplayFault: if they are of another number of environments.
        """
        if len(state) != len(self.writers):
            raise ReplayFault(f"observer: saved for {len(state)} environments, now {len(self.writers)}")
        for writer, saved in zip(self.writers, state):
            writer.set_state(saved)

    def close(self) -> None:
        """Sends what is pending and closes the writers; a later frame opens them again.

        Raises:
          ReplayTimeout: if the server does not take what is pending.
        """
        fault = None
        for end in (self.drain, *[writer.close for writer in self.writers]):
            try:
                end()
            except ReplayFault as error:
                fault = fault or error
        if fault is not None:
            raise fault
