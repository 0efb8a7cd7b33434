"""Small perceptrons: how a node maps."""
from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf

from infonodes.networks.flat import FlatLayer, Initial

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


@tf.keras.utils.register_keras_serializable(package="infonodes")
class MLP(FlatLayer):
    """Dense layers with SiLU between them. `[..., F]` to `[..., size]`."""

    def __init__(
        self,
        hidden: tuple[int, ...],
        size: int,
        normalise: bool = True,
        output: Optional[str] = None,
        output_scale: float = 1.0,
        **kwargs: Any,
    ):
        """Builds the layer.

        Args:
          hidden: Widths of the hidden layers.
          size: Width of the output.
          normalise: Layer norm before each SiLU.
          output: None, `simnorm` or `layernorm` at the output.
          output_scale: Scale of the last layer's initial weights (LeCun normal); 0 starts at zero.
          **kwargs: Of the Keras layer.

        Raises:
          ValueError: for an unknown `output`.
        """
        super().__init__(**kwargs)
        outputs = {None: tf.identity, "simnorm": SimNorm(min(8, size)), "layernorm": layer_norm}
        if output not in outputs:
            raise ValueError(f"mlp output={output!r}: expected None, 'simnorm' or 'layernorm'")
        self._widths, self._output_scale = (*hidden, size), output_scale
        self._output, self._normalise = outputs[output], normalise
        self._config = {
            "hidden": tuple(hidden),
            "size": size,
            "normalise": normalise,
            "output": output,
            "output_scale": output_scale,
        }

    def _weights(self, features: int) -> list[tuple[tuple[int, ...], Initial]]:
        widths = (features, *self._widths)
        scale = max(self._output_scale, 1e-12) ** 2
        last = tf.keras.initializers.VarianceScaling(scale, "fan_in", "truncated_normal")
        draws = [tf.keras.initializers.LecunNormal() for _ in widths[2:]] + [last]
        return [
            weight
            for inner, outer, draw in zip(widths, widths[1:], draws)
            for weight in (((inner, outer), draw), ((outer,), tf.zeros))
        ]

    def _of_rows(self, rows: tf.Tensor, *weights: tf.Tensor) -> tf.Tensor:
        *hidden, last = zip(weights[::2], weights[1::2])
        for kernel, bias in hidden:
            rows = tf.matmul(rows, kernel) + bias
            rows = tf.nn.silu(layer_norm(rows) if self._normalise else rows)
        kernel, bias = last
        return self._output(tf.matmul(rows, kernel) + bias)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._config}


def layer_norm(x: tf.Tensor) -> tf.Tensor:
    """Returns `x` `[..., D]` with mean 0 and variance 1 over D; gain and shift are the next layer's."""
    centred = x - tf.reduce_mean(x, -1, keepdims=True)
    return centred * tf.math.rsqrt(tf.reduce_mean(centred**2, -1, keepdims=True) + _EPSILON)


@tf.keras.utils.register_keras_serializable(package="infonodes")
class EnsembleMLP(FlatLayer):
    """K independent one-hidden-layer perceptrons as two batched products.

    `[..., F]` to `[..., K, size]`.
    """

    def __init__(
        self, heads: int, hidden: int, size: int, zero_output: bool = False, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.heads, self.hidden, self.size, self.zero_output = heads, hidden, size, zero_output

    def _weights(self, features: int) -> list[tuple[tuple[int, ...], Initial]]:
        k, h, o = self.heads, self.hidden, self.size
        # One draw a head: the heads must start apart, or their spread says nothing.
        one = lambda shape: tf.keras.initializers.LecunNormal()(shape)
        draws = lambda shape, axis: lambda _: tf.stack([one(shape) for _ in range(k)], axis)
        w_out = tf.zeros if self.zero_output else draws((h, o), 0)
        return [
            ((features, k, h), draws((features, h), 1)),
            ((k, h), tf.zeros),
            ((k, h, o), w_out),
            ((k, o), tf.zeros),
        ]

    def _of_rows(self, rows: tf.Tensor, *weights: tf.Tensor) -> tf.Tensor:
        w_in, b_in, w_out, b_out = weights
        active = tf.nn.silu(layer_norm(tf.einsum("nf,fkh->nkh", rows, w_in) + b_in))
        return tf.einsum("nkh,kho->nko", active, w_out) + b_out

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
