"""Every node type of the package passes the contract of a node."""
from __future__ import annotations

import pytest
import tensorflow as tf
from tf_agents.agents.categorical_dqn import categorical_dqn_agent
from tf_agents.agents.dqn import dqn_agent
from tf_agents.agents.ppo import ppo_clip_agent
from tf_agents.networks import actor_distribution_network, categorical_q_network, q_network, value_network
from tf_agents.specs import tensor_spec
from tf_agents.utils import common

from infonodes import presets
from infonodes.info_nodes.lambda_node import LambdaNode
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.pred_node import PredNode, PredSettings
from infonodes.info_nodes.reward_node import RewardNode, RewardSettings
from infonodes.info_nodes.rl_node import RLNode
from infonodes.info_nodes.synaptic_node import SynapticNode, SynapticSettings
from infonodes.testing import FakeActuatorNode, FakeSensorNode, NodeContract
from infonodes.types import Target

ONE_OF_THREE = tensor_spec.BoundedTensorSpec([], tf.int32, 0, 2, "action")
TWO_FLOATS = tensor_spec.BoundedTensorSpec([2], tf.float32, -1.0, 1.0, "action")
ONE_FLOAT = tensor_spec.BoundedTensorSpec([1], tf.float32, -2.0, 2.0, "action")
TINY = dict(latent_size=8, hidden=(16,), options=4, unroll=2)


def adam():
    return tf.keras.optimizers.legacy.Adam(1e-3)


def dqn(spec, action_spec, counter):
    return dqn_agent.DqnAgent(
        spec, action_spec, q_network.QNetwork(spec.observation, action_spec, fc_layer_params=(16,)),
        adam(), td_errors_loss_fn=common.element_wise_squared_loss, train_step_counter=counter,
    )


def c51(spec, action_spec, counter):
    net = categorical_q_network.CategoricalQNetwork(spec.observation, action_spec, 11, fc_layer_params=(16,))
    return categorical_dqn_agent.CategoricalDqnAgent(
        spec, action_spec, net, adam(), min_q_value=-5, max_q_value=5, train_step_counter=counter
    )


def ppo(spec, action_spec, counter):
    actor_net = actor_distribution_network.ActorDistributionNetwork(
        spec.observation, action_spec, fc_layer_params=(16,)
    )
    return ppo_clip_agent.PPOClipAgent(
        spec, action_spec, adam(),
        actor_net=actor_net,
        value_net=value_network.ValueNetwork(spec.observation, fc_layer_params=(16,)),
        num_epochs=1, train_step_counter=counter,
    )


# -- sensors and actuators --------------------------------------------------------------


class TestFakeSensorNode(NodeContract):
    node_name = "obs"

    def make_nodes(self):
        return [FakeSensorNode("obs")]


class TestFakeActuatorNode(NodeContract):
    node_name = "act"

    def make_nodes(self):
        return [FakeSensorNode("obs"), FakeActuatorNode("act")]


class TestBoxSensor(NodeContract):
    node_name = "obs"

    def make_nodes(self):
        return gym.sensors(self.observation_spec)


class TestImageSensor(TestBoxSensor):
    observation_spec = tensor_spec.BoundedTensorSpec([2, 3], tf.uint8, 0, 255)


class TestDiscreteSensor(TestBoxSensor):
    observation_spec = tensor_spec.BoundedTensorSpec([], tf.int64, -1, 2)


class TestMultiBinarySensor(TestBoxSensor):
    observation_spec = tensor_spec.BoundedTensorSpec([3], tf.int32, 0, 1)


class TestMultiDiscreteSensor(TestBoxSensor):
    observation_spec = tensor_spec.BoundedTensorSpec([2], tf.int32, 0, [2, 4])


class TestRewardSensor(NodeContract):
    node_name = "reward"

    def make_nodes(self):
        return [gym.RewardSensor("reward")]


class TestBoxActuator(NodeContract):
    node_name = "act"

    def make_nodes(self):
        return [FakeSensorNode("obs"), *gym.actuators(self.action_spec)]


class TestDiscreteActuator(TestBoxActuator):
    action_spec = ONE_OF_THREE


class TestMultiBinaryActuator(TestBoxActuator):
    action_spec = tensor_spec.BoundedTensorSpec([3], tf.int32, 0, 1)


class TestMultiDiscreteActuator(TestBoxActuator):
    action_spec = tensor_spec.BoundedTensorSpec([2], tf.int32, 0, [2, 4])


# -- LambdaNode ---------------------------------------------------------------------------


class TestLambdaNode(NodeContract):
    """A cost on a sensor, and a fixed wish."""

    node_name = "glue"

    def make_nodes(self):
        def see(parents, state):
            value = tf.reduce_mean(parents["obs"]["value"], axis=-1)
            return {"mean": value, "cost": tf.abs(value)}

        def ask(targets, parents, state):
            wish = tf.tile(tf.tanh(state["mean"])[:, None], [1, 2])
            return {"act": Target(wish, state["mean"] > 0)}, state

        glue = LambdaNode(
            "glue", ("obs", "act"), bottom_up=see, top_down=ask,
            signal=lambda state: state["mean"][..., None], signal_size=1,
            extra_state_spec={"mean": tf.TensorSpec([], tf.float32)}, control_names=("act",),
        )
        return [FakeSensorNode("obs"), FakeActuatorNode("act"), glue]


# -- PredNode ------------------------------------------------------------------------------


class TestPredNode(NodeContract):
    """As a fresh one is by default, but small; something above asks it for latents."""

    node_name = "pred"
    action_spec = ONE_FLOAT
    changes = {}
    recurrent = False

    def make_nodes(self):
        settings = PredSettings(**{**TINY, **self.changes})
        wish = LambdaNode(
            "wish", ("pred",), control_names=("pred",),
            top_down=lambda targets, parents, state: (
                {"pred": Target(tf.roll(parents["pred"]["z"], 1, axis=-1), parents["pred"]["cost"] >= 0)},
                state,
            ),
        )
        return [
            FakeSensorNode("obs"),
            *gym.actuators(self.action_spec),
            PredNode("pred", ("obs", "act"), ("act",), settings=settings, recurrent=self.recurrent),
            wish,
        ]


@pytest.mark.slow
class TestPredNodeTwoControls(TestPredNode):
    """Candidates of two controls are drawn, and XLA draws others: stateless, but not the same."""

    action_spec = TWO_FLOATS
    compiles_alike = False


class TestPredNodeError(TestPredNode):
    changes = {"transmit": "error"}


class TestPredNodeInverse(TestPredNode):
    changes = {"f_act": "inverse"}


@pytest.mark.slow
class TestPredNodeInverseDiscrete(TestPredNode):
    changes = {"f_act": "inverse"}
    action_spec = ONE_OF_THREE


class TestPredNodeGradient(TestPredNode):
    changes = {"f_act": "gradient"}


class TestPredNodeLayernorm(TestPredNode):
    changes = {"norm": "layernorm", "starts": 2, "greedy_slow": False}
    action_spec = ONE_OF_THREE


class TestPredNodeResidual(TestPredNode):
    changes = {"residual": True}


class TestPredNodeResidualLayernorm(TestPredNode):
    changes = {"residual": True, "norm": "layernorm"}
    action_spec = ONE_OF_THREE


class TestPredNodeHold(TestPredNode):
    changes = {"hold": 2}
    action_spec = ONE_OF_THREE


class TestPredNodeHeads(TestPredNode):
    changes = {"heads": 5}


class TestPredNodeRecurrent(TestPredNode):
    recurrent = True
    action_spec = ONE_OF_THREE


class TestPredNodeSimpleConsensus(TestPredNode):
    changes = {"consensus": "simple"}
    action_spec = ONE_OF_THREE

    def make_nodes(self):
        settings = PredSettings(**{**TINY, **self.changes})
        return [
            FakeSensorNode("obs"),
            *gym.actuators(self.action_spec),
            PredNode("pred", ("obs", "act"), ("act",), ("other", "third"), settings),
            PredNode("other", ("obs",), (), ("pred",), settings),
            PredNode("third", ("obs",), (), ("pred",), settings),
        ]


class TestPredNodeComplexConsensus(TestPredNodeSimpleConsensus):
    changes = {"consensus": "complex", "rounds": 2}


class TestPredNodeAbove(TestPredNode):
    """A PredNode that asks another one for latents."""

    node_name = "high"
    changes = {"hold": 2}
    compiles_alike = False  # Its candidates go by paths that are drawn.
    action_spec = ONE_OF_THREE

    def make_nodes(self):
        return [
            *super().make_nodes()[:2],
            PredNode("pred", ("obs", "act"), ("act",), settings=PredSettings(**TINY)),
            PredNode("high", ("pred",), ("pred",), settings=PredSettings(**{**TINY, **self.changes})),
            gym.RewardSensor("reward"),
            RewardNode("value", "reward", "high", RewardSettings(hidden=8)),
        ]


@pytest.mark.slow
class TestPredNodeAboveInverse(TestPredNodeAbove):
    changes = {"f_act": "inverse"}


# -- RewardNode -----------------------------------------------------------------------------


class TestRewardNode(NodeContract):
    node_name = "value"
    action_spec = ONE_OF_THREE
    changes = {}
    heads = 0
    hold = 1

    def make_nodes(self):
        return [
            FakeSensorNode("obs"),
            gym.RewardSensor("reward"),
            *gym.actuators(self.action_spec),
            PredNode(
                "pred", ("obs", "act"), ("act",),
                settings=PredSettings(**{**TINY, "heads": self.heads, "hold": self.hold}),
            ),
            RewardNode("value", "reward", "pred", RewardSettings(hidden=8, **self.changes)),
        ]


class TestRewardNodeIntrinsic(TestRewardNode):
    changes = {"signal": "intrinsic", "pessimism": 0.5}


class TestRewardNodeHeldExploration(TestRewardNode):
    changes = {"epsilon_hold": 3}


class TestRewardNodeCurious(TestRewardNode):
    changes = {"curiosity": 0.5, "horizon": 2}
    heads = 5
    action_spec = ONE_FLOAT


@pytest.mark.slow
class TestRewardNodeHold(TestRewardNode):
    hold = 2


# -- RLNode ---------------------------------------------------------------------------------


class TestRLNodeDqn(NodeContract):
    node_name = "rl"
    action_spec = ONE_OF_THREE
    agent_fn = staticmethod(dqn)
    arguments = {}

    def make_nodes(self):
        return [
            FakeSensorNode("obs", cost=0.5),
            *gym.actuators(self.action_spec),
            RLNode("rl", ("obs",), "act", self.agent_fn, **self.arguments),
        ]


@pytest.mark.slow
class TestRLNodeShapesParents(TestRLNodeDqn):
    arguments = {"reward": "intrinsic", "shape_parents": True}


class TestRLNodeC51(TestRLNodeDqn):
    agent_fn = staticmethod(c51)


class TestRLNodePpo(TestRLNodeDqn):
    agent_fn = staticmethod(ppo)


class TestRLNodeSac(TestRLNodeDqn):
    action_spec = TWO_FLOATS
    agent_fn = staticmethod(presets.sac((16,)))
    arguments = {"reward": "sum"}


class TestRLNodeSacOnLatent(NodeContract):
    """SAC asks a PredNode for latents."""

    node_name = "rl"
    action_spec = ONE_OF_THREE

    def make_nodes(self):
        return [
            FakeSensorNode("obs"),
            *gym.actuators(self.action_spec),
            PredNode("pred", ("obs", "act"), ("act",), settings=PredSettings(**TINY)),
            RLNode("rl", ("pred",), "pred", presets.sac((16,))),
        ]


# -- SynapticNode -----------------------------------------------------------------------------


class TestSynapticNode(NodeContract):
    node_name = "synaptic"
    action_spec = ONE_OF_THREE
    changes = {}

    def make_nodes(self):
        return [
            FakeSensorNode("obs"),
            *gym.actuators(self.action_spec),
            SynapticNode("synaptic", ("obs",), "act", SynapticSettings(cells=4, **self.changes)),
        ]


class TestSynapticNodeHiddenLiteral(TestSynapticNode):
    changes = {"rule": "literal", "start": "both", "hidden": 6, "fan_in": 3, "sweeps": 3}


class TestSynapticNodeTwoFloats(TestSynapticNode):
    """Population coding: a block of cells a feature of the control."""

    action_spec = TWO_FLOATS
    changes = {"start": "hidden", "hidden": 6, "novelty": 0.1, "boost": 3.0, "protection": 3.0}


class TestSynapticNodeOnLatent(NodeContract):
    """Sees a PredNode's latents as they are, and asks it for one of the futures that it can reach."""

    node_name = "synaptic"
    action_spec = ONE_OF_THREE

    def make_nodes(self):
        return [
            FakeSensorNode("obs"),
            *gym.actuators(self.action_spec),
            PredNode("pred", ("obs", "act"), ("act",), settings=PredSettings(**TINY)),
            SynapticNode("synaptic", ("pred",), "pred", SynapticSettings(encoding="direct", candidates=3)),
        ]


def test_the_contract_itself_catches_breaches():
    """Mutants: each breach of the contract fails the test that is about it."""

    class Hidden(FakeSensorNode):
        """Keeps a count in the instance."""

        calls = 0

        def _bottom_up(self, parent_states, state, tick):
            self.calls += 1
            seen = super()._bottom_up(parent_states, state, tick)
            return {**seen, "value": seen["value"] + float(self.calls)}

    class Mixing(FakeSensorNode):
        """Reads other rows."""

        def _bottom_up(self, parent_states, state, tick):
            seen = super()._bottom_up(parent_states, state, tick)
            return {**seen, "value": seen["value"] - tf.reduce_mean(seen["value"], axis=0)}

    class Negative(FakeSensorNode):
        """Is paid for seeing."""

        def _bottom_up(self, parent_states, state, tick):
            seen = super()._bottom_up(parent_states, state, tick)
            return {**seen, "cost": -tf.ones_like(seen["cost"])}

    class Remembering(FakeSensorNode):
        """Draws its first state."""

        def _initial_state(self, batch_size):
            return {**super()._initial_state(batch_size), "cost": -tf.ones([batch_size])}

    def case(node_class):
        class Case(NodeContract):
            node_name = "obs"

            def make_nodes(self):
                return [node_class("obs")]

        return Case()

    with pytest.raises(AssertionError):
        case(Hidden).test_is_pure()
    with pytest.raises(AssertionError):
        case(Mixing).test_a_batch_is_its_rows()
    with pytest.raises(AssertionError, match="negative"):
        case(Negative).test_passes_return_states_that_fit()
    with pytest.raises(AssertionError, match="negative"):
        case(Remembering).test_initial_state_fits_the_spec_for_any_batch()
