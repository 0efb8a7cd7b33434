"""A layer's weights in one variable."""
from __future__ import annotations

import abc
import math
from typing import Any, Callable

import tensorflow as tf

from infonodes.networks.rowwise import rowwise

Initial = Callable[[tuple[int, ...]], tf.Tensor]


class FlatLayer(tf.keras.layers.Layer, metaclass=abc.ABCMeta):
    """A layer on rows whose weights lie in one variable, joined.

    A variable costs a compiled call 8 µs, and the optimiser a kernel, however small it is;
    to split one costs next to nothing.

    Attributes:
      flat: All weights, `[size]`.
    """

    def build(self, input_shape: Any) -> None:
        weights = self._weights(input_shape[-1])
        self._shapes = tuple(shape for shape, _ in weights)
        self._sizes = tuple(math.prod(shape) for shape in self._shapes)
        joined = lambda shape, dtype=None: tf.concat([tf.reshape(f(s), [-1]) for s, f in weights], 0)
        self.flat = self.add_weight("flat", (sum(self._sizes),), initializer=joined)
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return rowwise(lambda rows: self._of_rows(rows, *self.split(self.flat)), inputs)

    def split(self, flat: tf.Tensor) -> list[tf.Tensor]:
        """Returns the weights, or whatever is joined as they are, in their shapes."""
        return [tf.reshape(w, s) for w, s in zip(tf.split(flat, self._sizes), self._shapes)]

    @abc.abstractmethod
    def _weights(self, features: int) -> list[tuple[tuple[int, ...], Initial]]:
        """Returns each weight's shape and what draws it, for inputs `[..., features]`."""

    @abc.abstractmethod
    def _of_rows(self, rows: tf.Tensor, *weights: tf.Tensor) -> tf.Tensor:
        """Maps `rows` `[N, features]`."""
