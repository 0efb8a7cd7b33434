"""A window of ticks seen as moves of several ticks. Pure functions."""
from __future__ import annotations

import tensorflow as tf

from infonodes.types import Experience


def ended(experience: Experience) -> tf.Tensor:
    """Returns 1 where a move ended the episode by termination, `[B, T-1]`."""
    return tf.cast(experience.discount[:, :-1] <= 0.0, tf.float32)


def every(experience: Experience, hold: int) -> Experience:
    """Returns the window seen every `hold` ticks, `[B, 1 + (T-1) // hold, ...]`.

    ```
    frames   0 . . . h . . . 2h          rewards: mean over a span's moves
    spans    |---0---|---1---|           controls: of the span's last tick; at the end those of
                                         the window's last frame, which no span reads
    ```

    A span in which the episode ends is kept, as the window's last, if it ended by termination, and
    marked as a boundary if it was cut off or starts on a last frame.
    """
    spans = (experience.step_type.shape[1] - 1) // hold
    split = lambda x: tf.reshape(x[:, : spans * hold], [-1, spans, hold])
    moved = tf.cast(tf.not_equal(split(experience.step_type), 2), tf.float32)
    alive = tf.math.cumprod(moved, axis=2)
    mean = lambda x: tf.reduce_sum(alive * split(x), 2) / tf.maximum(tf.reduce_sum(alive, 2), 1.0)
    ended = tf.reduce_max(alive * tf.cast(split(experience.discount) <= 0.0, tf.float32), axis=2)
    whole = tf.reduce_min(alive, axis=2)
    valid = (whole > 0) | ((ended > 0) & (alive[:, :, 0] > 0))
    valid &= tf.cumsum(ended, axis=1, exclusive=True) < 0.5  # What follows a termination is of another episode.
    pad = lambda x, value: tf.pad(x, [[0, 0], [0, 1]], constant_values=value)
    frames = lambda x: x[:, : spans * hold + 1 : hold]
    # The last frame's controls lead beyond the window; they stand there so that all have a row a frame.
    last_ticks = lambda x: tf.concat([x[:, hold - 1 : spans * hold : hold], x[:, -1:]], axis=1)
    return experience._replace(
        parents=tf.nest.map_structure(frames, experience.parents),
        controls={k: last_ticks(v) for k, v in experience.controls.items()},
        step_type=pad(tf.where(valid, 1, 2), 1),
        reward=pad(mean(experience.reward), 0.0),
        intrinsic=pad(mean(experience.intrinsic), 0.0),
        discount=pad(1.0 - ended, 1.0),
    )
