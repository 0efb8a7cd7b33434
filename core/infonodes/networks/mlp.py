"""Small perceptrons: how a node maps."""
from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf

from infonodes.networks.rowwise import rowwise

_INIT = "lecun_normal"
# Above this Keras fuses layer norm into batch norm, which XLA cannot fuse further.
_EPSILON = 1e-6


@tf.keras.utils.register_keras_serializable(package="infonodes")
class SimNorm(tf.keras.layers.Layer):
    """Softmax over groups of features (TD-MPC2, Hansen et al. 2024, eq. 5).

    Keeps latents on a product of simplices, so that they can neither blow up nor
    shrink to a point by scale alone. `[..., D]` in and out, values in [0, 1].
    """

    def __init__(self, group: int = 8, **kwargs: Any):
        super().__init__(**kwargs)
        self.group = group

    def build(self, input_shape: Any) -> None:
        if input_shape[-1] % self.group:
            raise ValueError(f"SimNorm: {input_shape[-1]} features do not divide into groups of {self.group}")
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        size = inputs.shape[-1]
        shape = tf.shape(inputs)
        grouped = tf.reshape(inputs, tf.concat([shape[:-1], [size // self.group, self.group]], 0))
        flat = tf.reshape(tf.nn.softmax(grouped), shape)
        return tf.ensure_shape(flat, inputs.shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "group": self.group}


def mlp(
    hidden: tuple[int, ...],
    size: int,
    normalise: bool = True,
    output: Optional[str] = None,
    output_scale: float = 1.0,
    name: str = "mlp",
) -> tf.keras.Sequential:
    """Returns dense layers with SiLU between them.

    Args:
      hidden: Widths of the hidden layers.
      size: Width of the output.
      normalise: Layer norm before each SiLU.
      output: None, `simnorm` or `layernorm` at the output.
      output_scale: Scale of the last layer's initial weights (LeCun normal); 0 starts at zero.
      name: Name of the network.

    Raises:
      ValueError: for an unknown `output`.
    """
    layers: list[tf.keras.layers.Layer] = []
    for width in hidden:
        layers.append(tf.keras.layers.Dense(width, kernel_initializer=_INIT))
        if normalise:
            layers.append(_layer_norm())
        layers.append(tf.keras.layers.Activation("swish"))
    init = tf.keras.initializers.VarianceScaling(max(output_scale, 1e-12) ** 2, "fan_in", "truncated_normal")
    layers.append(tf.keras.layers.Dense(size, kernel_initializer=init))
    if output == "simnorm":
        layers.append(SimNorm(min(8, size)))
    elif output == "layernorm":
        layers.append(_layer_norm())
    elif output is not None:
        raise ValueError(f"mlp output={output!r}: expected None, 'simnorm' or 'layernorm'")
    return tf.keras.Sequential(layers, name=name)


def _layer_norm() -> tf.keras.layers.LayerNormalization:
    """Without gain and shift, which the next layer has: each variable costs a step time."""
    return tf.keras.layers.LayerNormalization(epsilon=_EPSILON, center=False, scale=False)


@tf.keras.utils.register_keras_serializable(package="infonodes")
class EnsembleMLP(tf.keras.layers.Layer):
    """K independent one-hidden-layer perceptrons as two batched products.

    `[..., F]` to `[..., K, size]`.
    """

    def __init__(
        self, heads: int, hidden: int, size: int, zero_output: bool = False, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.heads, self.hidden, self.size, self.zero_output = heads, hidden, size, zero_output

    def build(self, input_shape: Any) -> None:
        features = input_shape[-1]
        # One seed a head: the heads must start apart, or their spread says nothing.
        w_in = [tf.keras.initializers.LecunNormal()((features, self.hidden)) for _ in range(self.heads)]
        w_out = [tf.keras.initializers.LecunNormal()((self.hidden, self.size)) for _ in range(self.heads)]
        stack = lambda rows, axis: tf.keras.initializers.Constant(tf.stack(rows, axis).numpy())
        out_init = "zeros" if self.zero_output else stack(w_out, 0)
        self.w_in = self.add_weight("w_in", (features, self.heads, self.hidden), initializer=stack(w_in, 1))
        self.b_in = self.add_weight("b_in", (self.heads, self.hidden), initializer="zeros")
        self.w_out = self.add_weight("w_out", (self.heads, self.hidden, self.size), initializer=out_init)
        self.b_out = self.add_weight("b_out", (self.heads, self.size), initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return rowwise(self._of_rows, inputs)

    def _of_rows(self, inputs: tf.Tensor) -> tf.Tensor:
        hidden = tf.einsum("nf,fkh->nkh", inputs, self.w_in) + self.b_in
        centred = hidden - tf.reduce_mean(hidden, -1, keepdims=True)
        scale = tf.math.rsqrt(tf.reduce_mean(centred**2, -1, keepdims=True) + _EPSILON)
        active = tf.nn.silu(centred * scale)
        return tf.einsum("nkh,kho->nko", active, self.w_out) + self.b_out

    def get_config(self) -> dict[str, Any]:
        keys = ("heads", "hidden", "size", "zero_output")
        return {**super().get_config(), **{k: getattr(self, k) for k in keys}}


@tf.keras.utils.register_keras_serializable(package="infonodes")
class Joined(tf.keras.layers.Layer):
    """A network of several inputs: joins them along the last axis and maps the result."""

    def __init__(self, network: tf.keras.layers.Layer, **kwargs: Any):
        super().__init__(**kwargs)
        self.network = network

    def call(self, *inputs: tf.Tensor) -> tf.Tensor:
        return self.network(tf.concat(inputs, axis=-1))

    def get_config(self) -> dict[str, Any]:
        network = tf.keras.utils.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Joined":
        network = tf.keras.utils.deserialize_keras_object(config.pop("network"))
        return cls(network, **config)
