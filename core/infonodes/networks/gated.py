"""A recurrent encoder that can keep what it has."""
from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from infonodes.networks.mlp import MLP, simplex_size


@tf.keras.utils.register_keras_serializable(package="infonodes")
class Gated(tf.keras.layers.Layer):
    """z' = z + g (candidate − z), the gates of a minimal recurrent unit.

    ```
    candidate = mlp([x, z])        normalised as latents are
    g         = sigmoid(W [x, z] + b), one gate a group of 8 features, at first about 0.27
    ```

    A convex mixture of two points on simplices lies on them, so that the latent stays
    normalised; gradients reach far back where g is small (Zhou et al. 2016, eq. 3, with
    one gate a group). Where z is all 0, before an episode's first tick, z' is the candidate.
    """

    def __init__(self, hidden: tuple[int, ...], size: int, output: str, output_scale: float, **kwargs: Any):
        """Builds the encoder.

        Args:
          hidden: Widths of the candidate's hidden layers.
          size: D.
          output: Normalisation of the candidate, see `mlp`.
          output_scale: Scale of the candidate's last initial weights.
          **kwargs: Of the Keras layer.
        """
        super().__init__(**kwargs)
        self._config = {"hidden": tuple(hidden), "size": size, "output": output, "output_scale": output_scale}
        self._group = simplex_size(size)
        self._candidate = MLP(tuple(hidden), size, False, output, output_scale, name="candidate")
        groups = -(-size // self._group)  # The last one is smaller where layer-normalised features do not divide.
        self._spread = np.repeat(np.eye(groups, dtype=np.float32), self._group, axis=1)[:, :size]
        self._gate = tf.keras.layers.Dense(
            groups, bias_initializer=tf.keras.initializers.Constant(-1.0), name="gate"
        )

    def call(self, x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        """Returns z' `[N, D]` from `x` `[N, S]` and `z` `[N, D]`."""
        inputs = tf.concat([x, z], axis=-1)
        candidate = self._candidate(inputs)
        # By matrix product: the gradient of a repeat within a loop does not compile with XLA.
        gate = tf.matmul(tf.sigmoid(self._gate(inputs)), self._spread)
        fresh = tf.reduce_all(tf.equal(z, 0.0), axis=-1, keepdims=True)
        return tf.where(fresh, candidate, z + gate * (candidate - z))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._config}
