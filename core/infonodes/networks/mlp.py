"""Small perceptrons: how a node maps."""
from __future__ import annotations

from typing import Optional, Sequence

import tensorflow as tf

from infonodes.networks.flat import FlatLayer, Initial, affine, affine_weights
from infonodes.networks.rowwise import rowwise

_EPSILON = 1e-6


class MLP(FlatLayer):
    """Dense layers with SiLU between them. Inputs `[..., F]`, side by side, to `[..., size]`."""

    def __init__(
        self,
        hidden: tuple[int, ...],
        size: int,
        normalise: bool = True,
        output: Optional[str] = None,
        output_scale: float = 1.0,
        name: Optional[str] = None,
    ):
        """Builds the layer.

        Args:
          hidden: Widths of the hidden layers.
          size: Width of the output.
          normalise: Layer norm before each SiLU.
          output: None, `simnorm` or `layernorm` at the output.
          output_scale: Scale of the last layer's initial weights (LeCun normal); 0 starts at zero.
          name: Name of the layer.

        Raises:
          ValueError: for an unknown `output`.
        """
        super().__init__(name)
        outputs = {None: tf.identity, "simnorm": lambda x: simnorm(x, simplex_size(size)), "layernorm": layer_norm}
        if output not in outputs:
            raise ValueError(f"mlp output={output!r}: expected None, 'simnorm' or 'layernorm'")
        self._widths, self._output_scale = (*hidden, size), output_scale
        self._output, self._normalise = outputs[output], normalise

    def _weights(self, features: int) -> list[tuple[tuple[int, ...], Initial]]:
        widths = (features, *self._widths)
        scale = max(self._output_scale, 1e-12) ** 2
        last = tf.keras.initializers.VarianceScaling(scale, "fan_in", "truncated_normal")
        draws = [tf.keras.initializers.LecunNormal() for _ in widths[2:]] + [last]
        return [affine_weights(*sizes) for sizes in zip(widths, widths[1:], draws)]

    def _of_rows(self, weights: Sequence[tf.Tensor], *rows: tf.Tensor) -> tf.Tensor:
        *hidden, last = weights
        for one in hidden:
            mapped = affine(one, *rows)
            rows = (silu(layer_norm(mapped) if self._normalise else mapped),)
        return self._output(affine(last, *rows))


def simplex_size(size: int) -> int:
    """Returns how many features of a latent of `size` make one simplex."""
    return min(8, size)


def simnorm(x: tf.Tensor, group: int) -> tf.Tensor:
    """Softmax over groups of features (TD-MPC2, Hansen et al. 2024, eq. 5).

    Keeps latents on a product of simplices, so that they can neither blow up nor
    shrink to a point by scale alone. `[..., D]` in and out, values in [0, 1].

    Raises:
      ValueError: if D does not divide into groups.
    """
    size = x.shape[-1]
    if size % group:
        raise ValueError(f"simnorm: {size} features do not divide into groups of {group}")
    grouped = lambda rows: tf.nn.softmax(tf.reshape(rows, [-1, size // group, group]))
    return rowwise(lambda rows: tf.reshape(grouped(rows), [-1, size]), x)


def silu(x: tf.Tensor) -> tf.Tensor:
    """Returns x · sigmoid(x). `tf.nn.silu` has a gradient of its own, which an export traces wherever it stands."""
    return x * tf.sigmoid(x)


def layer_norm(x: tf.Tensor) -> tf.Tensor:
    """Returns `x` `[..., D]` with mean 0 and variance 1 over D; gain and shift are the next layer's."""
    centred = x - tf.reduce_mean(x, -1, keepdims=True)
    return centred * tf.math.rsqrt(tf.reduce_mean(centred**2, -1, keepdims=True) + _EPSILON)


class EnsembleMLP(FlatLayer):
    """K independent one-hidden-layer perceptrons as two batched products.

    Inputs `[..., F]`, side by side, to `[..., K, size]`.
    """

    def __init__(
        self, heads: int, hidden: int, size: int, zero_output: bool = False, name: Optional[str] = None
    ):
        super().__init__(name)
        self.heads, self.hidden, self.size, self.zero_output = heads, hidden, size, zero_output

    def _weights(self, features: int) -> list[tuple[tuple[int, ...], Initial]]:
        k, h, o = self.heads, self.hidden, self.size
        # One draw a head: the heads must start apart, or their spread says nothing.
        one = lambda shape: tf.keras.initializers.LecunNormal()(shape)
        draws = lambda shape, axis: tf.stack([one(shape) for _ in range(k)], axis)
        inner = affine_weights(features, k * h, lambda shape: tf.reshape(draws((features, h), 1), shape))
        w_out = tf.zeros if self.zero_output else lambda _: draws((h, o), 0)
        return [inner, ((k, h, o), w_out), ((k, o), tf.zeros)]

    def _of_rows(self, weights: Sequence[tf.Tensor], *rows: tf.Tensor) -> tf.Tensor:
        w_in, w_out, b_out = weights
        inner = tf.reshape(affine(w_in, *rows), [-1, self.heads, self.hidden])
        return tf.einsum("nkh,kho->nko", silu(layer_norm(inner)), w_out) + b_out
