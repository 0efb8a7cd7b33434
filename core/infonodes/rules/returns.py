"""Returns, normalised: (1 − γ) Σ γ^k r_k, in units of reward a tick. Pure functions."""
from __future__ import annotations

import tensorflow as tf


def n_step_targets(
    reward: tf.Tensor,
    ended: tf.Tensor,
    moved: tf.Tensor,
    bootstrap: tf.Tensor,
    gamma: float,
    lam: float,
    terminal: tf.Tensor | float = 0.0,
) -> tf.Tensor:
    """Returns the λ-return of every move in a window, normalised by (1 − γ).

    ```
    frame        0     1     2  ...  T-1
    move           0     1   ...  T-2          move j leads from frame j to j+1
    bootstrap         v_1   v_2 ...  v_{T-1}   value of the frame a move leads to
    G_j = (1−γ) r_j + γ [ λ G_{j+1} + (1−λ) v_{j+1} ],  or γ · terminal if ended_j
    ```

    At the last valid move the bracket is v alone (Sutton & Barto 2018, eq. 12.18; the
    factor 1 − γ is ours: values then lie in the range of the rewards).

    Args:
      reward: `[B, T-1]`.
      ended: `[B, T-1]`, 1 where the move ended in a true termination.
      moved: `[B, T-1]`, 1 up to the last move before a boundary, 0 after it.
      bootstrap: `[B, T-1]`, normalised value of the frame each move leads to; or of `leaned_on` frames.
      gamma: Discount in [0, 1).
      lam: λ in [0, 1]; 1 is the n-step return to the window's end.
      terminal: Normalised value of having ended: 0 where rewards stop, negative where
        ending is an absorbing state with a cost for ever.

    Returns:
      `[B, T-1]`; rows of `moved` = 0 are meaningless.
    """
    moves = reward.shape[1]
    bootstrap = tf.broadcast_to(bootstrap, tf.shape(reward))
    targets = [None] * moves
    following = bootstrap[:, -1]
    for j in reversed(range(moves)):
        value = bootstrap[:, j]
        if j == moves - 1:
            beyond = value
        else:
            beyond = tf.where(moved[:, j + 1] > 0, lam * following + (1 - lam) * value, value)
        beyond = ended[:, j] * terminal + (1 - ended[:, j]) * beyond
        following = (1 - gamma) * reward[:, j] + gamma * beyond
        targets[j] = following
    return tf.stack(targets, axis=1)


def leaned_on(reached: tf.Tensor, moved: tf.Tensor, lam: float) -> tf.Tensor:
    """Returns the frames whose values the λ-returns of a window need.

    At λ = 1 that is the one which the last valid move leads to; values of the others would be
    multiplied by 0.

    Args:
      reached: `[B, T-1, ...]`, the frame each move leads to.
      moved: As for `n_step_targets`.
      lam: The same.

    Returns:
      `[B, 1, ...]` at λ = 1, else `reached`.
    """
    if lam != 1.0:
        return reached
    last = tf.maximum(tf.cast(tf.reduce_sum(moved, axis=1), tf.int32) - 1, 0)
    return tf.gather(reached, last[:, None], axis=1, batch_dims=1)


def is_move(step_type: tf.Tensor) -> tf.Tensor:
    """Returns 1 for the moves of a window, 0 for its boundaries: `[B, T]` to `[B, T-1]`.

    Move j is a boundary, not a move, if frame j is the last of an episode.
    """
    return tf.cast(tf.not_equal(step_type[:, :-1], 2), tf.float32)


def cumulative_valid(step_type: tf.Tensor) -> tf.Tensor:
    """Returns 1 for the moves of a window before its first boundary: `[B, T]` to `[B, T-1]`."""
    return tf.math.cumprod(is_move(step_type), axis=1)
