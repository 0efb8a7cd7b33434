"""Several yes-or-no values at once: gym's MultiBinary."""
from __future__ import annotations

from typing import Optional

import numpy as np
import tensorflow as tf

from infonodes.info_nodes.organs.gym.base import GymSpaceNode, product


class MultiBinaryNode(GymSpaceNode):
    """Sees or does zeros and ones (or booleans), as floats -1 and 1.

    Its candidates are all combinations if they are few enough, else uniform samples.
    """

    def __init__(
        self,
        spec: tf.TensorSpec,
        type: str = "sensor",  # pylint: disable=redefined-builtin
        key: str = "",
        name: str = "multi_binary",
    ):
        """Builds the node.

        Args:
          spec: Booleans, or integers bounded by 0 and 1.
          type: `sensor` or `actuator`.
          key: Path of the leaf in its nest.
          name: Name of the node.
        """
        self._elements = int(np.prod(spec.shape.as_list(), dtype=np.int64))
        super().__init__(spec, type, key, name, self._elements)

    def _encode(self, target: tf.Tensor) -> tf.Tensor:
        return 2.0 * tf.cast(self._flat(target), tf.float32) - 1.0

    def _decode(self, control: tf.Tensor) -> tf.Tensor:
        return tf.cast(self._unflat(control > 0.0), self.spec.dtype)

    def _sample(self, outer: list, seed: tf.Tensor) -> tf.Tensor:
        bits = tf.random.stateless_uniform(outer + [self._elements], seed, 0, 2, tf.int32)
        return 2.0 * tf.cast(bits, tf.float32) - 1.0

    def _every(self, count: int) -> Optional[np.ndarray]:
        return product([np.array([[-1.0], [1.0]])] * self._elements, count)
