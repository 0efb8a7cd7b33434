"""The agents are saved, restored, shipped and configured by TF-Agents' means."""
from __future__ import annotations

import conformance_cases as cases
import gin
import numpy as np
import pytest
import reverb
import tensorflow as tf
from tf_agents.experimental.distributed import reverb_variable_container
from tf_agents.policies import policy_saver, py_tf_eager_policy
from tf_agents.train import triggers
from tf_agents.train.utils import train_utils
from tf_agents.utils import common

from infonodes import presets


def assert_same(one, other):
    for a, b in zip(one, other):
        np.testing.assert_allclose(a, b, atol=1e-5)


def spread(agent):
    """Moves all variables, so that two fresh agents differ."""
    for i, v in enumerate(agent.trainable_variables):
        noise = np.random.default_rng(i).normal(size=v.shape)
        v.assign_add(tf.cast(0.3 * noise, v.dtype))


def test_policy_saver(heavy_case, tmp_path):
    """The exported policy does what the agent does, over three steps with state."""
    case = heavy_case
    policy_saver.PolicySaver(case.agent.policy, batch_size=None).save(str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    steps = cases.some_steps(case, 3, batch=2)
    assert_same(cases.greedy_actions(loaded, steps, 2), cases.greedy_actions(case.agent.policy, steps, 2))


def test_saved_model_trigger(heaviest_case, tmp_path):
    """Exports greedy, collect and raw policy; a distributed actor runs the collect one."""
    case = heaviest_case
    step = train_utils.create_train_step()
    trigger = triggers.PolicySavedModelTrigger(str(tmp_path), case.agent, step, interval=1)
    step.assign_add(1)
    trigger(step.numpy())
    env = case.env()
    path = str(tmp_path / "collect_policy")
    policy = py_tf_eager_policy.SavedModelPyTFEagerPolicy(
        path, env.time_step_spec(), env.action_spec(), case.agent.collect_policy.policy_state_spec,
        case.agent.collect_policy.info_spec,
    )
    state, time_step = policy.get_initial_state(None), env.reset()
    for _ in range(3):
        taken = policy.action(time_step, state)
        time_step, state = env.step(taken.action), taken.state
    assert taken.info["cost"] >= 0
    for name in ("policy", "collect_policy", "greedy_policy"):
        assert (tmp_path / name / "saved_model.pb").exists() or (tmp_path / "checkpoints").exists()


def test_checkpoint(heavy_case, tmp_path):
    """Agent and optimiser come back: the next update of a fresh agent is the same one.

    But SacAgent, inside the reactive one and the reader, samples actions without a seed in every update.
    """
    case = heavy_case
    first = case.make()
    first.train(case.experience)
    common.Checkpointer(str(tmp_path), max_to_keep=1, agent=first).save(0)
    second = case.make()
    status = common.Checkpointer(str(tmp_path), max_to_keep=1, agent=second)
    assert status.checkpoint_exists
    assert second.train_step_counter.numpy() == 1
    for a, b in zip(first.variables, second.variables):
        np.testing.assert_array_equal(a, b)
    if not case.draws:
        found = [agent.train(case.experience) for agent in (first, second)]
        np.testing.assert_allclose(found[0].loss, found[1].loss, rtol=1e-5)
        for a, b in zip(first.variables, second.variables):
            np.testing.assert_allclose(a, b, atol=1e-5)
    steps = cases.some_steps(case, 3)
    assert_same(cases.greedy_actions(first.policy, steps), cases.greedy_actions(second.policy, steps))


def test_variable_container(case):
    """Weights pushed by a learner arrive in a fresh agent's policy by Reverb."""
    source, target = case.agent, case.make()
    spread(target)
    variables = {"policy": source.collect_policy.variables()}
    table = reverb.Table(
        reverb_variable_container.DEFAULT_TABLE,
        sampler=reverb.selectors.Uniform(),
        remover=reverb.selectors.Fifo(),
        rate_limiter=reverb.rate_limiters.MinSize(1),
        max_size=1,
        signature=tf.nest.map_structure(lambda v: tf.TensorSpec(v.shape, v.dtype), variables),
    )
    server = reverb.Server([table])
    try:
        container = reverb_variable_container.ReverbVariableContainer(f"localhost:{server.port}")
        container.push(variables)
        container.update({"policy": target.collect_policy.variables()})
    finally:
        server.stop()
    for a, b in zip(source.collect_policy.variables(), target.collect_policy.variables()):
        np.testing.assert_array_equal(a, b)
    steps = cases.some_steps(case, 3)
    assert_same(cases.greedy_actions(source.policy, steps), cases.greedy_actions(target.policy, steps))


def test_policies_hold_the_nodes_and_nothing_of_the_learner(case):
    """What is exported and shipped: optimiser slots and step counters stay behind."""
    shipped = {v.ref() for v in case.agent.collect_policy.variables()}
    optimizer = {v.ref() for v in case.agent._optimizer.variables()}
    assert not shipped & optimizer
    assert case.agent.train_step_counter.ref() not in shipped


@pytest.mark.parametrize("preset", ["predictive", "planning", "hierarchical"])
def test_gin(preset):
    """Settings and agent arguments by gin, through the preset."""
    pred = "low" if preset == "hierarchical" else "pred"
    with gin.unlock_config():
        gin.parse_config([
            "infonodes.PredSettings.latent_size = 24",
            "infonodes.PredSettings.hidden = (8,)",
            f"infonodes.{preset}.{pred} = @infonodes.PredSettings()",
            "infonodes.RewardSettings.gamma = 0.5",
            f"infonodes.{preset}.reward = @infonodes.RewardSettings()",
            "infonodes.InfoNodeAgent.seed = 3",
        ])
    try:
        case = cases.Case(f"{preset}-discrete")
        agent = presets.PRESETS[preset](*case.specs(), jit_compile=False)
        assert agent.graph[pred].settings.latent_size == 24
        assert agent.graph["value"].settings.gamma == 0.5
        assert agent._seed == 3
    finally:
        gin.clear_config()
