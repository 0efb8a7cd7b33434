"""What is made of a window before a node says it: perception without parameters."""
from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

_QUIET = 1e-3


def flat(window: tf.Tensor) -> tf.Tensor:
    """Returns the window `[B, …]` as it is, in a row `[B, S]`."""
    return tf.reshape(window, [-1, math.prod(window.shape[1:].as_list())])


def contrast(window: tf.Tensor) -> tf.Tensor:
    """Returns each channel's deviation from its mean over the window in units of its spread, flat `[B, S]`.

    Divisive normalisation, as the retina's (Heeger 1992), over the whole window: what matters in a faint slope is which
    way it rises. A channel without contrast is 0 everywhere.

    Args:
      window: `[B, *window, C]`.
    """
    axes = list(range(1, window.shape.rank - 1))
    mean = tf.reduce_mean(window, axes, keepdims=True)
    spread = tf.reduce_mean((window - mean) ** 2, axes, keepdims=True)
    return flat((window - mean) * tf.math.rsqrt(spread + _QUIET**2))


def presence(window: tf.Tensor) -> tf.Tensor:
    """Returns each channel's greatest value in the window, wherever it stands, `[B, C]`.

    Of one-hot codes: which symbols are in sight.

    Args:
      window: `[B, *window, C]`.
    """
    return tf.reduce_max(window, list(range(1, window.shape.rank - 1)))


def darkness(window: tf.Tensor) -> tf.Tensor:
    """Returns each channel's least value in the window, wherever it stands, `[B, C]`: 0 where something is dark.

    Args:
      window: `[B, *window, C]`.
    """
    return tf.reduce_min(window, list(range(1, window.shape.rank - 1)))


def brightness(window: tf.Tensor) -> tf.Tensor:
    """Returns each channel's mean over the window, `[B, C]`.

    Args:
      window: `[B, *window, C]`.
    """
    return tf.reduce_mean(window, list(range(1, window.shape.rank - 1)))


def slope(window: tf.Tensor) -> tf.Tensor:
    """Returns which way each channel rises, flat `[B, n C]`: its correlation with each axis, -1 to 1.

    In units of the channel's own spread, so that a faint slope counts as much as a steep
    one. A channel without contrast has none.

    Args:
      window: `[B, W_1, …, W_n, C]`.
    """
    axes = list(range(1, window.shape.rank - 1))
    mean = tf.reduce_mean(window, axes, keepdims=True)
    rest = (window - mean) * tf.math.rsqrt(
        tf.reduce_mean((window - mean) ** 2, axes, keepdims=True) + _QUIET**2
    )
    found = []
    for axis in axes:
        size = window.shape[axis]
        along = np.arange(size) - (size - 1) / 2.0
        unit = (along / max(along.std(), 1.0 / size)).astype(np.float32)
        shape = [-1 if i == axis else 1 for i in range(window.shape.rank)]
        found.append(tf.reduce_mean(rest * tf.reshape(tf.constant(unit), shape), axes))
    return tf.concat(found, axis=-1)


def texture(window: tf.Tensor) -> tf.Tensor:
    """Returns how much each channel of an image changes down, across and both ways, flat `[B, 3 C]`.

    Means of 4 |∂y|, 4 |∂x| and 16 |∂y| |∂x| over the window: orientation energies that do not depend
    on where in the window a pattern stands (as Adelson & Bergen's of 1985 do not). The factors make a
    pattern that fills a quarter of the window weigh as much as the other senses' clues.

    Args:
      window: `[B, H, W, C]`, H and W at least 2.
    """
    down = tf.abs(window[:, 1:, :-1] - window[:, :-1, :-1])
    across = tf.abs(window[:, :-1, 1:] - window[:, :-1, :-1])
    return tf.concat([tf.reduce_mean(x, [1, 2]) for x in (4.0 * down, 4.0 * across, 16.0 * down * across)], axis=-1)


def spectrum(window: tf.Tensor) -> tf.Tensor:
    """Returns the loudness of each frequency and channel, flat `[B, (1 + W // 2) C]`.

    `log(1 + |F|)` with F the Fourier transform under a Hann window, scaled so that a sine of
    amplitude 1 on a whole frequency has |F| = 10.

    Args:
      window: `[B, W, C]`.
    """
    size = window.shape[1]
    bell = tf.signal.hann_window(size)
    heard = tf.signal.rfft(tf.transpose(window, [0, 2, 1]) * bell)  # [B, C, 1 + W // 2]
    power = tf.math.real(heard) ** 2 + tf.math.imag(heard) ** 2
    # The root's gradient is infinite at silence.
    magnitude = tf.sqrt(power + _QUIET**2) * (20.0 / tf.reduce_sum(bell))
    return flat(tf.math.log1p(magnitude))
