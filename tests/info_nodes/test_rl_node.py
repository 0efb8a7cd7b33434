"""An RLNode's ε-greedy choices: the chances are the policy's, the draws the tick's."""
from __future__ import annotations

import numpy as np
import tensorflow as tf
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from infonodes import presets

TIME_STEP = ts.time_step_spec(tf.TensorSpec([3], tf.float32))
ACTION = tensor_spec.BoundedTensorSpec([], tf.int64, 0, 3, "action")
ROWS = 4000


def chosen(agent, policy, seed):
    """The actions of many rows that see the same."""
    state = policy.get_initial_state(ROWS)
    state = {**state, "rng": tf.tile(tf.constant([[seed, 7]]), [ROWS, 1])}
    seen = ts.restart(tf.ones([ROWS, 3]), ROWS)
    return policy.action(seen, state).action.numpy()


def test_epsilon_is_the_share_of_random_choices():
    """Of 4 actions with ε = 0.4: the best in 0.7, each other in 0.1; χ² at 0.1 %."""
    agent = presets.reactive(TIME_STEP, ACTION, presets.dqn(epsilon_greedy=0.4))
    agent.initialize()
    best = chosen(agent, agent.policy, 1)
    assert np.unique(best).size == 1
    counts = np.bincount(chosen(agent, agent.collect_policy, 1), minlength=4)
    expected = np.where(np.arange(4) == best[0], 0.7, 0.1) * ROWS
    assert ((counts - expected) ** 2 / expected).sum() < 16.3


def test_the_tick_s_seed_decides():
    agent = presets.reactive(TIME_STEP, ACTION, presets.dqn(epsilon_greedy=1.0))
    agent.initialize()
    one, again, other = (chosen(agent, agent.collect_policy, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.mean(one != other) > 0.5
