"""The policy: what it records, what it resets, what it costs."""
from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from infonodes import graph as graph_lib
from infonodes.graph import NodeGraph
from infonodes.info_nodes.lambda_node import LambdaNode
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.pred_node import PredNode, PredSettings
from infonodes.info_nodes.reward_node import RewardNode, RewardSettings
from infonodes.modes import Modes
from infonodes.policy import InfoNodePolicy, obs2dict
from infonodes.rewards import CostTree
from infonodes.testing import FakeActuatorNode, FakeSensorNode
from infonodes.types import Target, Tick

TIME_STEP = ts.time_step_spec(tf.TensorSpec([2], tf.float32))
ACTION = tensor_spec.BoundedTensorSpec([2], tf.float32, -1.0, 1.0, "action")


def counter():
    """Counts its ticks; costs as many."""
    spec = {"ticks": tf.TensorSpec([], tf.float32), "whole": tf.TensorSpec([2], tf.int32)}
    count = lambda p, s: {"ticks": s["ticks"] + 1.0, "whole": s["whole"] + 1, "cost": s["ticks"] + 1.0}
    return LambdaNode("count", bottom_up=count, extra_state_spec=spec)


def make(cost_tree=None, modes=Modes(), nodes=None, **kwargs):
    nodes = [FakeSensorNode("obs", 2, cost=0.25), FakeActuatorNode("act"), counter()] if nodes is None else nodes
    return InfoNodePolicy(
        TIME_STEP, ACTION, NodeGraph(nodes), modes, cost_tree, jit_compile=False, **kwargs
    )


@pytest.fixture(scope="module")
def policy():
    return make()


def frames(step_types, observations=None):
    """A time step `[B]`."""
    batch = len(step_types)
    seen = tf.zeros([batch, 2]) if observations is None else tf.constant(observations)
    return ts.TimeStep(tf.constant(step_types), tf.fill([batch], 0.5), tf.ones([batch]), seen)


def ticks(policy, state):
    return policy.unpack_state(state)["count"]["ticks"].numpy().tolist()


def test_rows_reset_by_themselves(policy):
    """A count of ticks: only rows at FIRST start again; LAST ones still tick."""
    state, seen = policy.get_initial_state(3), []
    for step_types in ([0, 0, 0], [1, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 1]):
        state = policy.action(frames(step_types), state).state
        seen.append(ticks(policy, state))
    assert seen == [[1, 1, 1], [2, 2, 2], [3, 3, 1], [4, 1, 2], [1, 2, 3]]


@pytest.mark.parametrize("state", ["none", "zero rows"])
def test_no_state_is_the_initial_state(policy, state):
    """`()` and batch size 0, as PyDriver and metric_utils.compute have it, mid-episode even."""
    before = () if state == "none" else policy.get_initial_state(0)
    assert ticks(policy, policy.action(frames([1, 1]), before).state) == [1, 1]


def test_info_holds_the_incoming_state_after_the_reset(policy):
    """Frame 0 of a window can then be recomputed."""
    state = policy.get_initial_state(2)
    for _ in range(3):
        state = policy.action(frames([1, 1]), state).state
    step = policy.action(frames([0, 1]), state)
    info = policy.unpack_info(step.info)
    assert info["state"]["count"]["ticks"].numpy().tolist() == [0.0, 3.0]
    assert info["costs"]["count"].numpy().tolist() == [1.0, 4.0]
    assert info["environment"]["reward"].numpy().tolist() == [0.5, 0.5]
    np.testing.assert_array_equal(info["decision"]["act"]["value"], step.action)


def test_the_recorded_tick_can_be_run_again(policy):
    """From the recorded state and what was seen, the passes give the states that followed."""
    state = policy.action(frames([0, 0]), ()).state
    time_step = frames([1, 1], [[1.0, 2.0], [3.0, 4.0]])
    step = policy.action(time_step, state)
    recorded = policy.unpack_info(step.info)["state"]
    _, again = graph_lib.run_tick(
        policy.graph, obs2dict(time_step), recorded, Tick(tf.constant([0, 0]), Modes())
    )
    after = policy.unpack_state(step.state)
    for a, b in zip(tf.nest.flatten(again), tf.nest.flatten(after)):
        np.testing.assert_array_equal(a, b)


def test_cost_is_the_weighted_sum():
    """0.25 × 2 of the sensor, 0 of the count (weight 0), nothing of the resting actuator."""
    policy = make(CostTree({"obs": 2.0, "count": 0.0}))
    step = policy.action(frames([0, 0]), ())
    np.testing.assert_allclose(step.info["cost"], [0.5, 0.5])


def test_randomness_is_carried_in_the_state(policy):
    """Same state, same action; the next state draws anew; another rng, another action."""
    policy = make(modes=Modes(collect="random"))
    state = policy.get_initial_state(2)
    one, two = (policy.action(frames([0, 0]), state) for _ in range(2))
    np.testing.assert_array_equal(one.action, two.action)
    later = policy.action(frames([1, 1]), one.state)
    assert np.any(later.action != one.action)
    other = policy.action(frames([0, 0]), {**state, "rng": state["rng"] + 1})
    assert np.any(other.action != one.action)
    assert np.all(one.action[0] != one.action[1]), "rows share their draws"


def test_distributions_are_traced_once(policy):
    state = policy.get_initial_state(2)
    policy.distribution(frames([0, 1]), state)
    before = policy._run.experimental_get_tracing_count()
    for _ in range(3):
        policy.distribution(frames([0, 1]), state)
    assert policy._run.experimental_get_tracing_count() == before


def test_seed_argument_decides(policy):
    policy = make(modes=Modes(collect="random"))
    state = policy.get_initial_state(2)
    one, two, three = (policy.action(frames([0, 0]), state, seed=s).action for s in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert np.any(one != three)


def test_initial_states_differ_in_rng_and_follow_the_global_seed(policy):
    draws = []
    for seed in (1, 1, 2):
        tf.random.set_seed(seed)
        draws.append(policy.get_initial_state(1)["rng"].numpy().tolist())
    assert draws[0] == draws[1] != draws[2]


def test_dict_to_action_and_observation_to_dict():
    """The notes' obs2dict and dict2act: the user's own meeting of graph and specs."""
    policy = make(
        nodes=[FakeSensorNode("obs", 2), FakeActuatorNode("left", 1, "x"), FakeActuatorNode("right", 1, "y")],
        observation_to_dict=lambda t: {**obs2dict(t), "observation": t.observation * 2.0},
        dict_to_action=lambda asked: tf.concat([asked["right"] + 1.0, asked["left"]], axis=-1),
    )
    step = policy.action(frames([0], [[1.0, 2.0]]), ())
    np.testing.assert_array_equal(step.action, [[1.0, 0.0]])
    np.testing.assert_array_equal(policy.unpack_state(step.state)["obs"]["value"], [[2.0, 4.0]])


def test_nested_actions_find_their_actuators():
    """By `key`, in the spec's structure, whatever the nodes are called."""
    spec = {"arm": (ACTION, ACTION), "leg": ACTION}
    wish = lambda name, value: LambdaNode(
        f"wish_{name}", (name,), control_names=(name,),
        top_down=lambda t, p, s: ({name: Target(tf.fill([2, 2], value), tf.ones([2], tf.bool))}, s),
    )
    keys = {"a": "leg", "b": "arm/1", "c": "arm/0"}
    nodes = [FakeActuatorNode(n, 2, key) for n, key in keys.items()]
    nodes += [wish("a", 0.1), wish("b", 0.2), wish("c", 0.3)]
    policy = InfoNodePolicy(TIME_STEP, spec, NodeGraph(nodes), jit_compile=False)
    action = policy.action(frames([0, 0]), ()).action
    tf.nest.assert_same_structure(action, spec)
    found = [float(a[0, 0]) for a in (action["leg"], action["arm"][1], action["arm"][0])]
    np.testing.assert_allclose(found, [0.1, 0.2, 0.3], rtol=1e-6)


def test_specs_of_the_caller_are_left_alone(policy):
    """TF-Agents mutates an info_spec it is given; ours are copies."""
    assert policy.info_spec["packed"] is not policy._info.packed_spec
    assert "log_probability" not in policy.info_spec


def test_greedy_evaluations_agree():
    """From other seeds, with candidates and sequences that are drawn: only collecting may differ."""
    settings = PredSettings(latent_size=8, hidden=(8,), options=6, norm="layernorm")
    above = dataclasses.replace(settings, hold=2)
    nodes = [
        FakeSensorNode("obs", 2), *gym.actuators(ACTION), gym.RewardSensor("reward"),
        PredNode("low", ("obs", "act"), ("act",), settings=settings),
        PredNode("high", ("low",), ("low",), settings=above),
        RewardNode("value", "reward", "high", RewardSettings(hidden=8, horizon=3, width=7, epsilon=0.0)),
    ]
    collect = make(nodes=nodes)
    greedy = InfoNodePolicy(TIME_STEP, ACTION, collect.graph, Modes(greedy=True), jit_compile=False)
    seen = frames([1] * 4, np.random.default_rng(0).normal(size=[4, 2]).astype(np.float32))
    state = collect.get_initial_state(4)
    for _ in range(2):  # From latents that are not the initial ones.
        state = collect.action(seen, state).state

    def states(policy, rng):
        step = policy.action(seen, {**state, "rng": tf.tile(tf.constant([rng]), [4, 1])})
        return {"action": step.action, **policy.unpack_state(step.state)}

    one, other = states(greedy, [1, 2]), states(greedy, [3, 4])
    tf.nest.map_structure(np.testing.assert_array_equal, one, other)
    explored = [states(collect, rng)["high"]["options"].numpy() for rng in ([1, 2], [3, 4])]
    assert np.any(explored[0] != explored[1]), "nothing is drawn here, so that nothing is tested"
