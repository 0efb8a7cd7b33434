"""How a RewardNode explores, and what its values are of."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec, tensor_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.utils import common

from infonodes import presets
from infonodes.driver import PackedDriver
from infonodes.graph import NodeGraph
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.pred_node import PredNode, PredSettings
from infonodes.info_nodes.reward_node import RewardNode, RewardSettings
from infonodes.modes import Modes
from infonodes.replay import LocalReplay
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


GAMMA, ACTIONS = 0.9, 5


class OneOfFive(py_environment.PyEnvironment):
    """One state, without an end, where action 0 pays 1 and the others nothing."""

    def observation_spec(self):
        return array_spec.BoundedArraySpec([1], np.float32, -1.0, 1.0)

    def action_spec(self):
        return array_spec.BoundedArraySpec([], np.int32, 0, ACTIONS - 1)

    def _reset(self):
        return ts.restart(np.ones([1], np.float32))

    def _step(self, action):
        return ts.transition(np.ones([1], np.float32), float(action == 0))


def learned_value(bootstrap: str, options: int) -> float:
    """Returns V of the one state, learned from random moves."""
    env = OneOfFive()
    agent = presets.predictive(
        *tensor_spec.from_spec((env.time_step_spec(), env.action_spec())),
        pred=PredSettings(latent_size=8, hidden=(16,), slow_rate=0.1),
        reward=RewardSettings(gamma=GAMMA, hidden=16, slow_rate=0.1, bootstrap=bootstrap, bootstrap_options=options),
        optimizer=tf.keras.optimizers.legacy.Adam(3e-3),
    )
    agent.initialize()
    replay = LocalReplay(agent.collect_data_spec, agent.train_sequence_length, draws="uniform")
    driver = PackedDriver(env, agent.collect_policy, [replay.observer()], max_steps=1500)  # ε is still 1.
    driver.run(env.reset())
    train = common.function(agent.train)
    for _ in range(600):
        train(replay.sample(128)[0])
    pred, value = agent.graph["pred"], agent.graph["value"]
    return float(value.value(pred.f_abs(tf.ones([1, 1]), slow=True), slow=True)[0])


def test_values_are_of_what_was_done():
    np.testing.assert_allclose(learned_value("reached", ACTIONS), 1 / ACTIONS, atol=0.04)


@pytest.mark.parametrize("options", [ACTIONS, 2])
def test_values_are_of_the_best_option_beyond_what_was_done(options):
    """The mean over 3, 2 and 1 moves, as V is fitted at the first three of four frames.

    ```
    V = mean_n [(1 − γⁿ) / 5 + γⁿ ((1 − γ) r + γ V)],   r what the best of the options looked at pays
    ```
    """
    n, pays = np.arange(1, 4), options / ACTIONS
    done = (1 - GAMMA**n) / ACTIONS + GAMMA**n * (1 - GAMMA) * pays
    expected = done.mean() / (1 - (GAMMA ** (n + 1)).mean())
    np.testing.assert_allclose(learned_value("best", options), expected, atol=0.04)


@pytest.mark.parametrize("lam", [1.0, 0.5])
@pytest.mark.parametrize("preset", [presets.predictive, presets.hierarchical])
def test_the_best_option_is_found_in_any_graph(preset, lam):
    """Of more options than are looked at, and where the options are latents of a PredNode below."""
    observed = tensor_spec.BoundedTensorSpec([3], tf.float32, -1.0, 1.0)
    acted = tensor_spec.BoundedTensorSpec([2], tf.float32, -1.0, 1.0)
    agent = preset(ts.time_step_spec(observed), acted, reward=RewardSettings(bootstrap="best", lam=lam))
    agent.initialize()
    shape = [8, agent.train_sequence_length]
    zeros = tf.nest.map_structure(lambda s: tf.zeros([*shape, *s.shape], s.dtype), agent.collect_data_spec)
    found = agent.train(zeros._replace(step_type=tf.ones(shape, tf.int32), next_step_type=tf.ones(shape, tf.int32)))
    assert np.isfinite(found.loss)
