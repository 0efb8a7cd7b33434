"""Loops that hold nothing must not grow; counted in Python's allocations, which are exact."""
from __future__ import annotations

import gc
import sys

import numpy as np
import reverb
import tensorflow as tf
from tf_agents.environments import suite_gym
from tf_agents.specs import tensor_spec

from infonodes import presets
from infonodes.eager_leak import plug
from infonodes.py_policy import PackedPyPolicy
from infonodes.replay.weights import WeightsChannel, WeightsFormat

CALLS = 500
# A tensor that leaks leaves one allocation; other threads leave a few now and then.
LEAK = 0.5


def left_behind(call) -> float:
    """Returns the allocations that each `call()` leaves behind."""
    for _ in range(50):
        call()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(CALLS):
        call()
    gc.collect()
    return (sys.getallocatedblocks() - before) / CALLS


def test_values_stay_and_nests_too():
    nest = {"a": tf.constant([1.0, 2.0]), "b": (np.arange(2), "text")}
    assert plug(nest) is nest
    assert nest["a"].numpy().tolist() == [1.0, 2.0] and nest["a"].shape == [2]
    assert (nest["a"] + nest["a"]).numpy().tolist() == [2.0, 4.0]


def test_in_a_graph_it_does_nothing():
    double = tf.function(lambda x: plug(x) * 2.0)
    assert double(tf.constant(1.5)).numpy() == 3.0


def test_plugged_tensors_leave_nothing():
    array = np.zeros(10, np.float32)
    assert left_behind(lambda: plug(tf.constant(array))) < LEAK


def test_acting_and_moving_weights_leave_nothing():
    env = suite_gym.load("CartPole-v1")
    specs = tensor_spec.from_spec((env.time_step_spec(), env.action_spec()))
    agent = presets.reactive(*specs)
    policy, first = PackedPyPolicy(agent.collect_policy), env.reset()
    state = [policy.get_initial_state(None)]

    def act():
        state[0] = policy.action(first, state[0]).state

    assert left_behind(act) < LEAK
    variables = agent.collect_policy.variables()
    server = reverb.Server([WeightsFormat(variables).make_table()])
    channel = WeightsChannel(variables, f"localhost:{server.port}")
    assert left_behind(lambda: channel.publish(1)) < LEAK
    assert left_behind(channel.pull) < LEAK
    packed, _ = channel.pull()
    assert left_behind(lambda: channel.apply(packed)) < LEAK
    server.stop()
