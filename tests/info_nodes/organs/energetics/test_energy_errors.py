"""What cannot live is refused, with the node, what was expected, what came, and the fix."""
from __future__ import annotations

import pytest
import tensorflow as tf

from infonodes import graph as graph_lib
from infonodes.graph import NodeGraph
from infonodes.info_nodes.lambda_node import LambdaNode
from infonodes.info_nodes.organs.energetics import (
    DriveSensor,
    EnergyConversion,
    EnergyStorage,
    EnergyTransport,
    Organ,
    OrganSettings,
)
from infonodes.info_nodes.pred_node import PredNode
from infonodes.info_nodes.rl_node import RLNode
from infonodes.modes import Modes
from infonodes.types import GraphError, Tick


def refused(build, *words, error=GraphError):
    with pytest.raises(error) as caught:
        build()
    for word in words:
        assert word in str(caught.value), f"{word!r} is not in: {caught.value}"


def blood(components=2, **settings):
    return EnergyStorage("blood", OrganSettings(components, **settings))


def test_supplier_that_does_not_exist():
    refused(lambda: NodeGraph([Organ("limb", energy_node_name="blod"), blood()]), "'limb'", "'blod'", "'blood'")


def test_supplier_that_holds_no_energy():
    nodes = [LambdaNode("glue"), LambdaNode("eye").charge("glue", per_tick=1.0)]
    refused(lambda: NodeGraph(nodes), "'eye'", "'glue'", "LambdaNode", "name an organ")


@pytest.mark.parametrize("size", [1, 3])
def test_vectors_of_unlike_length(size):
    organ = Organ("limb", OrganSettings(size), "blood")
    refused(lambda: NodeGraph([blood(), organ]), "'limb'", f"{size} energy", "'blood' has 2", f"[{size}, 2]")


@pytest.mark.parametrize("field", ["capacity", "start", "basal"])
def test_settings_of_unlike_length(field):
    settings = OrganSettings(3, **{field: (0.1, 0.2)})
    refused(lambda: Organ("limb", settings), "'limb'", field, "[2]", "[3]", "give 3 numbers")


def test_set_point_of_unlike_length():
    refused(lambda: EnergyStorage("fat", OrganSettings(2), set_point=(1.0, 1.0, 1.0)), "'fat'", "set_point", "[2]")


def test_tariff_of_unlike_length():
    node = LambdaNode("eye").charge("blood", per_tick=(1.0, 2.0, 3.0))
    refused(lambda: NodeGraph([blood(), node]), "'eye'", "per_tick", "[2]", "'blood'")


@pytest.mark.parametrize("price", [-1.0, float("nan")])
def test_tariff_that_pays(price):
    node = LambdaNode("eye").charge("blood", per_tick=price)
    refused(lambda: NodeGraph([blood(), node]), "'eye'", "≥ 0")


def test_named_supplier_without_a_price():
    node = PredNode("mind", ("blood",), energy_node_name="blood")
    refused(lambda: NodeGraph([blood(), node]), "'mind'", "billed for nothing", "charge")


@pytest.mark.parametrize("build", [
    lambda: EnergyConversion("gut", None, [[0.7, 0.1], [0.7, 0.1]]),
    lambda: Organ("gut", OrganSettings(2, usefulness=[[0.7, 0.1], [0.7, -0.1]])),
])
def test_matrix_that_makes_energy(build):
    refused(build, "'gut'", "makes energy", "[0]", "1.4", "at most 1", "divide")


def test_transport_that_makes_energy():
    refused(lambda: EnergyTransport("vein", "blood", efficiency=1.2), "'vein'", "1.2", "makes energy")


def test_conversion_that_harms():
    refused(lambda: EnergyConversion("gut", None, [[0.5, -0.5]]), "'gut'", "below 0", "usefulness")


@pytest.mark.parametrize("shape", [[[1.0], [0.0], [0.0]], [1.0, 2.0], [[]]])
def test_matrix_of_another_shape(shape):
    refused(lambda: Organ("gut", OrganSettings(2, usefulness=shape)), "'gut'", "usefulness", "[2, I]")


@pytest.mark.parametrize("capacity", [0.0, -1.0, (1.0, 0.0), float("inf")])
def test_bounds_of_zero(capacity):
    refused(lambda: blood(capacity=capacity), "'blood'", "capacity", "> 0")


def test_start_above_capacity():
    refused(lambda: blood(start=2.0), "'blood'", "start", "capacity", "lower")


def test_flow_of_nothing():
    refused(lambda: EnergyTransport("vein", "blood", flow=0.0), "'vein'", "flow", "> 0")


def test_suppliers_in_a_circle():
    nodes = [Organ("a", energy_node_name="b"), Organ("b", energy_node_name="c"), Organ("c", energy_node_name="a")]
    refused(lambda: NodeGraph(nodes), "circle", "['a', 'b', 'c']", "intake")


@pytest.mark.parametrize("observation", [{"soup": tf.zeros([2, 2])}, {"food": tf.zeros([2, 3])}])
def test_intake_that_is_not_seen(observation):
    graph = NodeGraph([blood(intake="food")])
    world = {"observation": observation, "step_type": tf.zeros([2], tf.int32)}
    tick = Tick(tf.constant([0, 0]), Modes())
    refused(lambda: graph_lib.run_tick(graph, world, graph.initial_state(2), tick), "'blood'", "'food'", "[2]")


def test_drive_of_an_organ_without_set_point():
    nodes = [Organ("limb"), DriveSensor("drive", ("limb",))]
    refused(lambda: NodeGraph(nodes), "'drive'", "'limb'", "EnergyStorage")


def test_unknown_form_of_drive():
    refused(lambda: DriveSensor("drive", ("blood",), "joy"), "'drive'", "'joy'", "drive_reduction")


@pytest.mark.parametrize("arguments", [{"reward": "sensed"}, {"reward_name": "drive"}])
def test_sensed_reward_needs_a_sensor(arguments):
    build = lambda: RLNode("rl", ("obs",), "act", lambda *_: None, **arguments)
    refused(build, "'rl'", "sensed", "reward_name", error=ValueError)
