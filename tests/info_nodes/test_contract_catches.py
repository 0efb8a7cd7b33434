"""The contract's tests fail for nodes that break it, and for no other reason."""
from __future__ import annotations

import pytest
import tensorflow as tf

from infonodes.info_nodes.info_node import SCALAR, InfoNode
from infonodes.info_nodes.lambda_node import LambdaNode
from infonodes.testing import FakeActuatorNode, FakeSensorNode, NodeContract
from infonodes.types import Target


class Sees(NodeContract):
    """The contract of a sensor that keeps it."""

    __test__ = False
    node_name = "obs"

    def make_nodes(self):
        return [FakeSensorNode("obs")]


class NegativeSensor(FakeSensorNode):
    """Costs less than nothing."""

    def _bottom_up(self, parent_states, state, tick):
        after = super()._bottom_up(parent_states, state, tick)
        return {**after, "cost": -tf.ones_like(after["cost"])}


class SeesNegative(Sees):
    def make_nodes(self):
        return [NegativeSensor("obs")]


class TestOfTwoFrames(Sees):
    """A trajectory of two frames has no third to try ticks at."""

    __test__ = True
    time = 2


def test_a_subclass_is_tried_by_itself():
    """It has other nodes than its base, whose agent was built before."""
    Sees().test_passes_return_states_that_fit()
    with pytest.raises(AssertionError, match="is negative"):
        SeesNegative().test_passes_return_states_that_fit()


class Does(NodeContract):
    """The contract of an actuator that is asked for the first two numbers in sight."""

    __test__ = False
    node_name = "act"
    actuator: type[FakeActuatorNode] = FakeActuatorNode

    def make_nodes(self):
        ask = lambda targets, parents, state: (
            {"act": Target(parents["obs"]["value"][:, :2], tf.ones_like(parents["obs"]["cost"], tf.bool))}, state
        )
        wish = LambdaNode("wish", ("obs", "act"), top_down=ask, control_names=("act",))
        return [FakeSensorNode("obs"), self.actuator("act"), wish]


class SaysNothingWasDone(FakeActuatorNode):
    def _executed(self, state):
        return tf.zeros_like(state["value"])


class ReplaysTheTickBefore(FakeActuatorNode):
    def _replayed(self, experience):
        return tf.roll(experience.decision["value"], 1, axis=1)


@pytest.mark.parametrize("liar", [SaysNothingWasDone, ReplaysTheTickBefore])
def test_lies_about_what_was_done_are_caught(liar):
    type("Honest", (Does,), {})().test_says_what_it_did()
    with pytest.raises(AssertionError):
        type("Lies", (Does,), {"actuator": liar})().test_says_what_it_did()


class Sum(InfoNode):
    """Says the sum of what it saw since the episode's start."""

    def __init__(self):
        super().__init__("sum", ("obs",), recurrent=True)
        self.signal_size = 1
        self.state_spec = {"sum": SCALAR, "cost": SCALAR}

    def _bottom_up(self, parent_states, state, tick):
        seen = tf.reduce_sum(parent_states["obs"]["value"], axis=-1)
        return {"sum": state["sum"] + seen, "cost": tf.zeros_like(state["cost"])}

    def _signal(self, state):
        return state["sum"][..., None]


class SeesNothingInReplay(Sum):
    def _perceive(self, parents, recorded, experience):
        return tf.nest.map_structure(tf.zeros_like, recorded)


class NeverForgetsInReplay(Sum):
    def _perceive(self, parents, recorded, experience):
        every = tf.cumsum(tf.reduce_sum(parents["obs"]["value"], axis=-1), axis=1)
        return {"sum": every, "cost": tf.zeros_like(every)}


class Sums(NodeContract):
    """The contract of a node that sums."""

    __test__ = False
    node_name = "sum"
    summed: type[Sum] = Sum

    def make_nodes(self):
        return [FakeSensorNode("obs"), self.summed()]


@pytest.mark.parametrize("liar,test", [
    (SeesNothingInReplay, "test_perception_on_replay_says_what_acting_said"),
    (NeverForgetsInReplay, "test_perception_on_replay_says_what_acting_said"),
    (NeverForgetsInReplay, "test_perception_on_replay_forgets_the_past"),
])
def test_lies_about_what_was_perceived_are_caught(liar, test):
    getattr(type("Honest", (Sums,), {})(), test)()
    with pytest.raises(AssertionError):
        getattr(type("Lies", (Sums,), {"summed": liar})(), test)()
