"""A layer's weights in one variable."""
from __future__ import annotations

import abc
import math
from typing import Callable, Optional, Sequence

import tensorflow as tf

from infonodes.networks.rowwise import rowwise
from infonodes.packing import outer_shape

Initial = Callable[[tuple[int, ...]], tf.Tensor]


class FlatLayer(tf.Module, metaclass=abc.ABCMeta):
    """A layer on rows whose weights lie in one variable; inputs `[..., F]` side by side, to `[..., size]`.

    A variable costs a compiled call 8 µs, and the optimiser a kernel, however small it is;
    to split one costs next to nothing. It is no Keras layer: an export lists ten objects of each of
    those, and with many nodes most of the time of an export goes there.

    Attributes:
      flat: All weights, `[weights]`, its own or `join`ed ones; None until the layer was first called.
    """

    def __init__(self, name: Optional[str] = None):
        super().__init__(name=name)
        self.flat: Optional[tf.Variable] = None
        self._start = 0

    def __call__(self, *inputs: tf.Tensor) -> tf.Tensor:
        """Maps `inputs`; the first call fixes how many features they have and draws the weights."""
        if self.flat is None:
            self._build(sum(x.shape[-1] for x in inputs))
        return rowwise(lambda *rows: self._of_rows(self.split(self.flat), *rows), *inputs)

    def _build(self, features: int) -> None:
        weights = self._weights(features)
        self._shapes = [shape for shape, _ in weights]
        with tf.init_scope():
            drawn = tf.concat([tf.reshape(draw(shape), [-1]) for shape, draw in weights], 0)
            self.flat = tf.Variable(drawn, name=f"{self.name}/flat")

    def split(self, flat: tf.Tensor) -> list[tf.Tensor]:
        """Returns the layer's weights, or whatever lies as they do in `flat`, in their shapes."""
        sizes = [math.prod(shape) for shape in self._shapes]
        _, *parts, _ = tf.split(flat, [self._start, *sizes, flat.shape[0] - self._start - self.count])
        return [tf.reshape(part, shape) for part, shape in zip(parts, self._shapes)]

    @property
    def count(self) -> int:
        """How many weights the layer has."""
        return sum(math.prod(shape) for shape in self._shapes)

    @property
    def is_alone(self) -> bool:
        """Whether the layer was called and its variable holds no other's weights."""
        return self.flat is not None and self.flat.shape[0] == self.count

    @abc.abstractmethod
    def _weights(self, features: int) -> list[tuple[tuple[int, ...], Initial]]:
        """Returns each weight's shape and what draws it, for inputs `[..., features]`."""

    @abc.abstractmethod
    def _of_rows(self, weights: Sequence[tf.Tensor], *rows: tf.Tensor) -> tf.Tensor:
        """Maps `rows`, `[N, F]` each."""


def join(layers: Sequence[FlatLayer]) -> None:
    """Lays the weights of layers that were called in one variable, one layer after the other."""
    with tf.init_scope():
        whole = tf.Variable(tf.concat([layer.flat for layer in layers], 0), name="/".join(x.name for x in layers))
    start = 0
    for layer in layers:
        layer._start, layer.flat = start, whole
        start += layer.count


def affine_weights(features: int, size: int, draw: Initial) -> tuple[tuple[int, ...], Initial]:
    """Returns shape `[features + 1, size]` and initial values of a matrix for `affine`: biases 0."""
    drawn = lambda _: tf.concat([draw((features, size)), tf.zeros([1, size])], 0)
    return (features + 1, size), drawn


def affine(weights: tf.Tensor, *rows: tf.Tensor) -> tf.Tensor:
    """Returns rows `[N, F]` side by side times all but the last of `weights` `[sum F + 1, O]`, the bias: `[N, O]`.

    As one product of rows with a 1 at their end: the gradient of a bias that is added is a sum over rows, which XLA's
    CPU compiler makes a loop of its own, slower than the whole product.
    """
    return tf.matmul(_before_ones(weights.shape[0], rows), weights)


def _before_ones(width: int, parts: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns `parts` `[N, F]` side by side, and ones up to `width`.

    Each is written into rows of ones. Of a concatenation or a padding XLA's CPU compiler makes
    loops with a branch for each element.
    """
    rows, start = tf.ones([outer_shape(parts[0], 1)[0], width]), 0
    for part in [p for p in parts if p.shape[-1]]:  # XLA refuses to write nothing.
        end = start + part.shape[-1]
        rows = tf.raw_ops.TensorStridedSliceUpdate(
            input=rows, begin=[0, start], end=[0, end], strides=[1, 1], value=part, begin_mask=1, end_mask=1
        )
        start = end
    return rows
