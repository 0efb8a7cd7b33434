"""What a PredNode learns, from which frames, at which rate, and what it can ask for."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.environments import suite_gym, tf_py_environment
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from infonodes import presets
from infonodes.agent import InfoNodeAgent
from infonodes.info_nodes import pred_learning
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.pred_node import PredNode, PredSettings
from infonodes.info_nodes.rl_node import RLNode
from infonodes.modes import Modes
from infonodes.testing import FakeActuatorNode, FakeSensorNode, trajectory_of

TIME_STEP = ts.time_step_spec(tf.TensorSpec([4], tf.float32))
ACTION = tensor_spec.BoundedTensorSpec([2], tf.float32, -1.0, 1.0, "action")
SMALL = {"latent_size": 8, "hidden": (8,), "options": 4}


def make(*nodes, **kwargs):
    nodes = [FakeSensorNode("obs"), FakeActuatorNode("act"), *nodes]
    return InfoNodeAgent(TIME_STEP, ACTION, nodes, train_sequence_length=6, jit_compile=False, **kwargs)


@pytest.mark.parametrize(
    "encoder_rate, expected",
    [(1.0, [("f_abs/f_pred", 1.0), ("f_act", 1.0)]), (0.25, [("f_abs", 0.25), ("f_pred", 1.0), ("f_act", 1.0)])],
)
def test_networks_of_one_rate_are_one_variable(encoder_rate, expected):
    env = tf_py_environment.TFPyEnvironment(suite_gym.load("CartPole-v1"))
    settings = PredSettings(encoder_rate=encoder_rate)
    node = presets.predictive(env.time_step_spec(), env.action_spec(), pred=settings).graph["pred"]
    assert [(v.name.split("/flat")[0].split(":")[0], rate) for v, rate in node.learned()] == expected


def choices(*most):
    return tensor_spec.BoundedTensorSpec([len(most)], tf.int32, 0, np.array(most) - 1)


@pytest.mark.parametrize("spec, expected", [
    (choices(17), 17),
    (choices(6, 6), 36),
    (choices(2, 2, 2, 2, 2), 32),
    (tuple(tensor_spec.BoundedTensorSpec([], tf.int64, 0, 4) for _ in range(2)), 25),
    (choices(2), 2),
    (tensor_spec.BoundedTensorSpec([2], tf.float32, -1.0, 1.0), 16),
])
def test_every_combination_of_discrete_controls_is_an_option(spec, expected, caplog):
    actuators = gym.actuators(spec)
    names = [node.name for node in actuators]
    pred = PredNode("pred", ("obs", *names), names)
    InfoNodeAgent(TIME_STEP, spec, [FakeSensorNode("obs"), *actuators, pred], jit_compile=False)
    options = pred.options({"z": tf.zeros([3, 32])}).numpy()
    assert options.shape[:2] == (3, expected) and len(np.unique(options[0], axis=0)) == expected
    assert not caplog.records


def test_too_many_combinations_are_told(caplog):
    actuators = gym.actuators(choices(20, 20))
    pred = PredNode("pred", ("obs", actuators[0].name), (actuators[0].name,))
    InfoNodeAgent(TIME_STEP, choices(20, 20), [FakeSensorNode("obs"), *actuators, pred], jit_compile=False)
    assert "'pred': only 16 of its controls' 400 combinations" in caplog.text
    assert pred.options({"z": tf.zeros([1, 32])}).shape[1] == 16


@pytest.mark.parametrize("hold", [1, 2])
def test_hindsight_and_ensemble_look_a_span_ahead(hold, monkeypatch):
    """From frame 0 to `hold`, by the control of the span's last tick, as predictions do."""
    pred = PredNode("pred", ("obs", "act"), ("act",), settings=PredSettings(hold=hold, heads=2, **SMALL))
    agent = make(pred)
    experience = agent.perceive(trajectory_of(agent, 3, 6, episode_length=20))["pred"]
    slow, done = experience.state["slow"].numpy(), experience.controls["act"].numpy()
    seen = {}

    def assess(z, later, ticks, controls):
        seen["inverse"] = later.numpy(), controls.numpy()
        return tf.zeros([3]), tf.zeros([3])

    def heads(z, controls):
        seen["heads"] = controls.numpy()
        return tf.tile(experience.state["slow"][:, None, hold], [1, 2, 1])

    monkeypatch.setattr(pred.inverse, "assess", assess)
    monkeypatch.setattr(pred, "heads", heads)
    pred_learning._inverse_loss(pred, experience, [0])
    np.testing.assert_array_equal(seen["inverse"][0], slow[:, hold])
    np.testing.assert_array_equal(seen["inverse"][1], done[:, hold - 1])
    np.testing.assert_array_equal(pred_learning._ensemble_loss(pred, experience, [0]), np.zeros(3))
    np.testing.assert_array_equal(seen["heads"], done[:, hold - 1])


@pytest.mark.parametrize("train_policy", [True, False])
def test_acting_parts_learn_only_where_the_modes_say_so(train_policy):
    modes = Modes(dream=True, train_policy=train_policy, train_world_model=False, train_rewards=False)
    settings = PredSettings(f_act="inverse", **SMALL)
    pred = PredNode("pred", ("obs",), settings=settings)
    acts = PredNode("acts", ("obs", "act"), ("act",), settings=settings)
    agent = make(pred, acts, modes=modes)
    scalars = agent.scalars(agent.loss(trajectory_of(agent, 3, 6)))
    assert (abs(scalars["acts/loss"]) > 0.0) == train_policy
    shaping = RLNode("rl", ("pred",), "act", presets.sac((8,)), shape_parents=True)
    agent = make(PredNode("pred", ("obs",), settings=settings), shaping, modes=modes)
    found = agent.perceive(trajectory_of(agent, 3, 6))["rl"]
    assert (shaping.loss(found) is not None) == train_policy


def test_a_recurrent_latent_of_any_size():
    pred = PredNode("pred", ("obs",), settings=PredSettings(latent_size=20, norm="layernorm"), recurrent=True)
    agent = make(pred)
    assert np.isfinite(agent.train(trajectory_of(agent, 3, 6)).loss)


def test_neighbours_of_other_sizes_agree():
    nodes = [
        PredNode(f"pred{size}", ("obs",), neighbor_names=[f"pred{n}" for n in (8, 16, 24) if n != size],
                 settings=PredSettings(latent_size=size, consensus="complex"))
        for size in (8, 16, 24)
    ]
    agent = make(*nodes)
    assert np.isfinite(agent.train(trajectory_of(agent, 3, 6)).loss)
