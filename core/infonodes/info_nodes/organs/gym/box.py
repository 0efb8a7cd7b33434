"""Floats: gym's Box."""
from __future__ import annotations

from typing import Optional, Union

import numpy as np
import tensorflow as tf

from infonodes.info_nodes.organs.gym.base import GymSpaceNode
from infonodes.info_nodes.organs.gym.normaliser import RunningNormaliser, RunningRange
from infonodes.info_nodes.rows import fold_time
from infonodes.packing import outer_shape
from infonodes.types import ENVIRONMENT, Experience, GraphError, State

NORMALIZE = ("auto", "bounds", "unit", "range", "running", None)


class BoxNode(GymSpaceNode):
    """Sees or does bounded or unbounded numbers, as a flat vector of floats.

    A sensor brings its observation to the range that networks like:

    | `normalize` | what comes out |
    | --- | --- |
    | `bounds` | the bounds as [-1, 1] |
    | `unit` | the bounds as [0, 1]; images: value / 255 |
    | `range` | each element by the greatest absolute value met, so that most are in [-1, 1] |
    | `running` | mean 0, variance 1 over the frames trained on, clipped to [-10, 10] |
    | `auto` | `unit` for uint8, `bounds` if no element's range exceeds `scale`, else `range` |
    | `None` | the numbers as they are |

    `running` and `range` move in `after_update` only: an agent that is not trained sees the raw
    numbers, clipped. An actuator always takes its bounds as [-1, 1]. Its candidates are an
    even grid over one dimension, else the rest action, each axis at its ends, and uniform
    samples.

    Attributes:
      normalize: Which of the above, `auto` resolved.
      normaliser: The running statistics of `running` and `range`, or None.
    """

    def __init__(
        self,
        spec: tf.TensorSpec,
        type: str = "sensor",  # pylint: disable=redefined-builtin
        key: str = "",
        name: str = "box",
        normalize: Optional[str] = "auto",
        scale: float = 100.0,
    ):
        """Builds the node.

        Args:
          spec: Any numeric leaf; an actuator's has finite bounds.
          type: `sensor` or `actuator`.
          key: Path of the leaf in its nest.
          name: Name of the node.
          normalize: See the table; an actuator does not read it.
          scale: Greatest range that `auto` takes by its bounds; a gym space such as
            CartPole's gives float32's largest number where it means unbounded.

        Raises:
          GraphError: for an unknown `normalize`, or bounds that are needed and not there.
        """
        size = int(np.prod(spec.shape.as_list(), dtype=np.int64))
        super().__init__(spec, type, key, name, size)
        with np.errstate(over="ignore"):
            widest = float(np.max(self.high - self.low, initial=0.0))
        self.normalize = _resolve(normalize, spec, widest, scale, name)
        if type == "actuator":
            self.normalize = "bounds"
        if self.normalize in ("bounds", "unit") and widest > 1e9:
            raise GraphError(
                f"node {name!r}: {type} of {key!r} needs finite bounds and got {spec}; "
                + ("bound the action in the environment's spec (a wrapper that clips it does)"
                   if type == "actuator" else "use normalize='running' or 'auto'")
            )
        self.normaliser: Optional[Union[RunningNormaliser, RunningRange]] = None
        if type == "sensor" and self.normalize in ("running", "range"):
            self.normaliser = RunningNormaliser(size) if self.normalize == "running" else RunningRange(size)
        if self.normalize in ("bounds", "unit"):
            # An element with one value only is encoded as the middle.
            self._middle = ((self.low + self.high) / 2).ravel().astype(np.float32)
            half = ((self.high - self.low) / 2).ravel().astype(np.float32)
            self._half = np.where(half > 0, half, 1.0).astype(np.float32)

    def _perceived(self, observation: tf.Tensor) -> tf.Tensor:
        flat = tf.cast(self._flat(observation), tf.float32)
        if self.normaliser is not None:
            return self.normaliser(flat)
        if self.normalize is None:
            return flat
        scaled = (flat - self._middle) / self._half
        return scaled if self.normalize == "bounds" else (scaled + 1.0) / 2.0

    def _after_update(self, experience: Experience, step: tf.Tensor) -> None:
        if self.normaliser is not None:
            # The state is normalised already; the parent holds what was seen.
            leaf = fold_time(self.observed(experience.parents[ENVIRONMENT]["observation"]))
            self.normaliser.update(tf.cast(self._flat(leaf), tf.float32))

    def _encode(self, target: tf.Tensor) -> tf.Tensor:
        flat = tf.cast(self._flat(target), tf.float32)
        return tf.clip_by_value((flat - self._middle) / self._half, -1.0, 1.0)

    def _decode(self, control: tf.Tensor) -> tf.Tensor:
        value = tf.clip_by_value(control, -1.0, 1.0) * self._half + self._middle
        if self.spec.dtype.is_integer:
            value = tf.round(value)
        return self._clip(tf.cast(self._unflat(value), self.spec.dtype))

    def _sample(self, outer: list, seed: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform(outer + [self.signal_size], seed, -1.0, 1.0)

    def _candidates(self, state: State, count: int, seed: tf.Tensor) -> tf.Tensor:
        batch = outer_shape(state["cost"], 1)
        if self.signal_size == 1:
            grid = np.linspace(-1.0, 1.0, count) if count > 1 else np.zeros(1)
            marks = grid[:, None]
        else:
            marks = self._landmarks(count // 2)
        fixed = tf.broadcast_to(tf.constant(marks, tf.float32), batch + list(marks.shape))
        rest = count - fixed.shape[len(batch)]
        return tf.concat([fixed, self._sample(batch + [rest], seed)], axis=1) if rest else fixed

    def _landmarks(self, count: int) -> np.ndarray:
        """Returns the rest action and each axis at its ends, as many as fit: `[<= count, U]`."""
        rest = np.clip((self._rest.ravel() - self._middle) / self._half, -1.0, 1.0)
        marks = [rest]
        for axis in range(min(self.signal_size, count // 2)):
            for end in (-1.0, 1.0):
                mark = rest.copy()
                mark[axis] = end
                marks.append(mark)
        return np.stack(marks)[:count]


def _resolve(
    normalize: Optional[str], spec: tf.TensorSpec, widest: float, scale: float, name: str
) -> Optional[str]:
    if normalize not in NORMALIZE:
        raise GraphError(f"node {name!r}: normalize={normalize!r}, expected one of {NORMALIZE}")
    if normalize != "auto":
        return normalize
    if spec.dtype == tf.uint8:
        return "unit"
    return "bounds" if widest <= scale else "range"
