"""The tasks in TensorFlow move as gym's do; else figures of the graph would not be figures of gym."""
from __future__ import annotations

import gym
import numpy as np
import pytest
import tensorflow as tf

from experiments.tf_tasks import TASKS


@pytest.mark.parametrize("name", TASKS)
def test_every_step_is_gyms(name):
    """200 random moves from the same states; after each, gym is set to our state, so that errors do not add up."""
    task, rng = TASKS[name], np.random.default_rng(0)
    env = gym.make(task.gym_id)
    env.reset(seed=0)
    assert env.action_space.n == task.actions and env.spec.max_episode_steps == task.limit
    step = tf.function(task.step)
    state, ends = task.start(tf.constant([1, 2])), 0
    for move in range(200):
        action = int(rng.integers(task.actions))
        if move % 20 == 10:  # Near the ends, which random moves rarely meet.
            state = tf.constant(_near_the_end(name, rng), tf.float32)
        env.unwrapped.state = state.numpy().astype(np.float64)
        env.unwrapped.steps_beyond_done = None
        env._elapsed_steps = 0
        seen, reward, done, _ = env.step(action)
        state, paid, ended = step(state, tf.constant(action))
        np.testing.assert_allclose(task.observe(state), seen, atol=2e-5)
        assert float(paid) == reward and bool(ended) == done
        ends += done
        if done:
            state = task.start(tf.constant([move, 3]))
    assert ends, "no end was met: ends were not compared"


def _near_the_end(name, rng):
    if name == "cartpole":
        return rng.choice([[2.39, 1.0, 0.0, 0.0], [0.0, 0.0, -0.2, -2.0]])
    if name == "mountain_car":
        return [0.49, 0.05]
    return [2.6, 0.1, 2.0, 0.0]


@pytest.mark.parametrize("name", TASKS)
def test_first_states_are_gyms_in_range(name):
    task = TASKS[name]
    low, high = {"cartpole": (-0.05, 0.05), "acrobot": (-0.1, 0.1), "mountain_car": (-0.6, 0.0)}[name]
    starts = np.stack([task.start(tf.constant([s, 0])) for s in range(200)])
    assert low <= starts.min() and starts.max() <= high
    first = starts[:, 0]
    width = 0.2 if name == "mountain_car" else high - low
    assert first.max() - first.min() > 0.9 * width
