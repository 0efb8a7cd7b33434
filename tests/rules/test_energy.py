"""The physics of energy against closed forms, with gradients where something learns through it."""
from __future__ import annotations

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from infonodes.rules import energy


def vector(*values):
    return tf.constant([values], tf.float32)


def test_draw_is_clipped_for_each_client_alone():
    bills = tf.constant([[[0.5, -1.0], [2.0, 0.1]]])
    np.testing.assert_allclose(energy.draw(bills, vector(1.0, 0.2)), [[[0.5, 0.0], [1.0, 0.1]]])


def test_digest_tells_food_from_harm():
    """Sugar feeds, toxin harms, fibre is half wasted."""
    useful = tf.constant([[1.0, -0.5, 0.5], [0.0, -0.5, 0.0]])
    feeds, harms, wasted = energy.digest(vector(0.2, 0.4, 0.6), useful)
    np.testing.assert_allclose(feeds, [[0.5, 0.0]], atol=1e-6)
    np.testing.assert_allclose(harms, [[0.2, 0.2]], atol=1e-6)
    np.testing.assert_allclose(wasted, [0.4 + 0.3], atol=1e-6)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.floats(0, 3, width=32), min_size=6, max_size=6))
def test_settle_conserves(values):
    """Stored − debt + lost = before + feeds − given, whatever comes; a store never holds more than it can."""
    stored, debt, feeds, harms, given_, capacity = (tf.constant([[v]], tf.float32) for v in values)
    capacity = capacity[0] + 0.1
    after, owes, lost = energy.settle(stored, debt, feeds, harms, given_, capacity)
    np.testing.assert_allclose(after - owes + lost[:, None], stored - debt + feeds - given_, atol=1e-5)
    assert np.all(after >= 0) and np.all(owes >= 0) and np.all(lost >= 0) and np.all(after <= capacity + 1e-6)
    assert np.all(np.minimum(after, owes) == 0)


def test_demand_and_spend():
    """σ(0) is a half; nobody spends more than there is."""
    np.testing.assert_allclose(energy.demand(vector(0.0), vector(0.8)), [[0.4]])
    left, spent = energy.spend(vector(0.8, 0.1), vector(0.5, 0.5))
    np.testing.assert_allclose(left, [[0.3, 0.0]], atol=1e-6)
    np.testing.assert_allclose(spent, [[0.5, 0.1]], atol=1e-6)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_what_is_asked_for_covers_the_need(seed):
    rng = np.random.default_rng(seed)
    useful = rng.uniform(-0.5, 1.0, (3, 2)).astype(np.float32)
    useful /= np.maximum(np.maximum(useful, 0).sum(0), 1.0)
    need = rng.uniform(0, 1, (1, 3)).astype(np.float32)
    feeds, _, _ = energy.digest(energy.ask(tf.constant(need), tf.constant(useful)), tf.constant(useful))
    can = np.maximum(useful, 0).sum(1) > 1e-6
    assert np.all(feeds.numpy()[:, can] >= need[:, can] - 1e-5)


def test_ask_of_a_loss_is_the_inverse():
    np.testing.assert_allclose(energy.ask(vector(0.4, 0.2), 0.8 * tf.eye(2)), [[0.5, 0.25]], atol=1e-6)


def test_storage_target_counts_bills_and_stops_at_its_room():
    """Set point 0.8, has 0.5, owes 0.4: asks 0.7. Has 0.5 of 1 and would have 2: asks the 0.5 that fit.

    Has 0.1, is asked for 0.9: it wants 1.6, and 1.0 fit once the 0.1 are gone; the rest of the bill makes no room.
    """
    target = energy.storage_target(
        net=vector(0.5, 0.5, 0.1),
        asked=vector(0.4, 0.0, 0.9),
        paid=vector(0.4, 0.0, 0.1),
        set_point=vector(0.8, 2.0, 0.8),
        capacity=tf.constant([1.0, 1.0, 1.0]),
    )
    np.testing.assert_allclose(target, [[0.7, 0.5, 1.0]], atol=1e-6)


def test_drive_is_the_distance_and_its_reduction_the_reward():
    set_point = tf.constant([1.0, 1.0])
    far, near = energy.drive(vector(0.7, 0.6), set_point), energy.drive(vector(1.0, 1.0), set_point)
    np.testing.assert_allclose(far, [0.5], atol=1e-5)
    np.testing.assert_allclose(near, [0.0], atol=1e-5)
    np.testing.assert_allclose(energy.drive_reduction(far, near), [0.5], atol=1e-5)
    np.testing.assert_allclose(energy.negative_cost(far), [-0.5], atol=1e-5)
    # n = 4, m = 2: (0.3⁴ + 0.4⁴)^(1/2).
    np.testing.assert_allclose(energy.drive(vector(0.7, 0.6), set_point, 4.0, 2.0), [(0.3**4 + 0.4**4) ** 0.5], 1e-4)


def test_gradients_are_finite_everywhere():
    for power in (1.0, 2.0, 3.0):
        for value in (0.0, 0.5, 1.0):
            h = vector(value)
            with tf.GradientTape() as tape:
                tape.watch(h)
                found = energy.drive(h, tf.constant([0.5]), power)
            assert np.isfinite(tape.gradient(found, h).numpy()).all()


def test_gradient_reaches_the_target_that_spends():
    target = vector(0.3)
    with tf.GradientTape() as tape:
        tape.watch(target)
        _, spent = energy.spend(vector(0.8), energy.demand(target, vector(0.8)))
    s = 1 / (1 + np.exp(-0.3))
    np.testing.assert_allclose(tape.gradient(spent, target), [[0.8 * s * (1 - s)]], atol=1e-5)


def test_what_makes_energy():
    assert energy.makes_energy([[0.5, 1.0], [0.5, 0.1]]).tolist() == [1]
    assert energy.makes_energy([[1.0, -5.0], [0.0, 1.0]]).size == 0
