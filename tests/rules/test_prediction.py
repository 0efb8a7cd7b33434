"""Surprise, precision and rank, against closed forms and numpy's eigenvalues."""
from __future__ import annotations

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from infonodes.rules import prediction


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-10, 10), st.floats(1e-8, 1e4)), min_size=1, max_size=6))
def test_free_energy_is_gaussian_surprise_and_not_negative(pairs):
    """−log N(e; 0, 1/π) a feature, less that of no error at the greatest precision."""
    error, squared = (np.array(x, np.float32) for x in zip(*pairs))
    pi = prediction.precision(tf.constant(squared)).numpy()
    assert np.all(pi >= prediction.PRECISION_MIN) and np.all(pi <= prediction.PRECISION_MAX)
    found = prediction.free_energy(tf.constant(error), tf.constant(pi)).numpy()
    surprise = 0.5 * (pi * error**2 + np.log(2 * np.pi / pi))
    least = 0.5 * np.log(2 * np.pi / prediction.PRECISION_MAX)
    np.testing.assert_allclose(found, np.mean(surprise - least), rtol=1e-4, atol=1e-5)
    assert found >= -1e-6


def test_free_energy_at_the_greatest_precision():
    """Without error 0; with it half the weighted square."""
    pi = tf.fill([4], prediction.PRECISION_MAX)
    np.testing.assert_allclose(prediction.free_energy(tf.zeros([3, 4]), pi), np.zeros(3), atol=1e-6)
    np.testing.assert_allclose(prediction.free_energy(tf.fill([3, 4], 0.2), pi), np.full(3, 2.0), rtol=1e-5)


def test_precision_takes_no_gradient():
    """Else a node could lower its cost by claiming to know less."""
    squared = tf.Variable([0.1, 1.0])
    with tf.GradientTape() as tape:
        pi = prediction.precision(squared)
    assert tape.gradient(pi, squared) is None
    np.testing.assert_allclose(pi, [10.0, 1.0], rtol=1e-6)


def test_effective_rank_is_of_the_eigenvalues():
    rng = np.random.default_rng(0)
    latents = rng.normal(3.0, [0.1, 1.0, 2.0, 0.5], [200, 4]).astype(np.float32)
    values = np.linalg.eigvalsh(np.cov(latents.T))
    found = prediction.effective_rank(tf.constant(latents))
    np.testing.assert_allclose(found, values.sum() ** 2 / (values**2).sum(), rtol=1e-3)


def test_effective_rank_at_its_limits():
    """One direction is 1, D equal ones are D, a collapsed latent is 0."""
    line = np.linspace(-1, 1, 9, dtype=np.float32)[:, None] * np.ones([1, 5], np.float32)
    np.testing.assert_allclose(prediction.effective_rank(tf.constant(line)), 1.0, rtol=1e-5)
    axes = np.concatenate([np.eye(5), -np.eye(5)]).astype(np.float32)
    np.testing.assert_allclose(prediction.effective_rank(tf.constant(axes)), 5.0, rtol=1e-5)
    assert prediction.effective_rank(tf.ones([6, 5])) == 0.0


def test_information_gain_is_the_heads_variance():
    guesses = np.random.default_rng(1).normal(size=[2, 3, 5, 4]).astype(np.float32)
    found = prediction.information_gain(tf.constant(guesses))
    np.testing.assert_allclose(found, guesses.var(axis=-2).mean(axis=-1), rtol=1e-5)
    alike = tf.repeat(tf.constant(guesses[:, :, :1]), 5, axis=2)
    np.testing.assert_allclose(prediction.information_gain(alike), np.zeros([2, 3]), atol=1e-9)
