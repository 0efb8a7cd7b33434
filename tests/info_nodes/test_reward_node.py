"""How a RewardNode explores."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.specs import tensor_spec

from infonodes.graph import NodeGraph
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.pred_node import PredNode, PredSettings
from infonodes.info_nodes.reward_node import RewardNode, RewardSettings
from infonodes.modes import Modes
from infonodes.testing.fakes import FakeSensorNode
from infonodes.types import Tick

GREEDY, ROWS, TICKS = 7, 2000, 60


def random_ticks(epsilon: float, hold: int) -> np.ndarray:
    """Returns the option chosen in each row and tick, `GREEDY` where it was not by chance: `[ROWS, TICKS]`."""
    node = RewardNode("value", "reward", "pred", RewardSettings(epsilon_hold=hold))
    action_spec = tensor_spec.BoundedTensorSpec([], tf.int32, 0, 4)
    NodeGraph([
        FakeSensorNode("obs"), gym.RewardSensor("reward"), *gym.actuators(action_spec),
        PredNode("pred", ("obs", "act"), ("act",), settings=PredSettings(latent_size=8, hidden=(8,))), node,
    ])
    node.keep(epsilon=tf.constant(epsilon))
    state, found = node.initial_state(ROWS), []
    for t in range(TICKS):
        tick = Tick(tf.constant([3, t]), Modes())
        chosen, state = node._explore(tf.fill([ROWS], GREEDY), 5, state, tick)
        found.append(chosen.numpy())
    return np.stack(found, axis=1)


@pytest.mark.parametrize("hold", [1, 6])
@pytest.mark.parametrize("epsilon", [0.0, 0.2, 1.0])
def test_epsilon_is_the_share_of_random_ticks(epsilon, hold):
    by_chance = random_ticks(epsilon, hold)[:, TICKS // 2:] != GREEDY
    np.testing.assert_allclose(by_chance.mean(), epsilon, atol=0.02)


def test_a_random_option_is_held():
    """Of random options at a small ε, n ticks long with chance 1/n − 1/(n + 1), 6 with what is left: 1/6."""
    chosen = random_ticks(0.02, 6)
    lengths = []
    for row in chosen:
        edges = np.flatnonzero(np.diff(np.concatenate([[GREEDY], row, [GREEDY]])))
        inside = [row[begin] != GREEDY for begin in edges[:-1]]
        runs = [end - begin for begin, end, is_random in zip(edges, edges[1:], inside) if is_random and end < TICKS]
        lengths.extend(runs)
    share = np.bincount(lengths, minlength=7)[1:7] / len(lengths)
    np.testing.assert_allclose(share, [1 / 2, 1 / 6, 1 / 12, 1 / 20, 1 / 30, 1 / 6], atol=0.04)
    assert set(np.unique(chosen)) == {0, 1, 2, 3, 4, GREEDY}
