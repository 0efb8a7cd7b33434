"""The three passes: who reads what, when, and that the order of listing says nothing."""
from __future__ import annotations

import itertools

import hypothesis.strategies as st
import numpy as np
import tensorflow as tf
from hypothesis import given, settings

from infonodes import graph as graph_lib
from infonodes.graph import NodeGraph, parent_order
from infonodes.info_nodes.lambda_node import LambdaNode
from infonodes.info_nodes.rows import pick_target
from infonodes.modes import Modes
from infonodes.testing import FakeActuatorNode, FakeSensorNode
from infonodes.types import Target, Tick

X = {"x": tf.TensorSpec([], tf.float32)}
TICK = Tick(tf.constant([1, 2]), Modes(greedy=True))
WORLD = {
    "observation": tf.constant([[1.0, 2.0], [3.0, 4.0]]),
    "reward": tf.zeros([2]),
    "discount": tf.ones([2]),
    "step_type": tf.ones([2], tf.int32),
}
YES, NO = tf.ones([2], tf.bool), tf.zeros([2], tf.bool)


def at(value):
    return {"x": tf.constant([value, value]), "cost": tf.zeros([2])}


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_parents_come_first(data):
    """For random DAGs in random order; and no node is lost."""
    size = data.draw(st.integers(1, 8))
    nodes = []
    for i in range(size):
        parents = data.draw(st.sets(st.integers(0, i - 1), max_size=3)) if i else set()
        nodes.append(LambdaNode(f"n{i}", [f"n{p}" for p in parents]))
    ordered = parent_order(data.draw(st.permutations(nodes)))
    assert {n.name for n in ordered} == {n.name for n in nodes}
    for i, node in enumerate(ordered):
        assert set(node.parent_names) <= {n.name for n in ordered[:i]}


def test_bottom_up_reads_this_tick():
    """A chain of three adds one a node: all of it within one pass."""
    plus = lambda parent: lambda parents, state: {**state, "x": parents[parent]["x"] + 1.0}
    graph = NodeGraph([
        LambdaNode("c", ("b",), bottom_up=plus("b"), extra_state_spec=X),
        LambdaNode("a", extra_state_spec=X, bottom_up=lambda p, s: {**s, "x": s["x"] + 10.0}),
        LambdaNode("b", ("a",), bottom_up=plus("a"), extra_state_spec=X),
    ])
    states = graph_lib.bottom_up(graph, WORLD, {n: at(0.0) for n in "abc"}, TICK)
    assert [float(states[n]["x"][0]) for n in "abc"] == [10.0, 11.0, 12.0]
    assert graph.names == ("a", "b", "c")
    assert graph.children == {"a": ("b",), "b": ("c",), "c": ()}


def test_forward_reads_what_was_before_the_pass():
    """Neighbours in a ring swap their values; if one read the other's new value, none would."""
    take = lambda other: lambda neighbors, state: (None, {**state, "x": neighbors[other]["x"]})
    ring = {"a": "b", "b": "c", "c": "a"}
    for order in itertools.permutations(ring):
        graph = NodeGraph([
            LambdaNode(n, neighbor_names=(ring[n],), forward=take(ring[n]), extra_state_spec=X)
            for n in order
        ])
        _, states = graph_lib.forward(graph, {"a": at(1.0), "b": at(2.0), "c": at(3.0)}, TICK)
        assert [float(states[n]["x"][0]) for n in "abc"] == [2.0, 3.0, 1.0]


def test_a_target_for_oneself_arrives_in_top_down():
    def remember(targets, parents, state):
        return {}, {**state, "x": targets["a"].value}

    node = LambdaNode(
        "a", extra_state_spec=X, forward=lambda n, s: (Target(s["x"] * 2.0, YES), s), top_down=remember
    )
    _, states = graph_lib.run_tick(NodeGraph([node]), WORLD, {"a": at(3.0)}, TICK)
    assert float(states["a"]["x"][0]) == 6.0


def asker(name, value, valid=YES):
    return LambdaNode(
        name, ("act",), control_names=("act",),
        top_down=lambda t, p, s: ({"act": Target(tf.fill([2, 2], value), valid)}, s),
    )


def test_top_down_goes_children_first_and_reaches_the_world():
    """Closed form: the one sender's value is done, clipped, at the cost of half its square."""
    graph = NodeGraph([asker("above", 0.5), FakeActuatorNode("act"), FakeSensorNode("obs", 2)])
    asked, states = graph_lib.run_tick(graph, WORLD, graph.initial_state(2), TICK)
    np.testing.assert_allclose(asked["act"], 0.5 * np.ones([2, 2]))
    np.testing.assert_allclose(states["act"]["cost"], [0.25, 0.25])
    np.testing.assert_allclose(states["obs"]["value"], WORLD["observation"])
    assert graph.senders["act"] == ("above",) and graph.senders["environment"] == ("act",)
    assert [n.name for n in graph.controls] == ["act"]


def test_rows_without_a_valid_target_rest():
    graph = NodeGraph([asker("above", 0.5, tf.constant([True, False])), FakeActuatorNode("act")])
    asked, _ = graph_lib.run_tick(graph, WORLD, graph.initial_state(2), TICK)
    np.testing.assert_allclose(asked["act"], [[0.5, 0.5], [0.0, 0.0]])


def test_one_target_is_sampled_not_averaged():
    """Of two senders each is obeyed in half of the rows (binomial, 4 sigma), whole."""
    rows = 2000
    slots = {
        name: Target(tf.fill([rows, 2], value), tf.ones([rows], tf.bool))
        for name, value in (("a", -1.0), ("b", 1.0), ("c", 0.25))
    }
    slots["c"] = slots["c"]._replace(valid=tf.zeros([rows], tf.bool))
    picked = pick_target(slots, tf.constant([3, 4]))
    values = picked.value.numpy()
    assert set(np.unique(values)) == {-1.0, 1.0}, "an average, or an invalid slot, was picked"
    np.testing.assert_array_equal(values[:, 0], values[:, 1])
    assert abs(np.mean(values[:, 0] == 1.0) - 0.5) < 4 * 0.5 / np.sqrt(rows)
    assert np.all(picked.valid)


def test_no_target_is_none_and_no_valid_one_says_so():
    assert pick_target({}, TICK.seed) is None
    two = {n: Target(tf.zeros([2, 1]), NO) for n in "ab"}
    assert not np.any(pick_target(two, TICK.seed).valid)


def test_order_of_listing_says_nothing_even_to_draws():
    """Seeds go by name: also what is drawn is the same in every order."""

    def run(order):
        nodes = {
            "obs": lambda: FakeSensorNode("obs", 2),
            "act": lambda: FakeActuatorNode("act"),
            "one": lambda: asker("one", 0.5),
            "two": lambda: asker("two", -0.5),
        }
        graph = NodeGraph([nodes[n]() for n in order])
        return graph_lib.run_tick(graph, WORLD, graph.initial_state(2), TICK)

    expected = run(("obs", "act", "one", "two"))
    for order in itertools.permutations(("obs", "act", "one", "two")):
        for a, b in zip(tf.nest.flatten(expected), tf.nest.flatten(run(order))):
            np.testing.assert_array_equal(a, b)


def test_states_handed_in_are_left_alone():
    graph = NodeGraph([FakeSensorNode("obs", 2), FakeActuatorNode("act")])
    states = graph.initial_state(2)
    graph_lib.run_tick(graph, WORLD, states, TICK)
    assert np.all(states["obs"]["value"] == 0.0)
