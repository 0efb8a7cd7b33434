"""Which control sequences to roll out, and what they are worth. Pure functions."""
from __future__ import annotations

import itertools

import tensorflow as tf


def sequences(options: int, horizon: int, width: int, seed: tf.Tensor) -> tf.Tensor:
    """Returns option indices of control sequences, int32 `[W, horizon]`.

    All there are if they number at most `width`; else `width` of them, or N if those are
    more, drawn at random but for the first control, which goes round all options.

    Args:
      options: N, options a tick.
      horizon: Ticks.
      width: Most sequences, unless there are more options: each is tried first once.
      seed: int32 `[2]`.
    """
    if options**horizon <= width:
        return tf.constant(list(itertools.product(range(options), repeat=horizon)), tf.int32)
    width = max(width, options)
    first = tf.range(width)[:, None] % options
    rest = tf.random.stateless_uniform([width, horizon - 1], seed, 0, options, tf.int32)
    return tf.concat([first, rest], axis=1)


def worth(earned: tf.Tensor, proceeds: tf.Tensor, beyond: tf.Tensor, gamma: float) -> tf.Tensor:
    """Returns what imagined paths are worth: Σ γ^k (Π c) e_k, c the chances of getting there, `[...]`.

    Args:
      earned: e, of each move, `[H, ...]`.
      proceeds: Chance that the path goes on after each move, `[H, ...]`.
      beyond: What the end of the path is worth, `[...]`.
      gamma: Discount of a move.
    """
    for gain, chance in zip(reversed(tf.unstack(earned)), reversed(tf.unstack(proceeds))):
        beyond = gain + gamma * chance * beyond
    return beyond
