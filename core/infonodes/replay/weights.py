"""A policy's weights over the wire: one flat tensor a dtype, checked before they are used."""
from __future__ import annotations

import hashlib
import time
from typing import Any, NamedTuple, Sequence

import numpy as np
import reverb
import tensorflow as tf
from tf_agents.experimental.distributed import reverb_variable_container

from infonodes.eager_leak import plug
from infonodes.packing import Packer
from infonodes.replay import faults
from infonodes.replay.faults import ReplayFault
from infonodes.types import Nest, Spec

TABLE = reverb_variable_container.DEFAULT_TABLE
# No weight of a net that learns is near this; a forged or diverged one is.
MAX_NORM = 1e6


class Published(NamedTuple):
    """What came with weights.

    Attributes:
      step: The learner's train step when it published them.
      time_s: When that was, in seconds since the epoch.
    """

    step: int
    time_s: float


class WeightsFormat:
    """How the weights of one kind of policy look on the wire.

    ```
    {'weights': {dtype: [size]}, 'fingerprint': int64 [], 'step': int64 [], 'time_s': float64 []}
    ```

    A thousand variables cost as much as one: Reverb stores a column a leaf, at 0.04 to 0.1 ms
    each. The fingerprint is of the variables' shapes and dtypes in their order, so that
    weights of another architecture are told from these even if they are as many.

    Attributes:
      signature: Of the table that holds them.
    """

    def __init__(self, variables: Sequence[tf.Variable], max_norm: float = MAX_NORM):
        """Takes the shapes of `variables`.

        Args:
          variables: The policy's, in its own order.
          max_norm: The largest global norm of the floating-point weights that is accepted.

        Raises:
          ReplayFault: if there is none.
        """
        if not variables:
            raise ReplayFault("weights: the policy has no variable; there is nothing to publish")
        specs = tuple(tf.TensorSpec(v.shape, v.dtype) for v in variables)
        self._packer = Packer(specs)
        self._max_norm = max_norm
        text = ";".join(f"{spec.dtype.name}{spec.shape.as_list()}" for spec in specs)
        digest = hashlib.sha256(text.encode()).digest()
        self._fingerprint = int.from_bytes(digest[:8], "little", signed=True)
        leaf = lambda s: tf.TensorSpec(s.shape, s.dtype)
        self.signature: Spec = {
            "weights": {d: leaf(s) for d, s in self._packer.packed_spec.items()},
            "fingerprint": tf.TensorSpec([], tf.int64),
            "step": tf.TensorSpec([], tf.int64),
            "time_s": tf.TensorSpec([], tf.float64),
        }

    def make_table(self, name: str = TABLE) -> reverb.Table:
        """Returns the table of one item that a server holds for the weights."""
        return reverb.Table(
            name,
            sampler=reverb.selectors.Uniform(),
            remover=reverb.selectors.Fifo(),
            max_size=1,
            rate_limiter=reverb.rate_limiters.MinSize(1),
            signature=self.signature,
        )

    def pack(self, variables: Sequence[tf.Variable]) -> dict[str, tf.Tensor]:
        """Returns the variables' values as `{dtype: [size]}`."""
        return self._packer.pack(tuple(v.read_value() for v in variables))

    def unpack(self, packed: dict[str, tf.Tensor]) -> tuple:
        """Returns the variables' values in their order."""
        return self._packer.unpack(packed)

    def message(self, packed: dict[str, tf.Tensor], step: int) -> Nest:
        """Returns what is stored for `packed` weights of train step `step`."""
        # From arrays: TensorFlow keeps a tensor of each Python number that it ever converted.
        return {
            "weights": packed,
            "fingerprint": tf.constant(np.array(self._fingerprint, np.int64)),
            "step": tf.constant(np.array(step, np.int64)),
            "time_s": tf.constant(np.array(time.time(), np.float64)),
        }

    def check(self, message: Nest, source: str) -> Published:
        """Checks what came over the wire, before any of it is used.

        Args:
          message: As `message` makes them.
          source: Where it came from, for errors.

        Returns:
          What came with the weights.

        Raises:
          ReplayFault: if they are of another architecture, not finite, or too large.
        """
        if int(message["fingerprint"]) != self._fingerprint:
            raise ReplayFault(
                f"weights from {source}: they are of another architecture (expected fingerprint "
                f"{self._fingerprint}, got {int(message['fingerprint'])}); start learner and collectors "
                "from the same config"
            )
        total = 0.0
        for dtype, values in message["weights"].items():
            values = np.asarray(values)
            if values.dtype.kind != "f":
                continue
            bad = np.flatnonzero(~np.isfinite(values))
            if bad.size:
                raise ReplayFault(
                    f"weights from {source}: {bad.size} of {values.size} {dtype} numbers are not finite, the "
                    f"first at {bad[0]}; the old weights stay; look at the learner's losses"
                )
            total += float(np.square(values, dtype=np.float64).sum())
        if total**0.5 > self._max_norm:
            raise ReplayFault(
                f"weights from {source}: expected a norm of at most {self._max_norm:g}, got {total ** 0.5:g}; "
                "the old weights stay; look at the learner's losses, or raise max_norm"
            )
        return Published(int(message["step"]), float(message["time_s"]))


class WeightsChannel:
    """Publishes or takes a policy's weights through a Reverb server, with deadlines.

    It wraps TF-Agents' `ReverbVariableContainer`, whose calls wait for ever on a dead server.
    After a `ReplayTimeout`, `connect` anew: the thread that waits is left behind.
    """

    def __init__(
        self,
        variables: Sequence[tf.Variable],
        address: str,
        deadline_s: float = 10.0,
        max_norm: float = MAX_NORM,
        table: str = TABLE,
    ):
        """Connects.

        Args:
          variables: The policy's. Both ends list them in the same order.
          address: `host:port` of a server you trust: it decides what the agent does.
          deadline_s: How long any call waits.
          max_norm: See `WeightsFormat`.
          table: Name of the table.

        Raises:
          ReplayFault: if the server's table is for other weights.
          ReplayTimeout: if the server does not answer.
        """
        self._variables = list(variables)
        self._deadline_s, self._table = deadline_s, table
        self._format = WeightsFormat(self._variables, max_norm)
        # Concrete, as a tf.function looks at each variable that it captured, at each call.
        pack = tf.function(lambda: self._format.pack(self._variables), autograph=False)
        self._pack = pack.get_concrete_function()
        assign = tf.function(self._assign_packed, autograph=False)
        self._assign = assign.get_concrete_function(self._format.signature["weights"])
        self.connect(address)

    def connect(self, address: str) -> None:
        """Leaves the server it was connected to, if any, for the one at `address`.

        Args:
          address: See the constructor.

        Raises:
          ReplayFault: if the server's table is for other weights.
          ReplayTimeout: if the server does not answer.
        """
        self._address = address
        table = self._table
        make = lambda: reverb_variable_container.ReverbVariableContainer(address, (table,))
        try:
            self._container = self._within(make, "connecting for weights")
        except ReplayFault:
            raise
        except (reverb.errors.ReverbError, RuntimeError) as error:
            raise faults.no_answer(address, self._deadline_s, "connecting for weights") from error
        except (KeyError, ValueError, TypeError) as error:
            raise ReplayFault(
                f"server at {address}: its table {table!r} does not hold weights ({error}); serve "
                "WeightsFormat.make_table()"
            ) from error
        # Eager tensors made on the way leak, see `plug`; in a graph there are none.
        pull, push = lambda: self._container.pull(table), lambda message: self._container.push(message, table)
        self._pull = tf.function(pull, autograph=False).get_concrete_function()
        self._push = tf.function(push, autograph=False).get_concrete_function(self._format.signature)

    @property
    def is_published(self) -> bool:
        """Whether the server has weights; a `pull` before that waits until its deadline.

        Raises:
          ReplayTimeout: if the server does not answer.
        """
        tables = self._tables("looking for weights")
        return self._table in tables and tables[self._table].current_size > 0

    def publish(self, step: int) -> None:
        """Publishes the variables' values.

        Args:
          step: The learner's train step.

        Raises:
          ReplayFault: if they are not fit to be used, or not what the table holds.
          ReplayTimeout: if the server does not answer.
        """
        message = plug(self._format.message(self._pack(), step))
        self._format.check(message, "this learner")
        try:
            self._within(lambda: self._push(message), "publishing weights")
        except tf.errors.OpError as error:
            raise self._fault(error, "publishing weights") from error

    def pull(self) -> tuple[Nest, Published]:
        """Returns the newest weights, checked, for `apply`; may run in a thread of its own.

        Raises:
          ReplayFault: if they do not pass the checks; the variables keep their values.
          ReplayTimeout: if the server does not answer, or nothing was published yet.
        """
        try:
            message = plug(self._within(self._pull, "pulling weights"))
        except tf.errors.OpError as error:
            raise self._fault(error, "pulling weights") from error
        expected = self._format.signature["weights"]
        found = {d: (v.dtype, v.shape) for d, v in message["weights"].items()}
        wanted = {d: (s.dtype, s.shape) for d, s in expected.items()}
        if found != wanted:
            raise ReplayFault(
                f"weights from {self._address}: expected {wanted}, got {found}; start learner and collectors from "
                "the same config"
            )
        return message["weights"], self._format.check(message, self._address)

    def apply(self, packed: Nest) -> None:
        """Gives the variables the values that `pull` returned."""
        self._assign(packed)

    def update(self) -> Published:
        """Pulls and applies; see `pull`."""
        packed, published = self.pull()
        self.apply(packed)
        return published

    def _assign_packed(self, packed: Nest) -> None:
        for variable, value in zip(self._variables, self._format.unpack(packed)):
            variable.assign(value)

    def _tables(self, doing: str) -> dict[str, Any]:
        """Returns what the server says of its tables, by name."""
        try:
            return reverb.Client(self._address).server_info(timeout=max(1, round(self._deadline_s)))
        except (reverb.errors.ReverbError, RuntimeError) as error:
            raise faults.no_answer(self._address, self._deadline_s, doing) from error

    def _fault(self, error: Exception, doing: str) -> ReplayFault:
        """Returns why a call failed: one that dies gives the same errors as one with another table, so it is asked."""
        leaves = lambda nest: [(tuple(s.shape), s.dtype.name) for s in tf.nest.flatten(nest)]
        found = self._tables(doing).get(self._table)
        if found is not None and leaves(found.signature or ()) == leaves(self._format.signature):
            return faults.no_answer(self._address, self._deadline_s, doing)
        return ReplayFault(
            f"weights at {self._address}: the table {self._table!r} is for other weights "
            f"({str(error).splitlines()[0][:200]}); start server, learner and collectors from the same config"
        )

    def _within(self, call: Any, doing: str) -> Any:
        return faults.within(self._deadline_s, call, self._address, doing)
