"""What replays share: a server or its address, an observer, a dataset, deadlines."""
from __future__ import annotations

import abc
import time
from typing import Any, Optional

import reverb
import tensorflow as tf
import tree

from infonodes.replay import faults, table_files
from infonodes.replay.faults import ReplayFault, ReplayTimeout
from infonodes.replay.frames import Explain, FrameCheck
from infonodes.replay.observer import ReplayObserver
from infonodes.replay.windows import WindowWriter
from infonodes.types import Spec
from infonodes.wire import Wire

# A table of 100,000 windows takes seconds to write or load.
_SAVING_S = 120.0


class Replay(abc.ABC):
    """One Reverb table of fixed-length windows, on a server of its own or elsewhere.

    Security: a Reverb server listens on every network interface and knows no
    authentication; whoever reaches the port can read, change and wipe the table. Keep it
    behind a firewall or in a network namespace, and connect only to addresses you trust.

    Every wait has a deadline, except for two inside TensorFlow's graphs: the next element
    of a dataset, and an update of priorities. On a server that died they wait for ever, and
    so does a dataset that outlives `close`; `check` tells, from another thread.

    Attributes:
      data_spec: Trajectory of specs of one frame.
      sequence_length: Frames in a window.
      table_name: Name of the table.
      server: The embedded server, or None.
      address: `host:port` of the server.
      py_client: Its Python client.
    """

    _is_queue = False

    def __init__(
        self,
        data_spec: Spec,
        sequence_length: int,
        max_size: int,
        stride: int,
        pad: bool,
        table_name: str,
        min_size: int,
        server: Optional[reverb.Server],
        address: Optional[str],
        deadline_s: float,
        checkpoint_dir: Optional[str] = None,
    ):
        """Starts or connects to the server; see the subclasses for the arguments.

        Raises:
          ReplayFault: if the server at `address` has no such table, or another one.
          ReplayTimeout: if it does not answer.
        """
        if sequence_length < 1 or stride < 1:
            raise ReplayFault(
                f"replay: expected sequence_length and stride of 1 or more, got "
                f"{sequence_length} and {stride}"
            )
        if server is not None and address is not None:
            raise ReplayFault(
                "replay: got both server and address; pass the one that has the table"
            )
        self.data_spec = data_spec
        self._wire = Wire(data_spec)
        self.sequence_length = sequence_length
        self.table_name = table_name
        self.deadline_s = deadline_s
        self._stride = stride
        self._pad = pad
        self._observers: list[ReplayObserver] = []
        self._is_own_server = server is None and address is None
        self.server = server
        self._sizes = (max_size, min_size)
        self._files: Optional[table_files.TableFiles] = None
        if self._is_own_server:
            self._files = table_files.TableFiles(checkpoint_dir)
            self._start()
        if address is None:
            assert self.server is not None
            address = f"localhost:{self.server.port}"
        self._connect(address)
        if not self._is_own_server:
            self._check_table(self.make_table(max_size, min_size))

    # -- tables and datasets differ ------------------------------------------------------

    @abc.abstractmethod
    def make_table(self, max_size: int, min_size: int) -> reverb.Table:
        """Returns a fresh table of this kind, for a server of your own."""

    @abc.abstractmethod
    def dataset(self, batch_size: int, prefetch: int = 2) -> tf.data.Dataset:
        """Returns batches `(Trajectory [B, L, ...], reverb.SampleInfo [B])`."""

    def _insert_priority(self, mean_cost: float) -> float:
        """Returns what to store for a window of this cost."""
        del mean_cost
        return 1.0

    # -- what users call -----------------------------------------------------------------

    def observer(
        self, batch_size: Optional[int] = None, explain: Optional[Explain] = None, write_every: int = 1
    ) -> ReplayObserver:
        """Returns an observer for one driver or actor.

        Args:
          batch_size: B of a batched environment, whose rows become separate episodes;
            None for an environment without batch dimension.
          explain: Takes the `policy_info` of a frame that is not finite and says which
            node is to blame, for the message.
          write_every: Frames that are checked as they come and written together, which takes a third of
            the time; `PackedDriver` writes the rest at the end of a run, `flush` and `close` do too.

        Raises:
          ReplayFault: if write_every is below 1.
        """
        if write_every < 1:
            raise ReplayFault(f"observer: write_every: expected 1 or more, got {write_every}")
        check = FrameCheck(self.data_spec, explain)
        observer = ReplayObserver(check, self._make_writer, batch_size, write_every)
        self._observers.append(observer)
        return observer

    @property
    def size(self) -> int:
        """Windows in the table now."""
        return self._table_info(self.deadline_s).current_size

    def check(self, timeout_s: Optional[float] = None) -> None:
        """Raises ReplayTimeout unless the server answers within `timeout_s`."""
        self._table_info(self.deadline_s if timeout_s is None else timeout_s)

    def wait_for(self, n: int, timeout_s: float = 60.0) -> None:
        """Waits until the table holds `n` windows.

        Args:
          n: How many; 1 or more.
          timeout_s: How long to wait.

        Raises:
          ReplayTimeout: if it took longer.
        """
        end = time.monotonic() + timeout_s
        while True:
            size = self._table_info(max(min(self.deadline_s, timeout_s), 0.1)).current_size
            if size >= n:
                return
            if time.monotonic() >= end:
                raise ReplayTimeout(
                    f"table {self.table_name!r} at {self.address}: expected {n} windows within "
                    f"{timeout_s:g} s, got {size}; is anything collecting, and are episodes "
                    f"as long as a window ({self.sequence_length} frames)?"
                )
            time.sleep(0.02)

    def clear(self) -> None:
        """Removes every window; those that a running dataset prefetched are still to come.

        Raises:
          ReplayTimeout: if the server does not answer.
        """
        self._within(lambda: self.py_client.reset(self.table_name), "clearing a table")

    def close(self) -> None:
        """Closes the observers and stops the embedded server; safe to call twice."""
        observers, self._observers = self._observers, []
        try:
            for observer in observers:
                observer.close()
        finally:
            if self._is_own_server and self.server is not None:
                server, self.server = self.server, None
                self._within(server.stop, "stopping")
            if self._files is not None:
                self._files.close()

    # -- checkpoints -----------------------------------------------------------------------

    def save(self, folder: str) -> None:
        """Writes the table, as Reverb does; open episodes are not in it.

        Args:
          folder: An empty one.

        Raises:
          OSError: if the disk does not take it.
          ReplayFault: if the server is not this object's own.
          ReplayTimeout: if the server does not answer.
        """
        files = self._own_files("save")
        for observer in self._observers:
            observer.flush()
        # As counted in the files: meanwhile another thread may write, and a dataset takes windows out of a queue.
        size = files.write(self.py_client, _SAVING_S, folder)[self.table_name]
        table_files.write_state(folder, {"size": size, **self._state()})

    def load(self, folder: str) -> None:
        """Starts the server anew with what `save` wrote; its address changes.

        Call it before the first dataset is opened: those of the old server wait for ever.
        Observers go on with new episodes.

        Raises:
          ReplayFault: if the table saved has another signature, size or sampler, does not
            load, or holds another number of windows than were saved.
        """
        files, state = self._own_files("load"), table_files.read_state(folder)
        for observer in self._observers:
            observer.close()
        files.give(folder)
        assert self.server is not None
        server, self.server = self.server, None
        self._within(server.stop, "stopping")
        try:
            faults.within(_SAVING_S, self._start, self.address, "loading a checkpoint")
        except (RuntimeError, ValueError) as error:
            raise ReplayFault(f"{folder!r}: Reverb does not load it: {error}") from error
        server = self.server
        assert server is not None
        self._connect(f"localhost:{server.port}")
        for observer in self._observers:
            observer.use(self.py_client)
        # What was saved wins over what is asked for, and Reverb does not say so.
        self._check_table(self.make_table(*self._sizes), strict=True)
        if self.size != state["size"]:
            raise ReplayFault(f"{folder!r}: {self.size} windows were loaded, {state['size']} were saved")
        self._set_state(state)

    def __enter__(self) -> "Replay":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    # -- for subclasses --------------------------------------------------------------------

    def _signature(self) -> Spec:
        """Returns what a window is to Reverb: bytes, and a name that tells what they are."""
        return {"frames": tf.TensorSpec([self.sequence_length, self._wire.size], tf.uint8, self._wire.contents)}

    def _samples(self, workers: int, in_flight: int, stop_after_s: Optional[float] = None
                 ) -> tf.data.Dataset:
        """Returns a dataset of single `reverb.ReplaySample`s; the wire decodes their `data['frames']`."""
        frames = self._signature()["frames"]
        return reverb.TrajectoryDataset(
            self.address,
            self.table_name,
            dtypes={"frames": frames.dtype},
            shapes={"frames": frames.shape},
            max_in_flight_samples_per_worker=in_flight,
            num_workers_per_iterator=workers,
            rate_limiter_timeout_ms=-1 if stop_after_s is None else int(stop_after_s * 1000),
        )

    def _within(self, call: Any, doing: str) -> Any:
        return faults.within(self.deadline_s, call, self.address, doing)

    def _state(self) -> dict[str, Any]:
        """Returns what belongs to the table and Reverb does not keep, for JSON."""
        return {}

    def _set_state(self, state: dict[str, Any]) -> None:
        """Puts it back."""
        del state

    def _connect(self, address: str) -> None:
        """Makes the clients."""
        self.address = address
        self.py_client = reverb.Client(address)

    # -- private -----------------------------------------------------------------------------

    def _start(self) -> None:
        assert self._files is not None
        self.server = reverb.Server([self.make_table(*self._sizes)], checkpointer=self._files.checkpointer)

    def _own_files(self, doing: str) -> table_files.TableFiles:
        if self._files is None or self.server is None:
            raise ReplayFault(
                f"replay at {self.address}: {doing}: expected an embedded server, got one of somebody else's or a "
                "closed one; whoever runs the server keeps its checkpoints"
            )
        return self._files

    def _make_writer(self, batch_size: int) -> WindowWriter:
        return WindowWriter(
            self.py_client,
            batch_size,
            self.table_name,
            self.sequence_length,
            self._stride,
            self._pad,
            self._insert_priority,
            self.deadline_s,
            hold_back=self._is_queue,
        )

    def _table_info(self, timeout_s: float) -> Any:
        try:
            tables = self.py_client.server_info(timeout=max(1, round(timeout_s)))
        except (reverb.errors.ReverbError, RuntimeError) as error:
            raise faults.no_answer(self.address, timeout_s, "asked for its tables") from error
        if self.table_name not in tables:
            raise ReplayFault(
                f"server at {self.address}: expected a table {self.table_name!r}, got "
                f"{sorted(tables)}; pass table_name, or serve this replay's make_table(...)"
            )
        return tables[self.table_name]

    def _check_table(self, expected: reverb.Table, strict: bool = False) -> None:
        """Refuses a table that would fail later, in the learner; or differs at all."""
        found, wanted = self._table_info(self.deadline_s), expected.info
        leaves = lambda nest: [(s.name, tuple(s.shape), s.dtype.name) for s in tree.flatten(nest)]
        compared = {
            "signature": (leaves(wanted.signature), leaves(found.signature or ())),
            "sampler": (str(wanted.sampler_options), str(found.sampler_options)),
            "max_times_sampled": (wanted.max_times_sampled, found.max_times_sampled),
        }
        if strict:
            limits = lambda r: (r.samples_per_insert, r.min_diff, r.max_diff, r.min_size_to_sample)
            compared.update({
                "max_size": (wanted.max_size, found.max_size),
                "remover": (str(wanted.remover_options), str(found.remover_options)),
                "rate limiter": (limits(wanted.rate_limiter_info), limits(found.rate_limiter_info)),
            })
        for what, (want, got) in compared.items():
            if want != got:
                raise ReplayFault(
                    f"table {self.table_name!r} at {self.address}: {what}: expected {want}, got "
                    f"{got}; start that server with this replay's make_table(...), from the "
                    "same data spec and sequence_length"
                )
