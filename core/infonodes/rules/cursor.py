"""How a cursor moves: coefficients to a velocity, a velocity to a place. Pure functions."""
from __future__ import annotations

from typing import Sequence

import numpy as np
import tensorflow as tf


def navigators(max_speed: Sequence[float], counts: Sequence[int], ratio: float) -> np.ndarray:
    """Returns what each coefficient adds to the velocity: float32 `[M, axes]`, M = Σ counts.

    Axis d is steered by n_d coefficients in [-1, 1], coarse to fine, as digits of a number:

    ```
    v_d = clip(Σ_{i < n_d} u_{d,i} · max_speed_d · ratio^{-i}, ±max_speed_d)
    ```

    Args:
      max_speed: Places a tick, along each axis.
      counts: Coefficients of each axis.
      ratio: How much finer each coefficient is than the one before it, > 1.
    """
    rows = []
    for axis, (speed, count) in enumerate(zip(max_speed, counts)):
        for i in range(count):
            row = np.zeros(len(max_speed), np.float32)
            row[axis] = speed * ratio**-i
            rows.append(row)
    return np.stack(rows)


def steps(coefficients: int) -> np.ndarray:
    """Returns the moves of a cursor that takes one step at a time: float32 `[1 + 2 M, M]`.

    Rest first, then each coefficient at -1 and at 1.

    Args:
      coefficients: M.
    """
    ends = np.repeat(np.eye(coefficients, dtype=np.float32), 2, axis=0)
    ends[::2] *= -1.0
    return np.concatenate([np.zeros([1, coefficients], np.float32), ends])


def move(
    place: tf.Tensor,
    coefficients: tf.Tensor,
    gains: np.ndarray,
    max_speed: Sequence[float],
    low: np.ndarray,
    high: np.ndarray,
) -> tf.Tensor:
    """Returns where a cursor is after a tick, `[B, axes]`, never out of its limits.

    Args:
      place: Where it is, `[B, axes]`.
      coefficients: In [-1, 1], `[B, M]`.
      gains: From `navigators`.
      max_speed: Places a tick, along each axis.
      low: Least place, `[axes]`.
      high: Greatest place, `[axes]`.
    """
    fastest = np.asarray(max_speed, np.float32)
    velocity = tf.linalg.matmul(coefficients, gains)
    return clip(place + clip(velocity, -fastest, fastest), low, high)


def clip(x: tf.Tensor, low: np.ndarray, high: np.ndarray) -> tf.Tensor:
    """Returns `x` `[B, axes]` with each axis in its limits `[axes]`."""
    return tf.minimum(tf.maximum(x, low), high)


def relative(place: tf.Tensor, low: np.ndarray, high: np.ndarray) -> tf.Tensor:
    """Returns a place as a share of its limits, -1 to 1; 0 along an axis without room."""
    middle, half = (low + high) / 2.0, (high - low) / 2.0
    return (place - middle) / np.where(half > 0.0, half, 1.0)
