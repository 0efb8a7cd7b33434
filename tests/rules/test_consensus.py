"""What neighbours do to a latent, against numpy and fixed points."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from infonodes.rules import consensus

RNG = np.random.default_rng(0)


def group(neighbors: int) -> tuple[np.ndarray, np.ndarray]:
    return RNG.normal(size=[5, 3]).astype(np.float32), RNG.normal(size=[5, neighbors, 3]).astype(np.float32)


@pytest.mark.parametrize("neighbors", [1, 2, 3, 4, 7])
def test_simple_is_numpys_percentiles(neighbors):
    own, others = group(neighbors)
    everyone = np.concatenate([own[:, None], others], axis=1)
    low, median, high = np.percentile(everyone, [25, 50, 75], axis=1)
    expected = np.where((own >= low) & (own <= high), median, own)
    found = consensus.simple(tf.constant(own), tf.constant(others))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_precision_weighted_rests_at_the_neighbours_mean():
    """Σπz/Σπ of all equals own z just where z is the neighbours' own weighted mean; many rounds lead there."""
    own, others = group(3)
    own_pi = tf.constant([1.0, 2.0, 0.5])
    pi = tf.constant([[1.0, 3.0, 1.0], [2.0, 1.0, 1.0], [1.0, 0.5, 4.0]])
    mean = np.average(others, axis=1, weights=np.broadcast_to(pi, others.shape)).astype(np.float32)
    stays = consensus.precision_weighted(tf.constant(mean), own_pi, tf.constant(others), pi, 0.5, 1)
    np.testing.assert_allclose(stays, mean, atol=1e-5)
    ends = consensus.precision_weighted(tf.constant(own), own_pi, tf.constant(others), pi, 0.9, 100)
    np.testing.assert_allclose(ends, mean, atol=1e-4)


def test_precision_weighted_once_undamped_is_the_groups_mean():
    own, others = group(2)
    everyone = np.concatenate([own[:, None], others], axis=1)
    found = consensus.precision_weighted(
        tf.constant(own), tf.ones([3]), tf.constant(others), tf.ones([2, 3]), 1.0, 1
    )
    np.testing.assert_allclose(found, everyone.mean(axis=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rule", [
    consensus.simple,
    lambda own, others: consensus.precision_weighted(own, tf.ones([3]), others, tf.ones([2, 3]), 0.5, 2),
])
def test_no_gradient_reaches_the_neighbours(rule):
    own, others = (tf.constant(x) for x in group(2))
    with tf.GradientTape() as tape:
        tape.watch([own, others])
        moved = rule(own, others)
    gradients = tape.gradient(moved, [own, others])
    assert gradients[0] is not None and np.any(gradients[0])
    assert gradients[1] is None or not np.any(gradients[1])
