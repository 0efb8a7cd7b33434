"""Cursors never leave their limits nor exceed their speed; walkers never leave their graph."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from infonodes.rules import cursor, walks

CASES = settings(max_examples=40, deadline=None)


def test_navigators_are_digits():
    """Two coefficients of the first axis, one of the second, ratio 4."""
    gains = cursor.navigators((8.0, 3.0), (2, 1), 4.0)
    np.testing.assert_allclose(gains, [[8, 0], [2, 0], [0, 3]])


def test_steps_are_rest_and_both_ends_of_each_coefficient():
    np.testing.assert_allclose(cursor.steps(2), [[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]])


@CASES
@given(
    st.lists(st.floats(0.125, 50.0, width=32), min_size=1, max_size=3),
    st.integers(1, 3),
    st.integers(0, 2**16),
)
def test_a_move_stays_inside_and_is_no_faster_than_max_speed(max_speed, count, seed):
    rng = np.random.default_rng(seed)
    axes = len(max_speed)
    gains = cursor.navigators(max_speed, [count] * axes, 4.0)
    low = rng.uniform(0, 3, axes).astype(np.float32)
    high = low + rng.uniform(0, 30, axes).astype(np.float32)
    place = rng.uniform(low, high, [5, axes]).astype(np.float32)
    coefficients = rng.uniform(-1, 1, [5, len(gains)]).astype(np.float32)
    after = cursor.move(tf.constant(place), tf.constant(coefficients), gains, max_speed, low, high).numpy()
    assert np.all(after >= low) and np.all(after <= high)
    assert np.all(np.abs(after - place) <= np.array(max_speed) + 1e-3)
    free = place + np.clip(coefficients @ gains, -np.array(max_speed), max_speed)
    roomy = (free > low) & (free < high)
    np.testing.assert_allclose(after[roomy], free[roomy], rtol=1e-4, atol=1e-3)


def test_relative_places():
    low, high = np.array([1.0, 2.0], np.float32), np.array([5.0, 2.0], np.float32)
    found = cursor.relative(tf.constant([[1.0, 2.0], [3.0, 2.0], [5.0, 2.0]]), low, high)
    np.testing.assert_allclose(found, [[-1, 0], [0, 0], [1, 0]])


def test_neighbor_table():
    """A triangle with a tail; the place alone has no neighbour."""
    table = walks.neighbor_table(5, [(0, 1), (1, 2), (2, 0), (2, 3), (2, 3)])
    assert table.tolist() == [[1, 2, -1], [0, 2, -1], [0, 1, 3], [2, -1, -1], [-1, -1, -1]]
    assert walks.neighbor_table(3, [(0, 1), (1, 2)], directed=True).tolist() == [[1], [2], [-1]]
    with pytest.raises(ValueError, match="edge"):
        walks.neighbor_table(2, [(0, 2)])


@CASES
@given(st.integers(1, 9), st.data())
def test_a_walk_goes_along_edges_only(places, data):
    pair = st.tuples(st.integers(0, places - 1), st.integers(0, places - 1))
    edges = data.draw(st.lists(pair, max_size=12))
    table = walks.neighbor_table(places, edges)
    place = tf.range(places)
    for choice in range(table.shape[1] + 1):
        after = walks.walk(place, tf.fill([places], choice), table).numpy()
        for start, end in enumerate(after):
            assert end == start or (start, end) in edges or (end, start) in edges
            assert choice or end == start


def test_look_and_inscribe():
    """Features of the place and its neighbours; writes change one place, by the gate."""
    table = walks.neighbor_table(3, [(0, 1)])
    features = tf.constant([[[1.0], [2.0], [3.0]]])
    assert walks.look(features, tf.constant([1]), table).numpy().tolist() == [[[2.0, 1.0], [1.0, 1.0]]]
    assert walks.look(features, tf.constant([2]), table).numpy().tolist() == [[[3.0, 1.0], [0.0, 0.0]]]
    after = walks.inscribe(features, tf.constant([1]), tf.constant([[6.0]]), tf.constant([0.5]))
    assert after.numpy().ravel().tolist() == [1.0, 4.0, 3.0]
