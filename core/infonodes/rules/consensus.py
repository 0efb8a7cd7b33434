"""Neighbour consensus: how a group of latents pulls on one of them. Pure functions."""
from __future__ import annotations

import tensorflow as tf


def simple(own: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Moves what lies within the group's middle half to the group's median.

    Args:
      own: `[B, D]`.
      others: `[B, N, D]`, neighbours' latents in one's own space.

    Returns:
      `[B, D]`: the median of the group (own included) where own lies in its 25..75
      percentile, feature by feature; unchanged elsewhere.
    """
    group = tf.sort(tf.concat([own[:, None], tf.stop_gradient(others)], axis=1), axis=1)
    low, median, high = (_percentile(group, q) for q in (0.25, 0.5, 0.75))
    return tf.where((own >= low) & (own <= high), median, own)


def precision_weighted(
    own: tf.Tensor,
    own_precision: tf.Tensor,
    others: tf.Tensor,
    precisions: tf.Tensor,
    damping: float,
    rounds: int,
) -> tf.Tensor:
    """Moves `own` towards the group's precision-weighted mean: z ← z + ρ (Σπz/Σπ − z).

    Replaces the notes' 1/((μ−z)² log p), which diverges at the mean.

    Args:
      own: `[B, D]`.
      own_precision: `[D]`.
      others: `[B, N, D]`, neighbours' latents in one's own space; no gradient flows there.
      precisions: `[N, D]`.
      damping: ρ in (0, 1].
      rounds: How often, ≥ 1.

    Returns:
      `[B, D]`.
    """
    others = tf.stop_gradient(others)
    rest = tf.reduce_sum(precisions * others, axis=1)
    total = own_precision + tf.reduce_sum(precisions, axis=0)
    for _ in range(rounds):
        own = own + damping * ((own_precision * own + rest) / total - own)
    return own


def _percentile(ordered: tf.Tensor, q: float) -> tf.Tensor:
    """Linear interpolation between the order statistics of `[B, N, D]`, as numpy's default."""
    position = q * (ordered.shape[1] - 1)
    low = int(position)
    high = min(low + 1, ordered.shape[1] - 1)
    return ordered[:, low] + (position - low) * (ordered[:, high] - ordered[:, low])
