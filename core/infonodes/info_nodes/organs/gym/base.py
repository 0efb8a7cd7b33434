"""What the sensors and actuators of all gym spaces share."""
from __future__ import annotations

import abc
import itertools
import math
from typing import Mapping, Optional

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tree
from tf_agents.specs import tensor_spec

from infonodes.info_nodes.info_node import SCALAR, InfoNode
from infonodes.info_nodes.rows import pick_target
from infonodes.packing import outer_shape, reshape_tail
from infonodes.types import ENVIRONMENT, GraphError, Nest, Spec, State, Target, Tick, leaf_key

TYPES = ("sensor", "actuator")
# More choices than this are no choices but a number that wants another encoding.
MAX_CHOICES = 4096


class GymSpaceNode(InfoNode):
    """One leaf of the observation (a sensor) or of the action (an actuator), as floats.

    A **sensor** sees the environment's observation, keeps it encoded, says it, and costs
    nothing. An **actuator** is a control: it sees what is asked of it, keeps and says what
    it did at the last tick (an efference copy), and costs nothing. A row that is asked for
    nothing does the rest action, zeros clipped into the bounds; `Modes.collect ==
    'random'` (unless greedy) makes it deaf, and it acts uniformly at random.

    ```
    state     {'value': [signal_size], 'cost': []}
    decision  sensor: ()          actuator: {'value': [control_size]}
    ```

    Subclasses override the encoding of one value: `_encode`, `_decode`, `_sample`.

    Attributes:
      type: `sensor` or `actuator`.
      key: Path of the leaf in its nest as `leaf_key` writes it; `''` is a bare leaf.
      spec: The leaf's `tf.TensorSpec`; an actuator's `target_spec`.
      low: Least values, float64 of the leaf's shape, -inf where there is no bound.
      high: Greatest values, the same.
    """

    def __init__(
        self,
        spec: tf.TensorSpec,
        type: str,  # pylint: disable=redefined-builtin
        key: str,
        name: str,
        size: int,
        blocks: tuple[int, ...] = (),
    ):
        """Builds the shared part.

        Args:
          spec: Of the leaf, without outer dimensions.
          type: `sensor` or `actuator`.
          key: Path of the leaf.
          name: Name of the node.
          size: Width of the encoding.
          blocks: Widths of its one-hot blocks, if it is made of any.

        Raises:
          GraphError: for an unknown type.
        """
        if type not in TYPES:
            raise GraphError(f"node {name!r}: type={type!r}, expected one of {TYPES}")
        sensor = type == "sensor"
        super().__init__(
            name,
            parent_names=(ENVIRONMENT,) if sensor else (),
            control_names=() if sensor else (ENVIRONMENT,),
        )
        self.type = type
        self.key = key
        self.spec = spec
        self.low, self.high = spec_bounds(spec)
        self.signal_size = size
        self.blocks = blocks
        value = tf.TensorSpec([size], tf.float32)
        self.state_spec = {"value": value, "cost": SCALAR}
        if not sensor:
            self.control_size = size
            self.target_spec = spec
            self.decision_spec = {"value": value}
            rest = np.clip(np.zeros(spec.shape), self.low, self.high)
            self._rest = rest.astype(spec.dtype.as_numpy_dtype)

    # -- the tick ------------------------------------------------------------------

    def _bottom_up(self, parent_states: Mapping[str, State], state: State, tick: Tick) -> State:
        if self.type == "actuator":
            return state
        leaf = self.observed(parent_states[ENVIRONMENT]["observation"])
        return {"value": self._perceived(leaf), "cost": tf.zeros(outer_shape(leaf, 1))}

    def _top_down(
        self,
        targets: Mapping[str, Target],
        parent_states: Mapping[str, State],
        state: State,
        tick: Tick,
    ) -> tuple[dict[str, Target], State]:
        if self.type == "sensor":
            return {}, state
        batch = outer_shape(state["cost"], 1)
        picked = pick_target(targets, tick.seed)
        if tick.modes.collect == "random" and not tick.modes.greedy:
            value, valid = self._decode(self._sample(batch, tick.seed)), tf.ones(batch, tf.bool)
        else:
            value = tf.broadcast_to(tf.constant(self._rest), batch + list(self._rest.shape))
            valid = tf.zeros(batch, tf.bool)
            if picked is not None:
                mask = tf.reshape(picked.valid, batch + [1] * len(self.spec.shape))
                value, valid = tf.where(mask, self._clip(picked.value), value), picked.valid
        after = {"value": self._encode(value), "cost": tf.zeros(batch)}
        return {ENVIRONMENT: Target(value, valid)}, after

    def _decision(self, state: State) -> Nest:
        return {"value": state["value"]} if self.type == "actuator" else ()

    def _signal(self, state: State) -> tf.Tensor:
        return state["value"]

    def _executed(self, state: State) -> tf.Tensor:
        return state["value"]

    # -- one value -------------------------------------------------------------------

    @abc.abstractmethod
    def _encode(self, target: tf.Tensor) -> tf.Tensor:
        """Returns `[..., *leaf shape]` as floats `[..., size]`."""

    @abc.abstractmethod
    def _decode(self, control: tf.Tensor) -> tf.Tensor:
        """Returns the legal value nearest to `[..., size]`, `[..., *leaf shape]`."""

    @abc.abstractmethod
    def _sample(self, outer: list, seed: tf.Tensor) -> tf.Tensor:
        """Returns encodings of uniformly drawn values, `[*outer, size]`."""

    def _perceived(self, observation: tf.Tensor) -> tf.Tensor:
        """Returns what a sensor makes of its leaf `[B, *leaf shape]`: `[B, size]`."""
        return self._encode(observation)

    def _every(self, count: int) -> Optional[np.ndarray]:
        """Returns all encodings there are, `[N, size]`, or None if more than `count`."""
        del count
        return None

    def _candidates(self, state: State, count: int, seed: tf.Tensor) -> tf.Tensor:
        batch = outer_shape(state["cost"], 1)
        every = self._every(count)
        if every is None:
            return self._sample(batch + [count], seed)
        return tf.broadcast_to(tf.constant(every, tf.float32), batch + list(every.shape))

    # -- help for subclasses -----------------------------------------------------------

    def observed(self, observation: Nest) -> tf.Tensor:
        """Returns this node's leaf of the observation nest.

        Raises:
          GraphError: naming the leaves there are, if there is none at `key`.
        """
        leaves = {leaf_key(p): leaf for p, leaf in tree.flatten_with_path(observation)}
        if self.key not in leaves:
            raise GraphError(
                f"node {self.name!r} reads the observation at {self.key!r}, and it has the leaves "
                f"{sorted(leaves)}; set key to one of them"
            )
        return leaves[self.key]

    def _flat(self, value: tf.Tensor) -> tf.Tensor:
        """Returns `[..., *leaf shape]` as `[..., elements]`."""
        outer = outer_shape(value, value.shape.rank - len(self.spec.shape))
        return tf.reshape(value, outer + [math.prod(self.spec.shape)])

    def _unflat(self, flat: tf.Tensor) -> tf.Tensor:
        """Returns `[..., elements]` as `[..., *leaf shape]`."""
        return reshape_tail(flat, self.spec.shape.as_list())

    def _counted(self, target: tf.Tensor) -> tf.Tensor:
        """Returns integers `[..., *leaf shape]` counted from their least value, int64.

        In int64, since the distance of two of an int8 need not be one.
        """
        return tf.cast(target, tf.int64) - tf.constant(self.low.astype(np.int64))

    def _uncounted(self, count: tf.Tensor) -> tf.Tensor:
        """Returns the leaf's values of what is counted from the least, int64 `[..., *leaf shape]`."""
        return tf.cast(count + tf.constant(self.low.astype(np.int64)), self.spec.dtype)

    def _clip(self, value: tf.Tensor) -> tf.Tensor:
        """Returns `[..., *leaf shape]` within the leaf's bounds."""
        dtype = self.spec.dtype
        if dtype == tf.bool:
            return value
        limits = dtype.min, dtype.max
        low = np.clip(self.low, *limits).astype(dtype.as_numpy_dtype)
        high = np.clip(self.high, *limits).astype(dtype.as_numpy_dtype)
        return tf.minimum(tf.maximum(value, low), high)


def spec_bounds(spec: Spec) -> tuple[np.ndarray, np.ndarray]:
    """Returns least and greatest values of a leaf, float64 of its shape; ±inf for none."""
    low: npt.ArrayLike
    high: npt.ArrayLike
    if spec.dtype == tf.bool:
        low, high = 0.0, 1.0
    elif isinstance(spec, tensor_spec.BoundedTensorSpec):
        low, high = spec.minimum, spec.maximum
    else:
        low, high = -np.inf, np.inf
    shape = spec.shape.as_list()
    whole = lambda x: np.broadcast_to(np.asarray(x, np.float64), shape).copy()
    return whole(low), whole(high)


def of_bits(spec: Optional[Spec]) -> bool:
    """Returns whether all numbers of a leaf take two neighbouring whole values, or true and false."""
    if not isinstance(spec, tf.TensorSpec) or not (spec.dtype.is_bool or spec.dtype.is_integer):
        return False
    low, high = spec_bounds(spec)
    return bool(np.all(high - low == 1.0))


def choices(node: str, key: str, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Returns how many integers there are from `low` to `high`, flat int64.

    Raises:
      GraphError: if they are unbounded or too many for one-hot codes.
    """
    counts = np.ravel(high - low + 1)
    if not np.all(np.isfinite(counts)) or np.any(counts < 1) or counts.sum() > MAX_CHOICES:
        raise GraphError(
            f"node {node!r}: integer leaf {key!r} takes {counts.sum():.6g} values, from "
            f"{low.tolist()} to {high.tolist()}; expected bounds that leave 1 to {MAX_CHOICES} in "
            "all, for one-hot codes. Bound it in the environment's spec, or wrap the environment "
            "to give it as floats"
        )
    return counts.astype(np.int64)


def product(parts: list[np.ndarray], count: int) -> Optional[np.ndarray]:
    """Returns all joinings of one row a part, `[N, sum of widths]`, or None if N > count."""
    if math.prod(len(p) for p in parts) > count:
        return None
    return np.stack([np.concatenate(rows) for rows in itertools.product(*parts)])
