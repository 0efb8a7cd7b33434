"""Value targets against plain Python loops."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from infonodes.rules import returns


def f32(x):
    return tf.constant(np.asarray(x), tf.float32)


def looped(reward, ended, valid, bootstrap, gamma, lam, terminal):
    """One row's λ-return of move 0 as the λ-weighted sum of n-step returns (Sutton & Barto, eq. 12.2).

    The last valid move bootstraps; a termination ends in `terminal`.
    """
    n_step, weight, total, weights = 0.0, 1.0, 0.0, 1.0
    for j in range(len(reward)):
        n_step += weight * (1 - gamma) * reward[j]
        weight *= gamma
        last = j + 1 == len(reward) or not valid[j + 1]
        if ended[j] or last:
            return total + weights * (n_step + weight * (terminal if ended[j] else bootstrap[j]))
        total += weights * (1 - lam) * (n_step + weight * bootstrap[j])
        weights *= lam
    return total


numbers = st.floats(-2, 2, width=32)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(1, 7), st.floats(0, 0.99), st.floats(0, 1), st.sampled_from([0.0, -1.5]))
def test_n_step_targets_are_the_weighted_n_step_returns(data, moves, gamma, lam, terminal):
    """Every move before the boundary, from the definition as a sum, not as a recursion."""
    row = lambda elements: data.draw(st.lists(elements, min_size=moves, max_size=moves))
    reward, bootstrap = row(numbers), row(numbers)
    cut = data.draw(st.integers(1, moves))  # Moves before the boundary.
    valid = [j < cut for j in range(moves)]
    ended = [j == cut - 1 and data.draw(st.booleans()) for j in range(moves)]
    found = returns.n_step_targets(
        f32([reward]), f32([ended]), f32([valid]), f32([bootstrap]), gamma, lam, terminal
    )
    for j in range(cut):
        expected = looped(reward[j:], ended[j:], valid[j:], bootstrap[j:], gamma, lam, terminal)
        np.testing.assert_allclose(found[0, j], expected, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(1, 7), st.floats(0, 0.99), st.sampled_from([1.0, 0.6]))
def test_targets_from_the_frames_they_lean_on_are_those_from_all(data, moves, gamma, lam):
    """At λ = 1 one value a row is enough, whatever the others are."""
    row = lambda elements: [data.draw(st.lists(elements, min_size=moves, max_size=moves)) for _ in range(2)]
    reward, reached = f32(row(numbers)), f32(row(numbers))
    cuts = [data.draw(st.integers(1, moves)) for _ in range(2)]
    moved = f32([[j < cut for j in range(moves)] for cut in cuts])
    ended = f32([[j == cut - 1 and data.draw(st.booleans()) for j in range(moves)] for cut in cuts])
    needed = returns.leaned_on(reached[..., None], moved, lam)[..., 0]
    assert needed.shape == [2, 1 if lam == 1.0 else moves]
    of_all, of_needed = (returns.n_step_targets(reward, ended, moved, x, gamma, lam) for x in (reached, needed))
    np.testing.assert_allclose(moved * of_needed, moved * of_all, atol=1e-6)


def test_a_constant_reward_is_its_own_value():
    """Normalised by 1 − γ: 0.7 a tick for ever is worth 0.7."""
    same = tf.fill([2, 5], 0.7)
    found = returns.n_step_targets(same, 0 * same, tf.ones([2, 5]), same, 0.9, 0.6)
    np.testing.assert_allclose(found, same, rtol=1e-6)


@pytest.mark.parametrize("steps,expected", [
    ([0, 1, 1, 1], [1, 1, 1]), ([1, 2, 0, 1], [1, 0, 0]), ([2, 0, 1, 1], [0, 0, 0]), ([1, 1, 1, 2], [1, 1, 1]),
])
def test_moves_count_up_to_the_first_boundary(steps, expected):
    assert returns.cumulative_valid(tf.constant([steps])).numpy().tolist() == [expected]
