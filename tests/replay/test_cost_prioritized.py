"""Sampling frequencies against the closed form of `priorities.mixture_probability`."""
import numpy as np
import pytest
import tensorflow as tf
from tf_agents.trajectories import trajectory as trajectory_lib

from infonodes.replay import CostPrioritizedReplay, ReplayFault, ReplayTimeout, priorities

_COSTS = np.geomspace(0.01, 100.0, 30)


def _chi_square(counts, probability):
    """Pearson's statistic over its degrees of freedom: 1 +- 0.26 if they agree (n = 30)."""
    expected = counts.sum() * probability
    return np.sum((counts - expected) ** 2 / expected) / (len(counts) - 1)


def _reassess(replay, costs, batches):
    """Gives each sampled item its true cost again, as a learner does."""
    for trajectory, info in replay.dataset(64).take(batches):
        items = trajectory.observation[:, 0, 0].numpy().astype(int)
        replay.update_priorities(info, tf.constant(costs[items], tf.float32))


@pytest.mark.parametrize("exponent", [0.6, 1.0])
def test_frequency_by_cost_alone(data_spec, make_episode, fill, count, exponent):
    costs = np.geomspace(0.1, 10.0, 30)
    with CostPrioritizedReplay(data_spec, 2, exponent=exponent, uniform_fraction=0.0) as replay:
        fill(replay, make_episode, costs)
        counts, _ = count(replay, 30)
        expected = priorities.mixture_probability(np.float32(costs), exponent, 0.0)
        assert _chi_square(counts, expected) < 2.6  # 1 in 200 000 by chance
        # The test can tell: another exponent is refused.
        assert _chi_square(counts, priorities.mixture_probability(costs, 0.3, 0.0)) > 4.0


def test_frequency_of_half_uniform(data_spec, make_episode, fill, count):
    """Within 10 %: the table's mean is an estimate, the reported probability is exact."""
    with CostPrioritizedReplay(data_spec, 2) as replay:
        fill(replay, make_episode, _COSTS)
        _reassess(replay, _COSTS, 200)
        counts, info = count(replay, 30, batches=300)
        expected = priorities.mixture_probability(_COSTS, 0.6, 0.5)
        np.testing.assert_allclose(replay.uniform_share(info), 0.5, atol=0.05)
        assert replay.scale.mean.numpy() == pytest.approx(np.mean(_COSTS**0.6), rel=0.1)
        np.testing.assert_allclose(counts / counts.sum(), expected, rtol=0.25)
        assert np.corrcoef(counts, expected)[0, 1] > 0.99
        assert _chi_square(counts, expected) < 4.0
        by_cost_alone = priorities.mixture_probability(_COSTS, 0.6, 0.0)
        assert _chi_square(counts, by_cost_alone) > 20.0


def test_weights_are_those_of_the_reported_probability(data_spec, make_episode, fill):
    with CostPrioritizedReplay(data_spec, 2, beta=0.7) as replay:
        fill(replay, make_episode, _COSTS)
        trajectory, info = next(iter(replay.dataset(32)))
        assert type(trajectory) is trajectory_lib.Trajectory
        weight = trajectory.policy_info["importance_weight"]
        assert weight.shape == (32, 2) and weight.dtype == tf.float32
        expected = (info.probability.numpy() * 30) ** -0.7
        np.testing.assert_allclose(weight[:, 0], expected / expected.max(), rtol=1e-5)
        np.testing.assert_array_equal(weight[:, 0], weight[:, 1])


def test_new_costs_change_the_frequency(data_spec, make_episode, fill, count):
    with CostPrioritizedReplay(data_spec, 2) as replay:
        fill(replay, make_episode, np.ones(20))
        before, _ = count(replay, 20, batches=50)
        costs = np.where(np.arange(20) == 7, 100.0, 1.0)
        _reassess(replay, costs, 100)
        after, _ = count(replay, 20, batches=50)
        assert before[7] / before.sum() == pytest.approx(0.05, abs=0.02)
        expected = priorities.mixture_probability(costs)[7]
        assert after[7] / after.sum() == pytest.approx(expected, abs=0.05)


def test_priority_of_a_window_is_its_mean_cost(data_spec, make_episode):
    with CostPrioritizedReplay(data_spec, 3, exponent=1.0, uniform_fraction=0.0) as replay:
        observer = replay.observer()
        for frame in make_episode(3, 0, [1.0, 2.0, 3.0, 7.0]) + make_episode(1, 1, [5.0, 9.0]):
            observer(frame)
        observer.flush()
        found = set()
        for trajectory, info in replay.dataset(32).take(5):
            first = trajectory.observation[:, 0].numpy().astype(int).tolist()
            found |= {(*f, p) for f, p in zip(first, info.priority.numpy())}
        # (episode, first frame, mean); repeated boundary frames do not count.
        assert found == {(0, 0, 2.0), (0, 1, 4.0), (0, 2, 5.0), (1, 0, 7.0)}


# -- nothing kills the table ---------------------------------------------------------------


_NASTY = np.array([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-38, 1e38, 1e7], np.float32)


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("fraction", [0.0, 0.5])
def test_table_survives_any_update(data_spec, make_episode, fill, graph, fraction):
    with CostPrioritizedReplay(data_spec, 2, uniform_fraction=fraction) as replay:
        fill(replay, make_episode, np.ones(8))
        update = tf.function(replay.update_priorities) if graph else replay.update_priorities
        for _, info in replay.dataset(8).take(3):
            update(info, tf.constant(_NASTY))
        assert replay.scale.nan_costs.numpy() == 3
        assert np.isfinite(replay.scale.mean.numpy())
        for _, info in replay.dataset(8).take(20):
            assert np.all((info.priority.numpy() >= 1e-6) & (info.priority.numpy() <= 1e6))
            assert np.all(np.isfinite(info.probability.numpy()))
        fill(replay, make_episode, np.ones(8))
        assert replay.size == 16


def test_table_survives_any_inserted_cost(data_spec, make_episode, fill):
    """Finite costs of any sign and size; others are refused (test_windows)."""
    with CostPrioritizedReplay(data_spec, 2, uniform_fraction=0.0, exponent=1.0) as replay:
        fill(replay, make_episode, [-1e30, -1.0, 0.0, 1e-40, 1e30, 3e6, 1.0])
        _, info = next(iter(replay.dataset(64)))
        assert set(info.priority.numpy()) <= {1e-6, 1.0, 1e6}
        assert replay.size == 7


def test_batch_of_nan_alone(data_spec, make_episode, fill):
    with CostPrioritizedReplay(data_spec, 2) as replay:
        fill(replay, make_episode, np.ones(4))
        _, info = next(iter(replay.dataset(4)))
        replay.update_priorities(info, tf.fill([4], np.nan))
        assert replay.scale.batches.numpy() == 0
        _, info = next(iter(replay.dataset(4)))
        assert info.priority.numpy().max() > 100.0


# -- servers ---------------------------------------------------------------------------------


def test_remote_client_shares_the_table(data_spec, make_episode, fill):
    with CostPrioritizedReplay(data_spec, 2) as replay:
        with CostPrioritizedReplay(data_spec, 2, address=replay.address) as remote:
            fill(remote, make_episode, np.ones(5))
            assert remote.size == replay.size == 5
            remote.wait_for(5, timeout_s=1)
            with pytest.raises(ReplayTimeout, match="expected 6 windows within 0.1 s, got 5"):
                remote.wait_for(6, timeout_s=0.1)
            next(iter(remote.dataset(4)))
        assert replay.size == 5  # closing a client leaves the server be


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(sequence_length=3), "signature: expected"),
        (dict(table_name="other"), "make_table"),
    ],
)
def test_other_table_is_refused(data_spec, change, message):
    with CostPrioritizedReplay(data_spec, 2) as replay:
        with pytest.raises(ReplayFault, match=message):
            CostPrioritizedReplay(
                data_spec, **{"sequence_length": 2, "address": replay.address, **change}
            )


def test_bad_options_are_refused(data_spec):
    with pytest.raises(ReplayFault, match="'cost'"):
        CostPrioritizedReplay(data_spec._replace(policy_info=()), 2)
    with pytest.raises(ReplayFault, match="uniform_fraction: expected 0 to 1, got 2"):
        CostPrioritizedReplay(data_spec, 2, uniform_fraction=2)
    with pytest.raises(ReplayFault, match="sequence_length"):
        CostPrioritizedReplay(data_spec, 0)


def test_close_twice(data_spec, make_episode, fill):
    replay = CostPrioritizedReplay(data_spec, 2)
    fill(replay, make_episode, np.ones(2))
    replay.close()
    replay.close()
