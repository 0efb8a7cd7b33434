"""What counts as a prediction error. Pure functions."""
from __future__ import annotations

import math

import tensorflow as tf

PRECISION_MIN, PRECISION_MAX = 1e-2, 1e2


def precision(squared_error: tf.Tensor) -> tf.Tensor:
    """Returns π = 1 / E[e²] clamped to [1e-2, 1e2], same shape as the running mean of e²."""
    return tf.stop_gradient(
        tf.clip_by_value(1.0 / tf.maximum(squared_error, 1e-8), PRECISION_MIN, PRECISION_MAX)
    )


def free_energy(error: tf.Tensor, pi: tf.Tensor) -> tf.Tensor:
    """Returns F = mean_d ½(π e² − log π + log π_max) ≥ 0: Gaussian surprise, by latent size.

    Friston 2005 (eq. 3) with a fixed precision; the last term only shifts it to be ≥ 0.

    Args:
      error: `[..., D]`.
      pi: `[D]`, in [1e-2, 1e2].

    Returns:
      `[...]`.
    """
    surprise = pi * error**2 - tf.math.log(pi) + math.log(PRECISION_MAX)
    return 0.5 * tf.reduce_mean(surprise, axis=-1)


def effective_rank(latents: tf.Tensor) -> tf.Tensor:
    """Returns the participation ratio (Σλ)² / Σλ² of the covariance of `[N, D]`, in [1, D].

    λ are the covariance's eigenvalues; both sums are traces, so none is computed.
    """
    centred = latents - tf.reduce_mean(latents, axis=0)
    covariance = tf.matmul(centred, centred, transpose_a=True)
    return tf.linalg.trace(covariance) ** 2 / tf.maximum(tf.reduce_sum(covariance**2), 1e-12)


def information_gain(predictions: tf.Tensor) -> tf.Tensor:
    """Returns the variance across heads, mean over features: `[..., K, D]` to `[...]`.

    What an ensemble disagrees on can be learned; what it agrees is noise cannot
    (Pathak et al. 2019, eq. 1).
    """
    return tf.reduce_mean(tf.math.reduce_variance(predictions, axis=-2), axis=-1)
