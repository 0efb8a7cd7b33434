"""Walks over a sparse graph. Pure functions."""
from __future__ import annotations

from typing import Iterable

import numpy as np
import tensorflow as tf

# Stands in a table of neighbours where a place has fewer than others.
NONE = -1


def neighbor_table(places: int, edges: Iterable[tuple[int, int]], directed: bool = False) -> np.ndarray:
    """Returns each place's neighbours in ascending order, int32 `[places, K]`, filled up with `NONE`.

    K is the most neighbours that a place has, at least 1.

    Args:
      places: How many places there are.
      edges: Pairs (from, to); repeated ones count once.
      directed: Whether an edge can be walked one way only.

    Raises:
      ValueError: for an edge that leads to no place.
    """
    found: list[set[int]] = [set() for _ in range(places)]
    for start, end in edges:
        if not (0 <= start < places and 0 <= end < places):
            raise ValueError(f"edge ({start}, {end}): expected places from 0 to {places - 1}")
        found[start].add(end)
        if not directed:
            found[end].add(start)
    table = np.full([places, max(1, *map(len, found))], NONE, np.int32)
    for place, others in enumerate(found):
        table[place, : len(others)] = sorted(others)
    return table


def walk(place: tf.Tensor, choice: tf.Tensor, table: np.ndarray) -> tf.Tensor:
    """Returns where a walker is after a tick, int32 `[B]`.

    Args:
      place: Where it is, int32 `[B]`.
      choice: 0 stays, k goes along the k-th edge; one that is not there stays. int32 `[B]`.
      table: From `neighbor_table`.
    """
    ways = tf.concat([place[:, None], tf.gather(tf.constant(table), place)], axis=1)  # [B, 1 + K]
    there = tf.gather(ways, choice, axis=1, batch_dims=1)
    return tf.where(there < 0, place, there)


def look(features: tf.Tensor, place: tf.Tensor, table: np.ndarray) -> tf.Tensor:
    """Returns what is seen from a place: its features and its neighbours', `[B, 1 + K, F + 1]`.

    The last feature says whether there is an edge; where there is none all are 0.

    Args:
      features: Of all places, `[B, places, F]`.
      place: int32 `[B]`.
      table: From `neighbor_table`.
    """
    ways = tf.concat([place[:, None], tf.gather(tf.constant(table), place)], axis=1)
    there = tf.cast(ways >= 0, tf.float32)[..., None]
    seen = tf.cast(tf.gather(features, tf.maximum(ways, 0), axis=1, batch_dims=1), tf.float32)
    return tf.concat([seen * there, there], axis=-1)


def inscribe(features: tf.Tensor, place: tf.Tensor, value: tf.Tensor, gate: tf.Tensor) -> tf.Tensor:
    """Returns the features with those of one place blended towards a value, `[B, places, F]`.

    Args:
      features: float32 `[B, places, F]`.
      place: int32 `[B]`.
      value: `[B, F]`.
      gate: Strength in [0, 1], `[B]`.
    """
    here = tf.one_hot(place, features.shape[1])[..., None] * gate[:, None, None]
    return features + here * (value[:, None] - features)
