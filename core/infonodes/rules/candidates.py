"""Joint candidates of several controls. Pure functions."""
from __future__ import annotations

from typing import Union

import numpy as np
import tensorflow as tf


def joint(parts: list[tf.Tensor], limit: int, batch: Union[int, tf.Tensor]) -> tf.Tensor:
    """Returns candidates of several controls joined: all pairs if they are few, else matched rows.

    Args:
      parts: `[B, N_i, U_i]` each.
      limit: Most pairs; where there are more, N is the greatest N_i, and each control's
        candidates occur.
      batch: B, for a node without controls.

    Returns:
      `[B, N, ΣU_i]`.
    """
    if not parts:
        return tf.zeros([batch, 1, 0])
    joined = parts[0]
    for part in parts[1:]:
        n, m = joined.shape[1], part.shape[1]
        if n * m <= limit:
            joined = tf.concat([tf.repeat(joined, m, axis=1), tf.tile(part, [1, n, 1])], axis=-1)
        else:
            size = max(n, m)
            joined = tf.concat([exactly(joined, size), exactly(tf.reverse(part, [1]), size)], axis=-1)
    return joined


def exactly(options: tf.Tensor, count: int) -> tf.Tensor:
    """Returns `[B, N, U]` repeated, or thinned out evenly from the first to the last, to `[B, count, U]`.

    Not cut: options are in order, and the first half of a grid of torques is all to one side.
    """
    n = options.shape[1]
    if n == count:
        return options
    kept = [i % n for i in range(count)] if n < count else np.linspace(0, n - 1, count).round().astype(int).tolist()
    return tf.gather(options, kept, axis=1)
