"""Graded place cells: a vector as the activity of units that each stand for a stretch of it."""
from __future__ import annotations

import tensorflow as tf


def place_cells(values: tf.Tensor, low: tf.Tensor, high: tf.Tensor, cells: int) -> tf.Tensor:
    """Returns the activities of `cells` cells a feature.

    φ_k = max(0, 1 − (M−1) |z − k / (M−1)|), z = clip((x − low) / (high − low), 0, 1): at most
    two neighbouring cells of a feature are active, and their activities sum to 1 (linear
    splines, or one-dimensional tile coding with graded membership).

    Args:
      values: `[..., D]`.
      low: `[D]`; values below it are as it.
      high: `[D]`, above `low`.
      cells: M, ≥ 2.

    Returns:
      `[..., D * M]`, in [0, 1].
    """
    share = tf.clip_by_value((values - low) / (high - low), 0.0, 1.0)
    marks = tf.range(cells, dtype=tf.float32)
    active = tf.maximum(0.0, 1.0 - tf.abs(share[..., None] * (cells - 1.0) - marks))
    return tf.reshape(active, tf.concat([tf.shape(values)[:-1], [values.shape[-1] * cells]], axis=0))


def centres(cells: int) -> list[float]:
    """Returns what each of `cells` output cells stands for, evenly spread over [-1, 1]."""
    return [2.0 * k / (cells - 1) - 1.0 for k in range(cells)]
