"""The scale of priorities: running means against their definitions."""
import numpy as np
import pytest
import tensorflow as tf

from infonodes.replay import CostPrioritizedReplay, priorities
from infonodes.replay.scale import CostScale


def _batch(scale, raised, ratio, is_nan=None):
    is_nan = np.zeros(len(raised), bool) if is_nan is None else is_nan
    return float(scale.on_batch(
        tf.constant(raised, tf.float64), tf.constant(ratio, tf.float64), tf.constant(is_nan)
    ))


def test_before_any_batch_it_is_the_mean_of_inserts():
    scale, values = CostScale(), [1.0, 2.0, 6.0, 3.0]
    assert [scale.on_insert(v) for v in values] == pytest.approx([1.0, 1.5, 3.0, 3.0])


def test_batch_is_weighted_back_to_the_table():
    """Two items of cost 1 and 9, the second drawn three times as often: the mean is 5."""
    scale = CostScale()
    found = _batch(scale, [1.0, 9.0, 9.0, 9.0], [2.0, 2 / 3, 2 / 3, 2 / 3])
    assert found == pytest.approx(5.0)
    assert _batch(scale, [1.0], [1.0]) == pytest.approx(3.0)  # mean of the first two batches


def test_nan_costs_do_not_count():
    scale = CostScale()
    assert _batch(scale, [4.0, 1e6], [1.0, 1.0], [False, True]) == pytest.approx(4.0)
    assert int(scale.nan_costs) == 1


def test_inserts_follow_the_batches():
    scale = CostScale()
    scale.on_insert(1.0)
    _batch(scale, [8.0], [1.0])
    assert [scale.on_insert(1.0) for _ in range(40)][-1] == 8.0


def test_forgets_old_costs():
    scale = CostScale()
    for cost in [100.0] * 50 + [1.0] * 400:
        found = _batch(scale, [cost], [1.0])
    assert found == pytest.approx(1.0, abs=0.1)


def test_windows_of_equal_cost_are_stored_with_priority_one(data_spec, make_episode, fill):
    """q = u + (1 - u) p^a / m is 1 where p^a = m, whatever a and u: mean_j q_j = 1."""
    with CostPrioritizedReplay(data_spec, 2, exponent=0.6) as replay:
        fill(replay, make_episode, np.full(20, 4.0))
        _, info = next(iter(replay.dataset(16)))
        np.testing.assert_allclose(info.priority, 1.0)
        replay.scale.mean.assign(16.0**0.6)
        fill(replay, make_episode, np.full(40, 4.0))
        expected = priorities.priority(4.0, 0.6, 0.5, 16.0**0.6)
        seen = np.concatenate([i.priority.numpy() for _, i in replay.dataset(64).take(5)])
        assert np.isclose(seen, expected).any()
