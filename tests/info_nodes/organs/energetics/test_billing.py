"""Who pays whom, and when: small bodies worked out by hand."""
from __future__ import annotations

import numpy as np
import tensorflow as tf

from infonodes import graph as graph_lib
from infonodes.graph import NodeGraph
from infonodes.info_nodes.lambda_node import LambdaNode
from infonodes.info_nodes.organs.energetics import EnergyStorage, EnergyTransport, Organ, OrganSettings
from infonodes.modes import Modes
from infonodes.types import Target, Tick


def ticks(graph, count, food=0.0):
    """States after each tick of one row that is fed `food` a tick."""
    states, found = graph.initial_state(1), []
    for number in range(count):
        world = {"observation": {"food": tf.fill([1, 1], food)}, "step_type": tf.fill([1], min(number, 1))}
        _, states = graph_lib.run_tick(graph, world, states, Tick(tf.constant([0, number]), Modes()))
        found.append(states)
    return found


def column(found, node, leaf):
    return [float(tf.reduce_sum(states[node][leaf])) for states in found]


def test_a_deed_is_owed_at_once_and_paid_at_the_next_tick():
    """0.3 a tick out of 1: spent when done, paid a tick later, until nothing is left to pay with."""
    graph = NodeGraph([
        EnergyStorage("blood", OrganSettings(1, start=1.0)),
        LambdaNode("eye").charge("blood", per_tick=0.3),
    ])
    found = ticks(graph, 6)
    np.testing.assert_allclose(column(found, "blood", "energy"), [1.0, 0.7, 0.4, 0.1, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(column(found, "blood", "bills"), [0.3, 0.3, 0.3, 0.3, 0.5, 0.8], atol=1e-6)
    np.testing.assert_allclose(column(found, "blood", "spent"), [0.3] * 6, atol=1e-6)
    np.testing.assert_allclose(column(found, "blood", "debt"), [0.0] * 6, atol=1e-6)


def test_over_asking_is_served_and_exacted():
    """Two deeds of 0.8 draw on 1.0: both are served, 0.6 of it imaginary, exacted from the next meals."""
    blood = EnergyStorage("blood", OrganSettings(1, start=1.0, intake="food"))
    graph = NodeGraph([blood, *(LambdaNode(n).charge("blood", per_tick=0.8) for n in ("left", "right"))])
    found = ticks(graph, 3, food=0.2)
    # Tick 2: 1.0 (full) + 0.2 − 1.6: 0.4 short. Tick 3: nothing is there to be drawn, 0.2 repays.
    np.testing.assert_allclose(column(found, "blood", "energy"), [1.0, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(column(found, "blood", "debt"), [0.0, 0.4, 0.2], atol=1e-6)
    np.testing.assert_allclose(column(found, "blood", "bills"), [1.6, 1.6, 3.2], atol=1e-6)


def test_an_unpaid_bill_raises_the_storages_own_target():
    """The client keeps what it has; the storage asks its supplier for the bill on top of its own lack."""
    graph = NodeGraph([
        EnergyStorage("depot", OrganSettings(1, capacity=9.0, start=9.0)),
        EnergyStorage("blood", OrganSettings(1, capacity=1.0, start=0.2), "depot", set_point=0.2),
        Organ("limb", OrganSettings(1, capacity=1.0, start=0.9, basal=0.5), "blood"),
    ])
    states = ticks(graph, 1)[0]
    assert abs(column([states], "limb", "energy")[0] - 0.4) < 1e-6  # It spent what it had itself.
    assert abs(float(states["blood"]["bills"][0, 0, 0]) - 0.5) < 1e-6
    assert abs(float(states["depot"]["bills"][0, 0, 0]) - 0.5) < 1e-6  # Stands at its set point: the bill alone.
    after = ticks(graph, 3)
    assert column(after, "limb", "energy")[1] > 0.0 and column(after, "blood", "energy")[2] > 0.0


def test_storage_sums_its_targets():
    """Three ask it to hold 0.1 above its set point, one of them in no row: it asks for 0.2 more."""
    wish = lambda name, valid: LambdaNode(
        name, ("blood",), control_names=("blood",),
        top_down=lambda t, p, s: ({"blood": Target(tf.fill([1, 1], 0.1), tf.fill([1], valid))}, s),
    )
    graph = NodeGraph([
        EnergyStorage("depot", OrganSettings(1, capacity=9.0, start=9.0)),
        EnergyStorage("blood", OrganSettings(1, start=0.5), "depot"),
        wish("one", True), wish("two", True), wish("three", False),
    ])
    states = ticks(graph, 1)[0]
    assert abs(float(states["depot"]["bills"][0, 0, 0]) - 0.2) < 1e-6


def test_transport_loses_its_share():
    """0.5 drawn through η = 0.8: the vein asks 0.625 and loses 0.125."""
    graph = NodeGraph([
        EnergyStorage("blood", OrganSettings(1, start=1.0)),
        EnergyTransport("vein", "blood", OrganSettings(1, start=0.0), 0.8),
        LambdaNode("eye", ).charge("vein", per_tick=0.5),
    ])
    found = ticks(graph, 2)
    np.testing.assert_allclose(float(found[0]["blood"]["bills"][0, 0, 0]), 0.625, atol=1e-6)
    np.testing.assert_allclose(column(found, "vein", "energy")[1], 0.5, atol=1e-6)
    np.testing.assert_allclose(column(found, "vein", "lost")[1], 0.125, atol=1e-6)


def test_a_narrow_vein_asks_for_what_it_can_hold():
    """5 for the fat through a vein that holds 1: 1 is under way at each tick, and nothing is spilt.

    ```
    tick   0  1  2  3  4  5  6
    vein   0  1  1  1  1  1  0      asked for 5 − fat; a tick later it hands on all it had
    fat    0  0  1  2  3  4  5
    ```
    """
    graph = NodeGraph([
        EnergyStorage("depot", OrganSettings(1, capacity=50.0, start=50.0)),
        EnergyTransport("vein", "depot", OrganSettings(1, start=0.0), 1.0, flow=5.0),
        EnergyStorage("fat", OrganSettings(1, capacity=5.0, start=0.0), "vein", set_point=5.0),
    ])
    found = ticks(graph, 8)
    np.testing.assert_allclose(column(found, "vein", "energy"), [0, 1, 1, 1, 1, 1, 0, 0], atol=1e-5)
    np.testing.assert_allclose(column(found, "fat", "energy"), [0, 0, 1, 2, 3, 4, 5, 5], atol=1e-5)
    np.testing.assert_allclose(column(found, "depot", "energy")[-1], 45.0, atol=1e-4)
    np.testing.assert_allclose(column(found, "vein", "lost"), np.zeros(8), atol=1e-6)


def test_a_poor_storage_asks_for_what_it_has_room_for():
    """Blood of 0.1 in 1 is billed 0.9 a tick: it asks for 1, gets 1, and spills nothing."""
    graph = NodeGraph([
        EnergyStorage("depot", OrganSettings(1, capacity=9.0, start=9.0)),
        EnergyStorage("blood", OrganSettings(1, start=0.1), "depot", set_point=0.8),
        Organ("limb", OrganSettings(1, start=0.9, basal=0.9), "blood"),
    ])
    found = ticks(graph, 8)
    assert abs(float(found[0]["depot"]["bills"][0, 0, 0]) - 1.0) < 1e-6
    np.testing.assert_allclose(column(found, "blood", "lost"), np.zeros(8), atol=1e-6)


def test_an_organ_uses_a_share_of_its_energy():
    """σ(0) = 1/2 of 0.8, and bills what it used."""
    ask = lambda t, p, s: ({"limb": Target(tf.zeros([1, 1]), tf.ones([1], tf.bool))}, s)
    graph = NodeGraph([
        EnergyStorage("blood", OrganSettings(1, start=1.0)),
        Organ("limb", OrganSettings(1, start=0.8), "blood"),
        LambdaNode("wish", ("limb",), top_down=ask, control_names=("limb",)),
    ])
    found = ticks(graph, 2)
    np.testing.assert_allclose(column(found, "limb", "spent"), [0.4, 0.4], atol=1e-6)
    np.testing.assert_allclose(column(found, "blood", "bills")[0], 0.4, atol=1e-6)


def test_the_order_of_the_nodes_does_not_matter():
    """Suppliers are read as they were before the pass."""
    nodes = lambda: [
        EnergyStorage("depot", OrganSettings(1, capacity=5.0, start=5.0)),
        EnergyStorage("blood", OrganSettings(1, start=0.5), "depot"),
        Organ("limb", OrganSettings(1, basal=0.4), "blood"),
        LambdaNode("eye").charge("blood", per_tick=0.3),
    ]
    one, other = ticks(NodeGraph(nodes()), 5), ticks(NodeGraph(nodes()[::-1]), 5)
    for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other)):
        np.testing.assert_array_equal(a, b)
