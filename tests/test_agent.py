"""The agent's update: time alignment, weights, rates, and what is recomputed."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from infonodes.agent import InfoNodeAgent
from infonodes.info_nodes.info_node import SCALAR, InfoNode
from infonodes.info_nodes.lambda_node import LambdaNode
from infonodes.info_nodes.pred_node import PredNode, PredSettings
from infonodes.modes import Modes
from infonodes.rewards import CostTree
from infonodes.testing import FakeActuatorNode, FakeSensorNode, trajectory_of
from infonodes.types import GraphError, NodeError, NodeLoss

TIME_STEP = ts.time_step_spec(tf.TensorSpec([2], tf.float32))
ACTION = tensor_spec.BoundedTensorSpec([2], tf.float32, -1.0, 1.0, "action")
SEED = tf.constant([0, 0])


class Line(InfoNode):
    """loss = w · mean over time of the observation's first feature; dloss/dw is that mean."""

    def __init__(self, name="line", rate=1.0, trainable=True):
        super().__init__(name, ("obs",), lr_multiplier=rate, trainable=trainable)
        self.w = tf.Variable(1.0, name=f"{name}_w")
        self.state_spec = {"x": SCALAR, "cost": SCALAR}

    def _bottom_up(self, parent_states, state, tick):
        x = self.w * parent_states["obs"]["value"][:, 0]
        return {"x": x, "cost": tf.abs(x)}

    def _loss(self, experience):
        loss = tf.reduce_mean(experience.state["x"], axis=1)
        return NodeLoss(loss, tf.abs(loss), {"w": tf.identity(self.w)})


def make(*nodes, optimizer=None, **kwargs):
    kwargs = {"gradient_clipping": None, "jit_compile": False, **kwargs}
    nodes = [FakeSensorNode("obs", 2), FakeActuatorNode("act"), *nodes]
    optimizer = optimizer or tf.keras.optimizers.legacy.SGD(0.1)
    return InfoNodeAgent(TIME_STEP, ACTION, nodes, optimizer, train_sequence_length=4, **kwargs)


def slope(experience):
    """Each row's mean of the first feature, `[B]`."""
    return experience.observation.numpy()[..., 0].mean(axis=1)


# -- the optimiser --------------------------------------------------------------------------


def test_one_step_of_gradient_descent():
    """Closed form: w − 0.1 · mean slope."""
    agent = make(Line())
    experience = trajectory_of(agent, 3, 4)
    found = agent.train(experience)
    np.testing.assert_allclose(found.loss, slope(experience).mean(), rtol=1e-5)
    np.testing.assert_allclose(agent.graph["line"].w, 1 - 0.1 * slope(experience).mean(), rtol=1e-5)
    assert agent.train_step_counter.numpy() == 1
    np.testing.assert_allclose(found.extra["cost"], np.abs(slope(experience)), rtol=1e-5)
    scalars = agent.scalars(found)
    assert set(scalars) == {"line/loss", "line/cost", "line/w", "agent/gradient_norm"}
    np.testing.assert_allclose(scalars["line/loss"], found.loss, rtol=1e-6)
    np.testing.assert_allclose(scalars["line/w"], 1.0)


def test_scalars_want_what_the_agent_returned():
    """A Learner sums what is no scalar; before a first update no names are known."""
    agent = make(Line())
    experience = trajectory_of(agent, 3, 4)
    found = agent.train(experience)
    summed = found._replace(extra={**found.extra, "scalars": tf.reduce_sum(found.extra["scalars"])})
    with pytest.raises(ValueError, match="not what a Learner has summed"):
        agent.scalars(summed)
    with pytest.raises(ValueError, match=r"expected \[0\]"):
        make(Line()).scalars(found)


def test_a_node_that_changes_its_metrics_is_named():
    class Fickle(Line):
        def _loss(self, experience):
            found = super()._loss(experience)
            return found._replace(metrics={} if experience.step_type.shape[0] == 3 else found.metrics)

    agent = make(Fickle())
    agent.train(trajectory_of(agent, 3, 4))
    with pytest.raises(NodeError, match="line/w"):
        agent.train(trajectory_of(agent, 2, 4))


@pytest.mark.parametrize("optimizer", [tf.keras.optimizers.legacy.SGD, tf.keras.optimizers.legacy.Adam])
def test_lr_multiplier_shortens_the_step_exactly(optimizer):
    """Under Adam too, which a scaled gradient would not move: two steps, one at each rate."""
    agent = make(Line("full"), Line("half", rate=0.5), Line("none", rate=0.0), optimizer=optimizer(0.1))
    experience = trajectory_of(agent, 3, 4)
    agent.train(experience)
    moved = {n: float(agent.graph[n].w) - 1.0 for n in ("full", "half", "none")}
    assert moved["full"] != 0.0
    np.testing.assert_allclose(moved["half"], 0.5 * moved["full"], rtol=1e-4)
    assert moved["none"] == 0.0


def test_frozen_nodes_stay():
    agent = make(Line("free"), Line("frozen", trainable=False))
    found = agent.train(trajectory_of(agent, 3, 4))
    assert float(agent.graph["frozen"].w) == 1.0 != float(agent.graph["free"].w)
    assert {"free/loss", "frozen/loss"} & set(agent.scalars(found)) == {"free/loss"}


def test_gradients_are_clipped_by_their_global_norm():
    """Two equal gradients, of norm 0.01 together after clipping: each 0.01 / √2."""
    agent = make(Line("a"), Line("b"), gradient_clipping=0.01)
    experience = trajectory_of(agent, 3, 4)
    found = agent.train(experience)
    step = 0.1 * 0.01 / np.sqrt(2) * np.sign(slope(experience).mean())
    np.testing.assert_allclose(1.0 - agent.graph["a"].w, step, rtol=1e-3)
    norm = np.sqrt(2) * abs(slope(experience).mean())
    np.testing.assert_allclose(agent.scalars(found)["agent/gradient_norm"], norm, rtol=1e-4)


def test_importance_weights_weigh():
    """`policy_info['importance_weight']` [B, T]: the weighted mean, costs unweighted."""
    agent = make(Line())
    experience = trajectory_of(agent, 3, 4)
    weights = np.array([0.0, 0.5, 2.0], np.float32)
    info = {**experience.policy_info, "importance_weight": tf.tile(weights[:, None], [1, 4])}
    found = agent.train(experience._replace(policy_info=info))
    expected = (weights * slope(experience)).mean()
    np.testing.assert_allclose(found.loss, expected, rtol=1e-5)
    np.testing.assert_allclose(agent.graph["line"].w, 1 - 0.1 * expected, rtol=1e-5)
    np.testing.assert_allclose(found.extra["cost"], np.abs(slope(experience)), rtol=1e-5)


def test_on_policy_nodes_refuse_prioritised_replay():
    node = Line()
    node.on_policy = True
    agent = make(node)
    experience = trajectory_of(agent, 2, 4)
    info = {**experience.policy_info, "importance_weight": tf.ones([2, 4])}
    with pytest.raises(GraphError, match="'line'.*FifoReplay"):
        agent.train(experience._replace(policy_info=info))


def test_loss_does_not_learn():
    agent = make(Line())
    experience = trajectory_of(agent, 3, 4)
    before = [v.numpy() for v in agent.variables]
    found = agent.loss(experience)
    for a, v in zip(before, agent.variables):
        np.testing.assert_array_equal(a, v)
    tf.nest.assert_same_structure(found, agent.train(experience))


def test_agents_do_not_advance_each_other():
    one, two = make(Line()), make(Line())
    one.train(trajectory_of(one, 2, 4))
    assert (one.train_step_counter.numpy(), two.train_step_counter.numpy()) == (1, 0)


# -- time --------------------------------------------------------------------------------------


def ticking():
    """Costs 1, 2, 3, ... by tick of the episode."""
    spec = {"age": SCALAR}
    age = lambda p, s: {"age": s["age"] + 1.0, "cost": s["age"] + 1.0}
    return LambdaNode("age", bottom_up=age, extra_state_spec=spec)


def perceived(agent, experience, node):
    return agent._perceive(experience, SEED)[node]


def test_intrinsic_reward_is_minus_the_cost_met_next():
    """
    ```
    frame      0    1    2    3 (LAST)  0
    cost       1    2    3    4         1
    intrinsic −2   −3   −4   −1 (boundary)  0 at the window's end
    ```
    """
    agent = make(Line(), ticking(), cost_tree=CostTree({"age": 2.0}, default=0.0))
    experience = trajectory_of(agent, 2, 6, episode_length=3)
    found = perceived(agent, experience, "line").intrinsic.numpy()
    np.testing.assert_allclose(found[0], [-4.0, -6.0, -8.0, -2.0, -4.0, 0.0])
    assert experience.step_type[0].numpy().tolist() == [0, 1, 1, 2, 0, 1]
    np.testing.assert_allclose(found[1], [-4.0, -6.0, -8.0, -10.0, -2.0, 0.0])


def test_rewards_and_discounts_are_of_the_move_that_follows():
    agent = make(Line())
    experience = trajectory_of(agent, 1, 4, episode_length=2)
    found = perceived(agent, experience, "line")
    np.testing.assert_array_equal(found.reward, experience.reward)
    assert found.discount[0].numpy().tolist() == [1.0, 0.0, 1.0, 1.0]


class Leaky(Line):
    """x ← 0.5 x + w · observation: a recurrence with a known solution."""

    def __init__(self, name="leaky"):
        super().__init__(name)
        self.recurrent = True

    def _bottom_up(self, parent_states, state, tick):
        x = 0.5 * state["x"] + self.w * parent_states["obs"]["value"][:, 0]
        return {"x": x, "cost": tf.abs(x)}


def test_recurrent_perception_from_the_recorded_state():
    """Unchanged parameters: training recomputes what the policy computed, resets included."""
    agent = make(Leaky())
    experience = trajectory_of(agent, 3, 8, episode_length=3)
    window = tf.nest.map_structure(lambda x: x[:, 2:6], experience)
    info = agent.collect_policy.unpack_info(experience.policy_info)
    found = perceived(agent, window, "leaky").state["x"].numpy()
    # The state after frame t is recorded as the incoming one of t + 1, but for resets.
    before = info["state"]["leaky"]["x"].numpy()
    first = experience.step_type.numpy() == 0
    seen = experience.observation.numpy()[..., 0]
    expected = np.where(first, 0.0, 0.5 * before) + seen
    np.testing.assert_allclose(found, expected[:, 2:6], rtol=1e-5)
    inner = ~first[:, 3:7]
    np.testing.assert_allclose(found[inner], before[:, 3:7][inner], rtol=1e-5)


def test_perception_uses_todays_parameters():
    """w doubled: the recomputed states after a reset are the doubled ones."""
    agent = make(Line())
    experience = trajectory_of(agent, 2, 4)
    agent.graph["line"].w.assign(2.0)
    found = perceived(agent, experience, "line").state["x"]
    np.testing.assert_allclose(found, 2.0 * experience.observation[..., 0], rtol=1e-6)


@pytest.mark.parametrize("recurrent", [False, True])
def test_frame_0_is_what_the_policy_computed(recurrent):
    """PredNode from any frame of an episode: recorded incoming state + observation → same z.

    The next frame's recorded incoming state is the oracle.
    """
    settings = PredSettings(latent_size=8, hidden=(8,), unroll=1, options=3)
    pred = PredNode("pred", ("obs", "act"), ("act",), settings=settings, recurrent=recurrent)
    agent = make(pred)
    experience = trajectory_of(agent, 3, 8, episode_length=20)
    recorded = agent.collect_policy.unpack_info(experience.policy_info)["state"]["pred"]
    for start in (0, 3):
        frames = slice(start, start + 4)
        window = tf.nest.map_structure(lambda x, frames=frames: x[:, frames], experience)
        found = perceived(agent, window, "pred").state
        np.testing.assert_allclose(found["z"], recorded["z"][:, start + 1 : start + 5], atol=1e-5)
        after = recorded["error"][:, start + 1 : start + 5]
        np.testing.assert_allclose(found["error"][:, :1], after[:, :1], atol=1e-5)


def test_controls_are_what_was_done():
    """What a node trains on as its control's past is the executed action, by frame."""
    pred = PredNode("pred", ("obs", "act"), ("act",), settings=PredSettings(latent_size=8, hidden=(8,), options=3))
    agent = make(pred, modes=Modes(collect="random"))
    experience = trajectory_of(agent, 2, 4)
    found = perceived(agent, experience, "pred").controls
    assert set(found) == {"act"}
    np.testing.assert_allclose(found["act"], experience.action, atol=1e-6)


def test_a_childs_loss_shapes_its_parents_encoder_unless_detached():
    """d loss(child) / d encoder(parent) is not zero, and zero with detach_parents."""
    for detach in (False, True):
        tiny = dict(latent_size=8, hidden=(8,), unroll=1, inverse_weight=0.0)
        low = PredNode("low", ("obs",), settings=PredSettings(**tiny))
        high = PredNode("high", ("low",), settings=PredSettings(**tiny, detach_parents=detach))
        agent = make(low, high)
        experience = trajectory_of(agent, 2, 4, episode_length=20)
        with tf.GradientTape() as tape:
            loss = high.loss(perceived(agent, experience, "high")).loss
        encoder = low.f_abs.fast
        slope = tape.gradient(loss, encoder.flat, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        reached = any(np.any(part.numpy() != 0.0) for part in encoder.split(slope))
        assert reached != detach


def test_seed_decides_what_training_draws():
    """The seed of a node is that of agent, step and name: equal agents, equal updates."""

    class Dice(Line):
        def _loss(self, experience):
            noise = tf.random.stateless_uniform(experience.reward.shape[:1], experience.seed)
            return NodeLoss(self.w * noise, noise, {})

    runs = []
    for seed in (1, 1, 2):
        agent = make(Dice(), seed=seed)
        experience = trajectory_of(agent, 2, 4)
        runs.append([float(agent.train(experience).loss) for _ in range(2)])
    assert runs[0] == runs[1] != runs[2]
    assert runs[0][0] != runs[0][1], "every step draws the same"
