"""A choice among N: gym's Discrete."""
from __future__ import annotations

from typing import Optional

import numpy as np
import tensorflow as tf

from infonodes.info_nodes.organs.gym.base import GymSpaceNode, choices, spec_bounds


class DiscreteNode(GymSpaceNode):
    """Sees or does one of N, as a one-hot code; its candidates are all N."""

    def __init__(
        self,
        spec: tf.TensorSpec,
        type: str = "sensor",  # pylint: disable=redefined-builtin
        key: str = "",
        name: str = "discrete",
    ):
        """Builds the node.

        Args:
          spec: Bounded integer scalar; its least value is the first code.
          type: `sensor` or `actuator`.
          key: Path of the leaf in its nest.
          name: Name of the node.

        Raises:
          GraphError: if the leaf has no bounds, or too many values.
        """
        self._count = int(choices(name, key, *spec_bounds(spec))[0])
        super().__init__(spec, type, key, name, self._count, blocks=(self._count,))

    def _encode(self, target: tf.Tensor) -> tf.Tensor:
        return tf.one_hot(self._counted(target), self._count)

    def _decode(self, control: tf.Tensor) -> tf.Tensor:
        return self._uncounted(tf.argmax(control, axis=-1))

    def _sample(self, outer: list, seed: tf.Tensor) -> tf.Tensor:
        choice = tf.random.stateless_uniform(outer, seed, 0, self._count, tf.int32)
        return tf.one_hot(choice, self._count)

    def _every(self, count: int) -> Optional[np.ndarray]:
        return np.eye(self._count)
