"""The agents drop into TF-Agents' drivers, metrics and policy wrappers."""
from __future__ import annotations

import conformance_cases as cases
import numpy as np
import pytest
import tensorflow as tf
from tf_agents.drivers import dynamic_episode_driver, dynamic_step_driver, py_driver, tf_driver
from tf_agents.eval import metric_utils
from tf_agents.metrics import py_metrics, tf_metrics
from tf_agents.policies import epsilon_greedy_policy, greedy_policy, py_tf_eager_policy
from tf_agents.utils import common

from infonodes.testing import random_tf_environment


class Frames:
    """An observer that keeps what it sees; outer dimensions as they come."""

    def __init__(self):
        self.seen = []

    def __call__(self, frame):
        self.seen.append(tf.nest.map_structure(np.asarray, frame))


def states_before(case, frames):
    """The nodes' recorded states, by frame."""
    unpack = case.agent.collect_policy.unpack_info
    as_tensors = lambda info: tf.nest.map_structure(tf.convert_to_tensor, info)
    return [unpack(as_tensors(f.policy_info))["state"] for f in frames]


@pytest.mark.parametrize("use_tf_function", [False, True])
def test_py_driver(case, use_tf_function):
    """Two episodes; info as specified; each episode starts from the initial state."""
    frames = Frames()
    policy = py_tf_eager_policy.PyTFEagerPolicy(
        case.agent.collect_policy, use_tf_function=use_tf_function
    )
    driver = py_driver.PyDriver(case.env(), policy, [frames], max_episodes=2)
    driver.run(case.env().reset())
    assert len(frames.seen) >= 10
    spec = case.agent.collect_data_spec.policy_info
    for leaf, one in zip(tf.nest.flatten(frames.seen[0].policy_info), tf.nest.flatten(spec)):
        assert leaf.dtype == one.dtype.as_numpy_dtype and leaf.shape == one.shape
    fresh = case.agent.graph.initial_state(1)
    for frame, state in zip(frames.seen, states_before(case, frames.seen)):
        if frame.step_type == 0:
            flat = zip(tf.nest.flatten(fresh), tf.nest.flatten(state))
            assert all(np.array_equal(a[0], b) for a, b in flat)


def test_py_driver_batched(case):
    """Rows are reset by themselves: every FIRST row has the initial state, no other has."""
    frames = Frames()
    env = case.batched_env(3)
    policy = cases.NumpyPolicy(case.agent.collect_policy, use_tf_function=True)
    driver = py_driver.PyDriver(env, policy, [frames], max_steps=36)
    driver.run(env.reset(), policy.get_initial_state(3))
    first = np.stack([f.is_first() for f in frames.seen])
    assert first[1:].any() and not first.all(axis=1)[1:].all()
    fresh = tf.nest.flatten(case.agent.graph.initial_state(3))
    for f, state in zip(frames.seen, states_before(case, frames.seen)):
        for a, b in zip(fresh, tf.nest.flatten(state)):
            np.testing.assert_array_equal(b[f.is_first()], a[f.is_first()])


@pytest.mark.parametrize("batch", [1, 3])
def test_dynamic_step_driver(case, batch):
    frames = tf_metrics.EnvironmentSteps()
    driver = dynamic_step_driver.DynamicStepDriver(
        case.tf_env(batch), case.agent.collect_policy, [frames], num_steps=12
    )
    driver.run()
    assert frames.result() >= 12


def test_dynamic_episode_driver(case):
    episodes = tf_metrics.NumberOfEpisodes()
    dynamic_episode_driver.DynamicEpisodeDriver(
        case.tf_env(2), case.agent.collect_policy, [episodes], num_episodes=3
    ).run()
    assert episodes.result() >= 3


def test_tf_driver_in_a_random_environment(case):
    """TF-Agents' RandomTFEnvironment, in a graph."""
    env = random_tf_environment(case.env().observation_spec(), case.env().action_spec(), 2)
    steps = tf_metrics.EnvironmentSteps()
    policy = case.agent.collect_policy
    driver = tf_driver.TFDriver(env, policy, [steps], max_steps=8, disable_tf_function=False)
    time_step, state = driver.run(env.reset(), policy.get_initial_state(2))
    assert steps.result() >= 8
    tf.nest.assert_same_structure(policy.policy_state_spec, state)


def test_metrics(case):
    """`compute` hands over a state of batch size 0, `eager_compute` a real one."""
    policy = py_tf_eager_policy.PyTFEagerPolicy(case.agent.policy, use_tf_function=True)
    metrics = [py_metrics.AverageEpisodeLengthMetric()]
    found = metric_utils.compute(metrics, case.env(), policy, num_episodes=2)
    assert found["AverageEpisodeLength"] == 5
    metrics = [tf_metrics.AverageEpisodeLengthMetric()]
    found = metric_utils.eager_compute(metrics, case.tf_env(1), case.agent.policy, num_episodes=2)
    assert found["AverageEpisodeLength"].numpy() == 4


def test_greedy_wrapper_is_the_greedy_policy(case):
    """The mode of the collect policy's distribution is what the evaluation policy does."""
    steps = cases.some_steps(case, 3, batch=2)
    wrapped = cases.greedy_actions(greedy_policy.GreedyPolicy(case.agent.collect_policy), steps, 2)
    for a, b in zip(wrapped, cases.greedy_actions(case.agent.policy, steps, 2)):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_epsilon_greedy_wrapper(case):
    """It works; but the info of its random actions is drawn from the spec, bounded at least."""
    if case.kind != "discrete":
        pytest.skip("EpsilonGreedyPolicy is for discrete actions")
    policy = epsilon_greedy_policy.EpsilonGreedyPolicy(case.agent.policy, epsilon=0.5)
    state = policy.get_initial_state(2)
    for time_step in cases.some_steps(case, 3, batch=2):
        step = policy.action(time_step, state)
        state = step.state
        assert np.all(step.info["cost"].numpy() <= 1e6) and np.all(step.info["cost"].numpy() >= 0)


def test_seeds_repeat_a_run(case):
    """A seed fixes a run: of a fresh agent, if TensorFlow's own draws take part."""

    repeated = case.agent if case.agent.graph.stateless else None

    def run():
        tf.keras.utils.set_random_seed(7)
        agent = repeated or case.make()
        state, actions = agent.collect_policy.get_initial_state(2), []
        for time_step in cases.some_steps(case, 3, 2):
            step = agent.collect_policy.action(time_step, state)
            state = step.state
            actions.append(step.action.numpy())
        return actions

    for a, b in zip(run(), run()):
        np.testing.assert_array_equal(a, b)


def test_traces_once(heavy_case):
    """A whole run, first steps, terminal ones and training, is one trace of each."""
    case = heavy_case
    agent = case.make()
    env = case.env()
    policy = py_tf_eager_policy.PyTFEagerPolicy(agent.collect_policy, use_tf_function=True)
    frames = Frames()
    py_driver.PyDriver(env, policy, [frames], max_episodes=3).run(env.reset())
    assert agent.collect_policy._run.experimental_get_tracing_count() == 1
    # The second is for `()`, which PyDriver takes for a state at first.
    assert policy._policy_action_fn.experimental_get_tracing_count() <= 2
    train = common.function(agent.train)
    counts = []
    for _ in range(3):
        train(case.experience)
        counts.append([f.experimental_get_tracing_count() for f in (train, agent._compiled_update)])
    # TF traces a function twice in whose first trace variables are made, as RLNodes' agents do.
    assert max(counts[0]) <= (2 if case.reacts else 1)
    assert counts[0] == counts[1] == counts[2]
