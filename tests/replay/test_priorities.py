"""Expectations are the formulas of Schaul et al. 2016, by hand or in plain NumPy."""
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from infonodes.replay import priorities

_ANY = st.floats(allow_nan=True, allow_infinity=True, width=64)
_NASTY = [math.nan, math.inf, -math.inf, -1.0, 0.0, -0.0, 1e-320, 1e-7, 1e7, 1e308, -1e308]


def _is_fit_for_reverb(values):
    values = np.asarray(values)
    return values.dtype == np.float64 and np.all((values >= 1e-6) & (values <= 1e6))


@settings(max_examples=300, deadline=None)
@given(st.lists(_ANY, min_size=1, max_size=20))
def test_clamp_lets_nothing_outside_the_range_pass(values):
    values = values + _NASTY
    from_numpy = priorities.clamp(np.array(values))
    from_tensor = priorities.clamp(tf.constant(values, tf.float64))
    assert _is_fit_for_reverb(from_numpy)
    assert _is_fit_for_reverb(from_tensor.numpy())
    np.testing.assert_array_equal(from_numpy, from_tensor)
    np.testing.assert_array_equal(from_numpy, [priorities.clamp(float(v)) for v in values])


def test_clamp_takes_what_cannot_be_assessed_for_costly():
    clamped = priorities.clamp(np.array([math.nan, math.inf, -math.inf, -1.0, 0.0, 2.0]))
    np.testing.assert_array_equal(clamped, [1e6, 1e6, 1e-6, 1e-6, 1e-6, 2.0])


@pytest.mark.parametrize("dtype", [tf.float16, tf.float32, tf.int32])
def test_clamp_widens_other_dtypes(dtype):
    clamped = priorities.clamp(tf.constant([1, 2], dtype))
    assert clamped.dtype == tf.float64
    np.testing.assert_array_equal(clamped, [1.0, 2.0])


@settings(max_examples=200, deadline=None)
@given(
    _ANY, st.floats(0, 1), st.floats(0, 1),
    st.floats(min_value=1e-6, max_value=1e6),
)
def test_priority_is_fit_for_reverb_whatever_the_cost(cost, exponent, fraction, mean):
    stored = priorities.priority(np.array([cost]), exponent, fraction, mean)
    assert _is_fit_for_reverb(stored)
    tensor = priorities.priority(
        tf.constant([cost], tf.float64), exponent, fraction, tf.constant(mean, tf.float64)
    )
    np.testing.assert_allclose(stored, tensor, rtol=1e-9)
    assert priorities.priority(cost, exponent, fraction, mean) == pytest.approx(stored[0])


def test_mixture_by_hand():
    # p^0.5 of (1, 9) is (1, 3): half of (1/2, 1/2) plus half of (1/4, 3/4).
    found = priorities.mixture_probability(np.array([1.0, 9.0]), 0.5, 0.5)
    np.testing.assert_allclose(found, [0.375, 0.625])


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.5, 1.0])
def test_stored_priorities_make_one_table_draw_from_the_mixture(fraction):
    costs = np.random.default_rng(0).exponential(size=50) ** 2 + 1e-3
    mean = np.mean(costs**0.6)
    stored = priorities.priority(costs, 0.6, fraction, mean)
    assert stored.mean() == pytest.approx(1.0)
    np.testing.assert_allclose(
        stored / stored.sum(), priorities.mixture_probability(costs, 0.6, fraction)
    )


def test_importance_weights_closed_form():
    probability, n, beta = np.array([0.5, 0.25, 0.125, 0.125]), 4, 0.4
    expected = (1 / (n * probability)) ** beta
    expected /= expected.max()
    for found in (
        priorities.importance_weights(probability, np.full(4, n), beta),
        priorities.importance_weights(
            tf.constant(probability), tf.constant([n] * 4, tf.int64), beta
        ).numpy(),
    ):
        np.testing.assert_allclose(found, expected)


def test_importance_weights_limits():
    probability, sizes = np.array([0.7, 0.2, 0.1]), np.full(3, 3)
    np.testing.assert_array_equal(priorities.importance_weights(probability, sizes, 0.0), 1.0)
    np.testing.assert_array_equal(
        priorities.importance_weights(np.full(3, 0.01), np.full(3, 100), 1.0), 1.0
    )
    assert np.isfinite(priorities.importance_weights(np.array([0.0, 1.0]), np.full(2, 2))).all()


def test_full_correction_is_unbiased():
    """E_P[x / (n P)] is the plain mean of x: what beta = 1 is for."""
    rng = np.random.default_rng(1)
    x, costs = rng.normal(size=30), rng.exponential(size=30)
    probability = priorities.mixture_probability(costs)
    ratio = priorities.density_ratio(probability, np.full(30, 30))
    assert np.sum(probability * ratio * x) == pytest.approx(x.mean())
    # The uniform half bounds the weights by 1 / u.
    assert ratio.max() <= 2.0 + 1e-9


def test_graph_with_unknown_batch_size():
    run = tf.function(
        priorities.importance_weights,
        input_signature=[tf.TensorSpec([None], tf.float64), tf.TensorSpec([None], tf.int64)],
    )
    probability = np.array([0.5, 0.5, 0.1])
    np.testing.assert_allclose(
        run(probability, np.full(3, 5, np.int64)),
        priorities.importance_weights(probability, np.full(3, 5)),
    )
