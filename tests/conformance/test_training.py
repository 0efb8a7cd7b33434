"""The agents train by TF-Agents' Actor, Learner and PPOLearner, and their losses keep its shape."""
from __future__ import annotations

import conformance_cases as cases
import numpy as np
import pytest
import tensorflow as tf
from tf_agents.agents import test_util
from tf_agents.policies import py_tf_eager_policy
from tf_agents.train import actor, learner, ppo_learner
from tf_agents.train.utils import train_utils
from tf_agents.utils import common, test_utils

from infonodes.replay import CostPrioritizedReplay, FifoReplay
from infonodes.testing import FakeEnvironment


def test_actor_and_learner(case, tmp_path):
    """Actor → Reverb → Learner; costs become priorities, or a queue is read; a checkpoint resumes the step."""
    step = train_utils.create_train_step()
    agent = case.make(train_step_counter=step)
    by_cost = not agent.on_policy
    make_replay = CostPrioritizedReplay if by_cost else FifoReplay
    with make_replay(agent.collect_data_spec, agent.train_sequence_length) as replay:
        observer = replay.observer()
        policy = py_tf_eager_policy.PyTFEagerPolicy(agent.collect_policy, use_tf_function=True)
        collect = actor.Actor(
            case.env(), policy, step, steps_per_run=30, observers=[observer],
            metrics=actor.collect_metrics(5), summary_dir=str(tmp_path / "collect"),
        )
        collect.run()
        observer.flush()
        variables = [v for node in agent.graph.nodes for v in (node.trainable_variables if by_cost else node.variables)]
        before = [v.numpy() for v in variables]
        trainer = learner.Learner(
            str(tmp_path), step, agent, lambda: replay.dataset(4 if by_cost else 1),
            after_train_strategy_step_fn=replay.after_train_step_fn() if by_cost else None, checkpoint_interval=1,
        )
        loss = trainer.run(iterations=3)
        collect.run()
    assert step.numpy() == 3 and np.isfinite(loss.loss)
    changed = [np.any(a != v) for a, v in zip(before, variables)]
    assert any(changed)


def test_loss_and_train_agree(case):
    """TF-Agents' own check: same structure; and, before the step, the same value."""
    agent = case.make()
    equal = not case.draws  # SAC's loss draws actions.
    test_util.test_loss_and_train_output(test_utils.TestCase(), equal, agent, case.experience)
    structures = [
        tf.nest.map_structure(lambda x: (x.shape, x.dtype), call(case.experience))
        for call in (agent.loss, agent.train)
    ]
    assert str(structures[0]) == str(structures[1])


@pytest.mark.parametrize("part", ["action", "train"])
def test_compiles_by_xla(heavy_case, part):
    case = heavy_case
    agent = case.agent
    if part == "action":
        run = tf.function(agent.policy.action, jit_compile=True, autograph=False)
        time_step = cases.some_steps(case, 1, 2)[0]
        result = run(time_step, agent.policy.get_initial_state(2))
    else:
        run = tf.function(case.make().train, jit_compile=True, autograph=False)
        result = run(case.experience)
        assert result.extra["cost"].shape == [4]
    for leaf in tf.nest.flatten(result):
        if leaf.dtype.is_floating:
            assert np.all(np.isfinite(leaf))


@pytest.mark.parametrize("make_env", [
    FakeEnvironment, pytest.param(FakeEnvironment.continuous, marks=pytest.mark.slow),
])
def test_ppo_learner(make_env, tmp_path):
    """On policy: a queue read once, PPOLearner, several epochs of the inner agent a step."""
    env = make_env(episode_length=7)
    agent = cases.ppo_agent(env, 4)
    agent.initialize()
    node = agent.graph["rl"]
    with FifoReplay(agent.collect_data_spec, 4) as replay:
        observer = replay.observer()
        policy = py_tf_eager_policy.PyTFEagerPolicy(agent.collect_policy, use_tf_function=True)
        step = agent.train_step_counter
        actor.Actor(env, policy, step, steps_per_run=60, observers=[observer]).run()
        observer.flush()
        frames = list(replay.dataset(2, stop_after_s=0.5).take(4))
        data = lambda: tf.data.Dataset.from_generator(
            lambda: iter([f for f, _ in frames]),
            output_signature=tf.nest.map_structure(
                lambda x: tf.TensorSpec(x.shape, x.dtype), frames[0][0]
            ),
        ).map(lambda frame: (frame, ()))
        before = [v.numpy() for v in node.agent.trainable_variables]
        trainer = ppo_learner.PPOLearner(
            str(tmp_path), step, agent, data, data, num_samples=2, num_epochs=1
        )
        loss = trainer.run()
    assert np.isfinite(loss.loss)
    assert step.numpy() == 2 and node.agent.train_step_counter.numpy() == 4
    assert any(np.any(a != v) for a, v in zip(before, node.agent.trainable_variables))


def test_weights_are_accepted(case):
    """`train(experience, weights)`: doubled weights double the loss of nodes with a loss."""
    if case.reacts:
        pytest.skip("its loss is the inner agent's")
    ones = case.agent.loss(case.experience, weights=tf.ones([4])).loss
    twos = case.agent.loss(case.experience, weights=2.0 * tf.ones([4])).loss
    np.testing.assert_allclose(2.0 * ones, twos, rtol=1e-5)


def test_train_in_a_function(heavy_case):
    """`common.function(agent.train)`, as every stock example has it, is the eager call."""
    case = heavy_case
    one, other = case.make(), case.make()
    for a, b in zip(one.variables, other.variables):
        b.assign(a)
    eager = one.train(case.experience)
    traced = common.function(other.train)(case.experience)
    if all(not node.trains_itself for node in one.graph.nodes):
        np.testing.assert_allclose(eager.loss, traced.loss, rtol=1e-4)
        np.testing.assert_allclose(eager.extra["cost"], traced.extra["cost"], rtol=1e-4)
        for a, b in zip(one.trainable_variables, other.trainable_variables):
            np.testing.assert_allclose(a, b, atol=1e-4)
