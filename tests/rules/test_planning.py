"""Control sequences, against itertools."""
from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from infonodes.info_nodes.reward_node import RewardSettings
from infonodes.rules import planning

SEED = tf.constant([1, 2])


@pytest.mark.parametrize("options,horizon", [(1, 3), (4, 1), (3, 3)])
def test_few_sequences_are_all_there(options, horizon):
    found = planning.sequences(options, horizon, options**horizon, SEED).numpy()
    expected = itertools.product(range(options), repeat=horizon)
    assert sorted(map(tuple, found)) == sorted(expected)


@pytest.mark.parametrize("options,horizon,width", [(4, 4, 10), (7, 2, 48), (3, 5, 3)])
def test_many_sequences_try_every_option_first(options, horizon, width):
    """As evenly as `width` allows; the later controls are legal and not all the same."""
    found = planning.sequences(options, horizon, width, SEED).numpy()
    assert found.shape == (width, horizon)
    counts = np.bincount(found[:, 0], minlength=options)
    assert counts.min() >= 1 and counts.max() - counts.min() <= 1
    assert found.min() >= 0 and found.max() < options
    assert len(np.unique(found[:, 1:])) > 1


@pytest.mark.parametrize("horizon", [1, 3])
def test_width_below_the_options_still_tries_each(horizon):
    """`RewardSettings.width` = 2 with 5 options: a node that skipped some could never choose them."""
    found = planning.sequences(5, horizon, RewardSettings(width=2).width, SEED).numpy()
    assert found.shape == (5, horizon)
    assert sorted(found[:, 0]) == [0, 1, 2, 3, 4]


def test_paths_are_worth_what_they_earn_while_they_go_on():
    """Against the sum of the docstring, term by term."""
    rng = np.random.default_rng(0)
    earned, proceeds, beyond = rng.normal(size=(3, 4)), rng.uniform(size=(3, 4)), rng.normal(size=4)
    expected, reach = np.zeros(4), np.ones(4)
    for gain, chance in zip(earned, proceeds):
        expected += reach * gain
        reach *= 0.9 * chance
    found = planning.worth(*map(tf.constant, (earned, proceeds, beyond)), 0.9)
    np.testing.assert_allclose(found, expected + reach * beyond, rtol=1e-6)


@pytest.mark.parametrize("field", ["width", "horizon", "planning_horizon", "repeat", "value_heads"])
def test_settings_below_one_are_refused(field):
    with pytest.raises(ValueError, match=f"RewardSettings.{field}=0: expected at least 1"):
        RewardSettings(**{field: 0})
