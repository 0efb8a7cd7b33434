"""Energy is neither made nor lost unbooked, whatever the body, the meals and the demands.

The expectation is the physics' own law, design decision 8; a mistake in who pays whom, or when,
breaks it.
"""
from __future__ import annotations

import bodies
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PLANS = st.builds(
    bodies.Plan,
    seed=st.integers(0, 2**31 - 1),
    organs=st.integers(1, 12),
    depth=st.integers(1, 4),
    components=st.integers(1, 6),
)
RELAXED = dict(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def check(plan, batch, ticks, reset_chance):
    right, left, ledgers = bodies.live(bodies.body(plan), batch, ticks, plan.seed % 1000, reset_chance)
    assert np.all(np.abs(left - right) <= 1e-4 * np.maximum(np.abs(right), 1e-3)), np.max(np.abs(left - right))
    for found in ledgers:
        assert np.all(found.stored >= 0) and np.all(found.owed <= 0)
        assert np.all(found.spent >= 0) and np.all(found.lost >= -1e-6) and np.all(found.gained >= 0)


@settings(max_examples=6, **RELAXED)
@given(PLANS, st.integers(1, 64))
def test_energy_is_conserved(plan, batch):
    check(plan, batch, 50, 0.0)


@settings(max_examples=4, **RELAXED)
@given(PLANS, st.integers(1, 64))
def test_energy_is_conserved_where_rows_reset_at_different_ticks(plan, batch):
    check(plan, batch, 50, 0.05)


@pytest.mark.slow
@settings(max_examples=25, **RELAXED)
@given(PLANS, st.integers(1, 64), st.sampled_from([0.0, 0.03]))
def test_energy_is_conserved_over_200_ticks(plan, batch, reset_chance):
    check(plan, batch, 200, reset_chance)


def test_bodies_are_put_to_the_test():
    """The random bodies over-ask, starve, overflow and are fed; else the law would be cheap."""
    owed = lost = gained = spent = 0.0
    for seed in range(4):
        _, _, ledgers = bodies.live(bodies.body(bodies.Plan(seed, 12, 4, 4)), 8, 40, seed)
        owed += sum(-found.owed.sum() for found in ledgers)
        lost += sum(found.lost.sum() for found in ledgers)
        gained += sum(found.gained.sum() for found in ledgers)
        spent += sum(found.spent.sum() for found in ledgers)
    assert min(owed, lost, gained, spent) > 1.0


def test_a_mutant_is_caught(monkeypatch):
    """A supplier that pays clients without booking it breaks the law."""
    from infonodes.rules import energy

    settle = energy.settle
    monkeypatch.setattr(energy, "settle", lambda e, d, f, h, given, c: settle(e, d, f, h, tf.zeros_like(given), c))
    with pytest.raises(AssertionError):
        check(bodies.Plan(1, 12, 4, 4), 4, 20, 0.0)
