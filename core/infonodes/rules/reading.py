"""Windows onto a large grid: reads, writes, and where a window may stand. Pure functions.

A window of W places along an axis of L, centred on c, covers the places

```
p_w = c - (W - 1) / 2 + w        w = 0 … W - 1
```

which need not be whole. A read interpolates linearly between the two nearest whole places of
each axis (Jaderberg et al. 2015, arXiv 1506.02025, eq. 5, for any number of axes); its
gradient is that of the interpolation, in the data and in the centre. A write is the read's
adjoint, made a convex blend.
"""
from __future__ import annotations

from typing import Sequence

import numpy as np
import tensorflow as tf


def limits(bounds: Sequence[int], window: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the least and greatest centre of a window inside the data, each float32 `[axes]`.

    Args:
      bounds: Places along each axis of the data.
      window: Places along each axis of the window, at most as many.
    """
    half = (np.asarray(window, np.float32) - 1.0) / 2.0
    return half, np.asarray(bounds, np.float32) - 1.0 - half


def places(centre: tf.Tensor, window: Sequence[int]) -> list[tf.Tensor]:
    """Returns the places a window covers, along each axis `[B, W]`.

    Args:
      centre: `[B, axes]`, in places.
      window: Places along each axis of the window.
    """
    return [
        centre[:, axis, None] + (tf.range(size, dtype=tf.float32) - (size - 1) / 2.0)
        for axis, size in enumerate(window)
    ]


def read_at(data: tf.Tensor, where: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns data interpolated at places: float32 `[B, W_1, …, W_n, C]`.

    Args:
      data: Numbers `[B, L_1, …, L_n, C]`.
      where: Places along each axis, `[B, W_i]`; those outside the data are taken at its edge.
    """
    axes = len(where)
    turn = [0, *range(2, axes + 1), 1, axes + 1]  # The next axis comes to the front.
    for along in where:
        data = tf.transpose(_read_first_axis(data, along), turn)
    return data


def read(data: tf.Tensor, centre: tf.Tensor, window: Sequence[int]) -> tf.Tensor:
    """Returns the window of the data that is centred on `centre`: float32 `[B, *window, C]`.

    Args:
      data: Numbers `[B, *bounds, C]`.
      centre: `[B, axes]`.
      window: Places along each axis of the window.
    """
    return read_at(data, places(centre, window))


def write(data: tf.Tensor, centre: tf.Tensor, value: tf.Tensor, gate: tf.Tensor) -> tf.Tensor:
    """Returns the data with a window of values blended in: float32 `[B, *bounds, C]`.

    With h_w(i) = max(0, 1 − |i − p_w|), the hat that a read weights place i with,

    ```
    data'_i = data_i + gate · Σ_w h_w(i) (value_w − data_i)
    ```

    As Σ_w h_w(i) ≤ 1, what is written lies between what stood there and what is asked, and
    places a whole place or more outside the window stay as they are. On whole places a write with gate 1
    is what the next read reads.

    Args:
      data: float32 `[B, *bounds, C]`.
      centre: `[B, axes]`.
      value: `[B, *window, C]`.
      gate: Strength in [0, 1], `[B]`.
    """
    axes = centre.shape[1]
    bounds, window = data.shape[1:-1].as_list(), value.shape[1:-1].as_list()
    # Interpolating a window with zeros around it weights each value with its hat; a channel
    # of ones sums the hats.
    framed = tf.pad(
        tf.concat([value, tf.ones_like(value[..., :1])], axis=-1), [[0, 0], *[[1, 1]] * axes, [0, 0]]
    )
    where = [
        tf.range(bound, dtype=tf.float32) - centre[:, axis, None] + ((size - 1) / 2.0 + 1.0)
        for axis, (bound, size) in enumerate(zip(bounds, window))
    ]
    spread = read_at(framed, where)
    strength = tf.reshape(gate, [-1] + [1] * (axes + 1))
    return data + strength * (spread[..., :-1] - spread[..., -1:] * data)


def read_symbols(symbols: tf.Tensor, centre: tf.Tensor, window: int, vocabulary: int) -> tf.Tensor:
    """Returns a window of a text as one-hot codes, interpolated: `[B, window, vocabulary]`.

    The same as `read` of the whole text's codes, which are never made.

    Args:
      symbols: Integers `[B, L]`; one outside the vocabulary has a code of zeros.
      centre: `[B, 1]`.
      window: Symbols in the window.
      vocabulary: How many symbols there are.
    """
    low, high, share = _neighbors(places(centre, [window])[0], symbols.shape[1])
    code = lambda index: tf.one_hot(tf.gather(symbols, index, axis=1, batch_dims=1), vocabulary)
    return code(low) * (1.0 - share[..., None]) + code(high) * share[..., None]


def write_symbol(symbols: tf.Tensor, centre: tf.Tensor, symbol: tf.Tensor, gate: tf.Tensor) -> tf.Tensor:
    """Returns a text with the symbol nearest to the centre replaced; has no gradient.

    Args:
      symbols: Integers `[B, L]`.
      centre: `[B, 1]`.
      symbol: Integers `[B]`.
      gate: bool `[B]`; rows where False stay.
    """
    here = tf.clip_by_value(tf.cast(tf.round(centre), tf.int32), 0, symbols.shape[1] - 1)  # [B, 1]
    hit = tf.equal(tf.range(symbols.shape[1])[None], here) & gate[:, None]
    return tf.where(hit, tf.cast(symbol, symbols.dtype)[:, None], symbols)


def _neighbors(where: tf.Tensor, bound: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the whole places around each place, within the data, and the upper one's share."""
    inside = tf.clip_by_value(where, 0.0, bound - 1.0)
    floor = tf.floor(inside)
    low = tf.cast(floor, tf.int32)
    return low, tf.minimum(low + 1, bound - 1), inside - floor


def _read_first_axis(data: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    """Interpolates `[B, L, …]` at `[B, W]` along the first axis after the batch: `[B, W, …]`."""
    low, high, share = _neighbors(where, data.shape[1])
    at = lambda index: tf.cast(tf.gather(data, index, axis=1, batch_dims=1), tf.float32)
    below, above = at(low), at(high)
    share = tf.reshape(share, tf.concat([tf.shape(share), [1] * (data.shape.rank - 2)], 0))
    return below + share * (above - below)
