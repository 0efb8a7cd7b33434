"""Running statistics, alone and in one variable."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from infonodes.graph import NodeGraph, run_tick
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.pred_node import PredNode
from infonodes.modes import Modes
from infonodes.networks.statistic import Statistic, join
from infonodes.types import Tick


def three() -> list[Statistic]:
    values = (tf.constant(1.0), tf.constant([2.0, 3.0]), tf.constant([[4.0, 5.0], [6.0, 7.0]]))
    return [Statistic(value, f"s{i}") for i, value in enumerate(values)]


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_one_is_set_and_the_others_stay(joined, jit_compile):
    found = three()
    expected = [s.value.numpy() for s in found]
    if joined:
        join(found)
    for i, statistic in enumerate(found):
        expected[i] = expected[i] + 10.0
        tf.function(lambda s=statistic: s.assign(s.value + 10.0), jit_compile=jit_compile)()
        for other, value in zip(found, expected):
            np.testing.assert_array_equal(other.value, value)


def test_joined_ones_lie_in_one_variable_and_are_joined_once():
    found, late = three(), Statistic(tf.zeros([2]), "late")
    join(found[:1])
    first = found[0].variables[0]
    join([*found, late])
    assert found[0].variables[0] is first
    assert found[1].variables[0] is found[2].variables[0] is late.variables[0] is not first
    assert not late.trainable_variables
    join([])


def graph_of(names: list[str]) -> NodeGraph:
    sensors = gym.sensors(tf.TensorSpec([3], tf.float32))
    return NodeGraph([*sensors, *[PredNode(name, ("obs",)) for name in names]])


def statistics(graph: NodeGraph) -> list[Statistic]:
    return [m for m in graph.submodules if isinstance(m, Statistic)]


def test_a_graphs_statistics_lie_in_one_variable_wherever_nodes_are_listed():
    """So that it costs a tick the same however many nodes there are, and values go over from graph to graph."""
    graph, other = graph_of(["a", "b"]), graph_of(["b", "a"])
    assert len(statistics(graph)) > 4 and len({id(s.variables[0]) for s in statistics(graph)}) == 1
    for i, statistic in enumerate(statistics(graph)):
        statistic.assign(tf.ones_like(statistic.value) * i)
    statistics(other)[0].variables[0].assign(statistics(graph)[0].variables[0])
    for name in ("a", "b", "obs"):
        ours, theirs = ([m for m in g[name].submodules if isinstance(m, Statistic)] for g in (graph, other))
        for one, two in zip(ours, theirs):
            np.testing.assert_array_equal(one.value, two.value)


def test_a_tick_reads_one_more_variable_a_pred_node():
    """Its weights: what else it keeps is in the graph's one."""
    captured = []
    for count in (1, 3):
        graph = graph_of([f"p{i}" for i in range(count)])
        states = graph.initial_state(1)

        @tf.function
        def tick(graph=graph, states=states):
            seen = {"observation": tf.ones([1, 3]), "step_type": tf.ones([1], tf.int32)}
            return run_tick(graph, seen, states, Tick(tf.constant([1, 2]), Modes()))

        captured.append(sum(t.dtype == tf.resource for t in tick.get_concrete_function().captured_inputs))
    assert captured[1] - captured[0] == 2
