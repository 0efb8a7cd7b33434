"""Several choices at once: gym's MultiDiscrete."""
from __future__ import annotations

from typing import Optional

import numpy as np
import tensorflow as tf

from infonodes.info_nodes.organs.gym.base import GymSpaceNode, choices, product, spec_bounds


class MultiDiscreteNode(GymSpaceNode):
    """Sees or does one of N_i for each element i, as joined one-hot codes.

    Its candidates are all combinations if they are few enough, else uniform samples.
    """

    def __init__(
        self,
        spec: tf.TensorSpec,
        type: str = "sensor",  # pylint: disable=redefined-builtin
        key: str = "",
        name: str = "multi_discrete",
    ):
        """Builds the node.

        Args:
          spec: Bounded integers; each element has bounds of its own.
          type: `sensor` or `actuator`.
          key: Path of the leaf in its nest.
          name: Name of the node.

        Raises:
          GraphError: if the leaf has no bounds, or too many values.
        """
        counts = choices(name, key, *spec_bounds(spec))
        self._counts = tuple(int(c) for c in counts)
        super().__init__(spec, type, key, name, sum(self._counts), blocks=self._counts)

    def _encode(self, target: tf.Tensor) -> tf.Tensor:
        codes = tf.unstack(self._flat(self._counted(target)), axis=-1)
        return tf.concat([tf.one_hot(c, n) for c, n in zip(codes, self._counts)], axis=-1)

    def _decode(self, control: tf.Tensor) -> tf.Tensor:
        parts = tf.split(control, self._counts, axis=-1)
        codes = tf.stack([tf.argmax(p, axis=-1) for p in parts], axis=-1)
        return self._uncounted(self._unflat(codes))

    def _sample(self, outer: list, seed: tf.Tensor) -> tf.Tensor:
        counts = np.asarray(self._counts, np.float32)
        # A uniform below 1 times n can round up to n.
        uniform = tf.random.stateless_uniform(outer + [len(counts)], seed) * counts
        codes = tf.unstack(tf.cast(tf.minimum(uniform, counts - 1), tf.int32), axis=-1)
        return tf.concat([tf.one_hot(c, n) for c, n in zip(codes, self._counts)], axis=-1)

    def _every(self, count: int) -> Optional[np.ndarray]:
        return product([np.eye(n) for n in self._counts], count)
