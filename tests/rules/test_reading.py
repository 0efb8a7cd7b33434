"""Windows: reads against numpy's interpolation, writes as convex blends, both inside the data."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from infonodes.rules import reading

CASES = settings(max_examples=25, deadline=None)


@st.composite
def scenes(draw, axes: int = 2):
    """Data of 1 or 2 axes, a window that fits, a centre that may lie anywhere, a seed."""
    count = draw(st.integers(1, axes))
    bounds = [draw(st.integers(1, 7)) for _ in range(count)]
    window = [draw(st.integers(1, b)) for b in bounds]
    centre = [draw(st.floats(-3.0, 10.0, width=32)) for _ in range(count)]
    return bounds, window, centre, draw(st.integers(0, 2**16))


def some_data(bounds, seed, channels=2):
    return np.random.default_rng(seed).normal(size=[1, *bounds, channels]).astype(np.float32)


def inside(centre, bounds, window):
    low, high = reading.limits(bounds, window)
    return np.clip(np.array([centre], np.float32), low, high)


@CASES
@given(scenes())
def test_read_is_linear_interpolation(scene):
    """Against np.interp, axis by axis: its edge values are those of places outside."""
    bounds, window, centre, seed = scene
    data = some_data(bounds, seed)
    expected = data[0]
    for axis, size in enumerate(window):
        where = centre[axis] - (size - 1) / 2 + np.arange(size)
        lerp = lambda line, where=where: np.interp(where, np.arange(len(line)), line)
        expected = np.apply_along_axis(lerp, axis, expected)
    found = reading.read(tf.constant(data), tf.constant([centre], tf.float32), window)
    np.testing.assert_allclose(found[0], expected, atol=1e-4)


@CASES
@given(scenes())
def test_a_clipped_window_covers_places_of_the_data_alone(scene):
    bounds, window, centre, _ = scene
    for along, bound in zip(reading.places(tf.constant(inside(centre, bounds, window)), window), bounds):
        assert np.all(along >= -1e-5) and np.all(along <= bound - 1 + 1e-5)


@CASES
@given(scenes(), st.floats(0.0, 1.0, width=32))
def test_write_stays_between_and_within(scene, gate):
    """Values stay in the hull of what stood there and what is asked; places away from the window stay."""
    bounds, window, centre, seed = scene
    data, value = some_data(bounds, seed), some_data(window, seed + 1)
    at = inside(centre, bounds, window)
    found = reading.write(tf.constant(data), tf.constant(at), tf.constant(value), tf.constant([gate])).numpy()
    assert found.shape == data.shape
    whole = np.concatenate([data.ravel(), value.ravel()])
    assert found.min() >= whole.min() - 1e-4 and found.max() <= whole.max() + 1e-4
    touched = np.ones(bounds, bool)
    for axis, size in enumerate(window):
        near = np.abs(np.arange(bounds[axis]) - at[0, axis]) < (size - 1) / 2 + 1
        touched &= near.reshape([-1 if i == axis else 1 for i in range(len(bounds))])
    np.testing.assert_allclose(found[0][~touched], data[0][~touched], atol=1e-5)


@CASES
@given(scenes())
def test_what_is_written_on_whole_places_is_read_back(scene):
    bounds, window, centre, seed = scene
    low, high = reading.limits(bounds, window)
    at = np.clip(low + np.round(np.array([centre], np.float32) - low), low, high)
    value = tf.constant(some_data(window, seed))
    after = reading.write(tf.constant(some_data(bounds, seed + 1)), tf.constant(at), value, tf.ones([1]))
    np.testing.assert_allclose(reading.read(after, tf.constant(at), window), value, atol=1e-5)


def test_gradients_are_those_of_the_interpolation():
    """In data, centre, value and gate, against central differences; the centre is off the whole places."""
    data, value = tf.constant(some_data([6, 5], 0)), tf.constant(some_data([3, 2], 1))
    centre = tf.constant([[2.3, 1.8]])

    def scalar(data, centre, value, gate):
        written = reading.write(data, centre, value, gate)
        return tf.reduce_sum(tf.sin(reading.read(written, centre + 0.25, (2, 3))))

    args = [data, centre, value, tf.constant([0.7])]
    theory, numeric = tf.test.compute_gradient(scalar, args, delta=1e-2)
    for name, one, other in zip(("data", "centre", "value", "gate"), theory, numeric):
        assert np.any(np.abs(one) > 1e-3), f"no gradient reaches {name}"
        np.testing.assert_allclose(one, other, atol=2e-2, err_msg=name)


def test_read_compiles_for_any_batch_and_dtype():
    read = tf.function(lambda d, c: reading.read(d, c, (3, 3)), jit_compile=True, reduce_retracing=True)
    for batch in (1, 4):
        data = np.random.default_rng(0).integers(0, 255, [batch, 9, 8, 3]).astype(np.uint8)
        centre = np.full([batch, 2], 4.0, np.float32)
        np.testing.assert_allclose(read(tf.constant(data), tf.constant(centre)), data[:, 3:6, 3:6], atol=1e-4)


@CASES
@given(st.integers(1, 12), st.data())
def test_symbols_read_as_their_codes_do(length, data):
    """A window of a text is the window of its one-hot codes."""
    window = data.draw(st.integers(1, length))
    text = np.random.default_rng(length).integers(0, 5, [2, length]).astype(np.int32)
    centre = tf.constant([[data.draw(st.floats(-2, 14, width=32))] for _ in range(2)], tf.float32)
    codes = tf.one_hot(text, 5)
    found = reading.read_symbols(tf.constant(text), centre, window, 5)
    np.testing.assert_allclose(found, reading.read(codes, centre, (window,)), atol=1e-5)


@pytest.mark.parametrize("gate", [True, False])
@pytest.mark.parametrize("place", [-4.0, 0.0, 2.4, 5.0, 99.0])
def test_write_symbol_changes_the_nearest_one_only(place, gate):
    text = tf.constant([[0, 1, 2, 3, 4, 5]])
    found = reading.write_symbol(text, tf.constant([[place]]), tf.constant([9]), tf.constant([gate])).numpy()
    expected = np.arange(6)
    if gate:
        expected[int(np.clip(np.round(place), 0, 5))] = 9
    assert found[0].tolist() == expected.tolist()
