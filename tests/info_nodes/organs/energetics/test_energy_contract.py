"""Every node of the energetics passes the contract of a node."""
from __future__ import annotations

import tensorflow as tf

from infonodes.info_nodes.lambda_node import LambdaNode
from infonodes.info_nodes.organs.energetics import (
    DriveSensor,
    EnergyConversion,
    EnergyStorage,
    EnergyTransport,
    Organ,
    OrganSettings,
)
from infonodes.testing import FakeActuatorNode, FakeSensorNode, NodeContract
from infonodes.types import Target


def asking(name):
    """A node that asks `name` for targets that differ by row, in some rows."""

    def ask(targets, parents, state):
        code = tf.tanh(tf.reduce_mean(parents["obs"]["value"], axis=-1, keepdims=True))
        value = parents[name]["activity"] * 0.0 + code
        return {name: Target(ask.decode(value), code[:, 0] > -0.2)}, state

    node = LambdaNode("wish", ("obs", name), top_down=ask, control_names=(name,))
    bind = node._bind
    node._bind = lambda: (bind(), setattr(ask, "decode", node.peer(name).decode))
    return node


class EnergyContract(NodeContract):
    """A mouth that sees food feeds the node under test, on which others draw."""

    node_name = "tested"

    def organ(self):
        raise NotImplementedError

    def make_nodes(self):
        tested = self.organ()
        return [
            FakeSensorNode("obs"),
            EnergyStorage("mouth", OrganSettings(4, capacity=2.0, start=1.0, intake="")),
            tested,
            Organ("muscle", OrganSettings(tested.energy_size, basal=0.05), "tested"),
            FakeActuatorNode("act").charge("tested", per_control=0.2),
            asking("tested"),
        ]


class TestOrgan(EnergyContract):
    def organ(self):
        return Organ("tested", OrganSettings(4, basal=0.02), "mouth")


class TestHungryOrgan(EnergyContract):
    """One that one component harms."""

    def organ(self):
        usefulness = [[0.5, 0.2, 0.1, -0.5], [0.3, 0.2, 0.1, -0.2]]
        return Organ("tested", OrganSettings(2, usefulness=usefulness, basal=(0.1, 0.2)), "mouth")


class TestEnergyStorage(EnergyContract):
    def organ(self):
        return EnergyStorage("tested", OrganSettings(4, capacity=(1.0, 2.0, 0.5, 1.0)), "mouth", set_point=0.45)


class TestEnergyTransport(EnergyContract):
    def organ(self):
        return EnergyTransport("tested", "mouth", OrganSettings(4, start=0.1), 0.8, 0.3)


class TestEnergyConversion(EnergyContract):
    def organ(self):
        return EnergyConversion("tested", "mouth", [[0.5, 0.5, 0.0, 0.2], [0.2, 0.0, 0.9, 0.2]], flow=0.4)


class TestMouth(EnergyContract):
    node_name = "mouth"

    def organ(self):
        return EnergyStorage("tested", OrganSettings(4), "mouth")


class TestDriveSensor(NodeContract):
    node_name = "drive"
    arguments = {"task": 0.5}

    def make_nodes(self):
        return [
            FakeSensorNode("obs"),
            EnergyStorage("blood", OrganSettings(4, intake="")),
            FakeActuatorNode("act").charge("blood", per_control=0.2, per_tick=0.01),
            DriveSensor("drive", ("blood",), **self.arguments),
        ]


class TestNegativeCost(TestDriveSensor):
    arguments = {"form": "negative_cost", "weight": 2.0}
