"""What does not fit is refused, with where, what was expected, what came, and the fix."""
from __future__ import annotations

import pytest
import tensorflow as tf
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from infonodes import presets
from infonodes.agent import InfoNodeAgent
from infonodes.graph import NodeGraph
from infonodes.info_nodes.info_node import SCALAR, InfoNode
from infonodes.info_nodes.lambda_node import LambdaNode
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.pred_node import PredNode, PredSettings
from infonodes.info_nodes.reward_node import RewardNode, RewardSettings
from infonodes.info_nodes.rl_node import RLNode
from infonodes.modes import Modes
from infonodes.policy import InfoNodePolicy
from infonodes.rewards import CostTree
from infonodes.testing import FakeActuatorNode, FakeSensorNode, trajectory_of
from infonodes.types import GraphError, NodeError, Target

TIME_STEP = ts.time_step_spec(tf.TensorSpec([4], tf.float32))
ACTION = tensor_spec.BoundedTensorSpec([2], tf.float32, -1.0, 1.0, "action")


def shell():
    return [FakeSensorNode("obs"), FakeActuatorNode("act")]


def refused(error, build, *words):
    with pytest.raises(error) as caught:
        build()
    for word in words:
        assert word in str(caught.value), f"{word!r} is not in: {caught.value}"


def tick(*nodes):
    """Runs a tick of a graph of the shell and `nodes`."""
    policy = InfoNodePolicy(TIME_STEP, ACTION, NodeGraph([*shell(), *nodes]), jit_compile=False)
    return policy.action(ts.restart(tf.zeros([2, 4]), 2), policy.get_initial_state(2))


@pytest.mark.parametrize("name", ["a b", "1st", "", "a-b", "environment", "ä", 3])
def test_names(name):
    refused(GraphError, lambda: FakeSensorNode(name), repr(name), "expected", "rename")


def test_duplicate_names():
    refused(GraphError, lambda: NodeGraph([FakeSensorNode("x"), FakeActuatorNode("x")]), "['x']", "rename")


def test_no_nodes():
    refused(GraphError, lambda: NodeGraph([]), "at least one node", "none")


@pytest.mark.parametrize("role", ["parent_names", "neighbor_names"])
def test_unknown_names(role):
    node = LambdaNode("glue", **{role: ("nobody",)})
    refused(GraphError, lambda: NodeGraph([*shell(), node]), "'glue'", role, "'nobody'", "'act', 'glue', 'obs'")


def test_cycle():
    nodes = [LambdaNode("a", ("b",)), LambdaNode("b", ("c",)), LambdaNode("c", ("a",)), LambdaNode("d")]
    refused(GraphError, lambda: NodeGraph(nodes), "cycle", "['a', 'b', 'c']", "neighbor_names")


def test_neighbours_may_form_cycles():
    NodeGraph([LambdaNode("a", neighbor_names=("b",)), LambdaNode("b", neighbor_names=("a",))])


def test_control_that_is_no_parent():
    build = lambda: LambdaNode("glue", ("obs",), control_names=("act",))
    refused(GraphError, build, "'glue'", "['act']", "parent_names")


def test_control_that_takes_no_targets():
    node = LambdaNode("glue", ("obs",), control_names=("obs",))
    refused(GraphError, lambda: NodeGraph([*shell(), node]), "'glue'", "'obs'", "target_spec is None", "drop it")


def test_node_of_another_graph():
    nodes = [FakeSensorNode("obs"), PredNode("pred", ("obs",), settings=PredSettings(latent_size=8))]
    NodeGraph(nodes)
    refused(GraphError, lambda: NodeGraph(nodes), "'obs'", "bound", "new node")  # Sensors too, which bind to nothing.


class Broken(InfoNode):
    """A node whose pass returns what it is told to."""

    def __init__(self, returns, controls=()):
        super().__init__("broken", ("obs", "act"), control_names=controls)
        self.state_spec = {"x": tf.TensorSpec([3], tf.float32), "cost": SCALAR}
        self.returns = returns

    def _bottom_up(self, parent_states, state, tick):
        return self.returns(state)


@pytest.mark.parametrize("returns, words", [
    (lambda s: {"cost": s["cost"]}, ["Expected", "got", "every entry of state_spec"]),
    (lambda s: {**s, "more": s["x"]}, ["Expected", "got"]),
    (lambda s: {**s, "x": s["x"][:, :2]}, ["expected", "(3,)", "(2, 2)"]),
    (lambda s: {**s, "x": tf.cast(s["x"], tf.int32)}, ["float32", "int32"]),
    (lambda s: {**s, "cost": s["x"]}, ["expected", "(2, 3)"]),
])
def test_wrong_state(returns, words):
    """A node that returns another structure, shape or dtype is named, with the pass."""
    refused(NodeError, lambda: tick(Broken(returns)), "'broken'", "bottom_up", *words)


def test_state_without_cost():
    node = LambdaNode("glue")
    node.state_spec = {"x": SCALAR}
    refused(GraphError, lambda: NodeGraph([node]), "'glue'", "lacks a scalar 'cost'", "add it")


def asks(target, control="act", controls=("act",)):
    return LambdaNode(
        "glue", ("obs", "act"), control_names=controls, top_down=lambda t, p, s: ({control: target(s)}, s)
    )


YES = tf.ones([2], tf.bool)


@pytest.mark.parametrize("target", [
    lambda s: Target(tf.zeros([2, 3]), YES),
    lambda s: Target(tf.zeros([2, 2], tf.int32), YES),
    lambda s: Target((tf.zeros([2, 2]),), YES),
    lambda s: tf.zeros([2, 2]),
])
def test_target_that_does_not_fit(target):
    refused(NodeError, lambda: tick(asks(target)), "'glue'", "top_down", "'act'", "Expected", "got")


def test_target_to_what_is_no_control():
    node = asks(lambda s: Target(tf.zeros([2, 2]), YES), control="obs")
    refused(NodeError, lambda: tick(node), "'glue'", "top_down", "['obs']", "('act',)", "control_names")


@pytest.mark.parametrize("method", ["_signal", "_encode"])
def test_what_a_node_cannot(method):
    node = LambdaNode("glue")
    refused(NodeError, lambda: getattr(node, method)(None), "'glue'", "LambdaNode", "override")


def test_actuators_that_do_not_make_up_the_action():
    graph = NodeGraph([FakeSensorNode("obs"), FakeActuatorNode("act", key="left")])
    refused(GraphError, lambda: InfoNodePolicy(TIME_STEP, ACTION, graph), "['']", "['left']", "organs.gym.actuators")


def test_rainbow_without_rl_nodes():
    build = lambda: InfoNodeAgent(TIME_STEP, ACTION, shell(), modes=Modes(collect="rainbow"))
    refused(GraphError, build, "rainbow", "'act'", "RLNode")
    agent = InfoNodeAgent(TIME_STEP, ACTION, shell())
    refused(GraphError, lambda: agent.make_policy(Modes(collect="rainbow")), "rainbow", "'act'", "RLNode")


def test_costs_of_no_node():
    build = lambda: InfoNodeAgent(TIME_STEP, ACTION, shell(), cost_tree=CostTree({"obz": 0.0}))
    refused(GraphError, build, "'obz'", "'obs'")


def test_prednode_that_reads_the_environment():
    nodes = [*shell(), PredNode("pred", ("environment",))]
    refused(GraphError, lambda: NodeGraph(nodes), "'pred'", "'environment'", "name a sensor")


def test_a_node_that_acts_without_being_an_actuator():
    nodes = [*shell(), LambdaNode("glue", ("environment",), control_names=("environment",))]
    refused(GraphError, lambda: InfoNodePolicy(TIME_STEP, ACTION, NodeGraph(nodes)), "'glue'", "organs.gym.actuators")


@pytest.mark.parametrize("build, words", [
    (lambda: Modes(collect="x"), ["'x'", "planning"]),
    (lambda: PredSettings(norm="x"), ["norm", "'x'", "simnorm"]),
    (lambda: PredSettings(f_act="x"), ["f_act", "'x'", "search"]),
    (lambda: PredSettings(hold=0), ["hold", "0", "at least 1"]),
    (lambda: RewardSettings(signal="x"), ["signal", "'x'", "intrinsic"]),
    (lambda: RewardSettings(bootstrap="x"), ["bootstrap", "'x'", "reached"]),
    (lambda: RewardSettings(gamma=1.0), ["gamma", "1.0", "[0, 1)"]),
    (lambda: CostTree({"a": -1.0}), ["'a'", "-1.0", ">= 0"]),
    (lambda: RLNode("rl", ("obs",), "act", presets.sac(), reward="x"), ["'rl'", "'x'", "intrinsic"]),
])
def test_options(build, words):
    refused(ValueError, build, *words)


def test_prednode_that_senses_nothing():
    node = PredNode("pred", ("act",), ("act",))
    refused(GraphError, lambda: NodeGraph([*shell(), node]), "'pred'", "say nothing", "parent with a signal")


def test_reward_node_over_no_prednode():
    node = RewardNode("value", "reward", "act")
    build = lambda: NodeGraph([*shell(), gym.RewardSensor("reward"), node])
    refused(GraphError, build, "'value'", "FakeActuatorNode", "PredNode")


def test_counter_that_is_not_passed_on():
    def forgetful(spec, action_spec, counter):
        return presets.sac((8,))(spec, action_spec, tf.Variable(0, dtype=tf.int64))

    build = lambda: NodeGraph([*shell(), RLNode("rl", ("obs",), "act", forgetful)])
    refused(GraphError, build, "'rl'", "train_step_counter")


def test_window_that_is_too_short():
    """At training, from the node whose predictions do not fit into it."""
    settings = PredSettings(latent_size=8, hidden=(8,), hold=4)
    nodes = [*shell(), PredNode("pred", ("obs", "act"), ("act",), settings=settings)]
    agent = InfoNodeAgent(TIME_STEP, ACTION, nodes, train_sequence_length=3, jit_compile=False)
    experience = trajectory_of(agent, 2, 3)
    refused(NodeError, lambda: agent.train(experience), "'pred'", "3 frames", "need 5")
