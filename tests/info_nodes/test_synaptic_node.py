"""What a SynapticNode promises besides the contract: learning in order, structure, pictures, messages."""
from __future__ import annotations

import re

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from infonodes import presets
from infonodes.agent import InfoNodeAgent
from infonodes.graph import NodeGraph
from infonodes.info_nodes import synaptic_drawing
from infonodes.info_nodes import synaptic_learning as learning
from infonodes.info_nodes.lambda_node import LambdaNode
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.pred_node import PredNode, PredSettings
from infonodes.info_nodes.synaptic_node import SynapticNode, SynapticSettings, moves_of
from infonodes.info_nodes.synaptic_ports import Outlet
from infonodes.modes import Modes
from infonodes.policy import obs2dict
from infonodes.testing import FakeSensorNode, trajectory_of
from infonodes.types import Experience, GraphError, Target, Tick

SPECS = (
    ts.time_step_spec(tf.TensorSpec([3], tf.float32, "observation")),
    tensor_spec.BoundedTensorSpec([], tf.int64, 0, 1, "action"),
)


def made(length=4, jit_compile=False, specs=SPECS, modes=presets.REWIRING, **changes):
    agent = presets.synaptic(
        *specs, synaptic=SynapticSettings(**{"cells": 4, **changes}), train_sequence_length=length,
        jit_compile=jit_compile, modes=modes,
    )
    agent.initialize()
    return agent, agent.graph["synaptic"]


def values_of(node):
    return [v.numpy() for v in node.variables]


# -- messages ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"rule": "hebb"}, "literal"),
        ({"encoding": "onehot"}, "cells"),
        ({"start": "hidden"}, "set hidden to their number"),
        ({"rate": float("nan")}, "finite number"),
        ({"gamma": 1.5}, "from 0 to 1"),
        ({"gamma": 1.0}, "reward_scale"),
        ({"cells": 1}, "at least 2"),
        ({"initial_low": 0.9}, "initial_low=0.9"),
        ({"ranges": ((1.0, 0.0),) * 3}, "low < high"),
        ({"ranges": ((0.0, 1.0),)}, "3 features"),
        ({"capacity": 5}, "24 first edges"),
    ],
)
def test_a_bad_setting_names_the_node_the_field_and_the_fix(changes, says):
    with pytest.raises(GraphError) as error:
        made(**changes)
    field = next(iter(changes))
    assert "'synaptic'" in str(error.value) and says in str(error.value)
    assert f"SynapticSettings.{'initial_high' if field == 'initial_low' else field}" in str(error.value)


def test_no_discount_is_fine_where_rewards_have_a_scale():
    """Rules without dopamine take rewards as they are."""
    assert made(gamma=1.0, reward_scale=0.5)[1].settings.scale == 0.5
    assert made(gamma=1.0, rule="literal")[1].settings.scale == 1.0


def test_what_it_controls_and_sees_is_checked():
    actuators, sensor = gym.actuators(SPECS[1]), FakeSensorNode("obs")
    with pytest.raises(GraphError, match="'deaf'.*takes no targets"):
        NodeGraph([sensor, SynapticNode("deaf", ("obs",), "obs")])
    with pytest.raises(GraphError, match="'blind'.*say nothing"):
        NodeGraph([*actuators, SynapticNode("blind", (), "act")])
    _, node = made()
    with pytest.raises(GraphError, match="lesion.*1.5.*0 to 1"):
        node.lesion(1.5)


# -- learning in order ----------------------------------------------------------------------------


def test_moves_line_up_with_their_rewards():
    """Frames F M L|F M: three moves, none over the boundary; ends and starts where they are."""
    step = tf.constant([[0, 1, 2, 0, 1]])
    experience = Experience(
        parents={}, neighbors={}, state={}, controls={}, intrinsic=None, seed=None, modes=None,
        decision={"choice": tf.reshape(tf.range(5), [1, 5, 1]), "asked": tf.ones([1, 5])},
        step_type=step, next_step_type=tf.constant([[1, 2, 0, 1, 1]]),
        reward=tf.constant([[1.0, 2.0, 0.0, 4.0, 5.0]]), discount=tf.constant([[1.0, 0.0, 1.0, 1.0, 1.0]]),
    )
    moves = moves_of(experience, tf.reshape(tf.range(5.0), [5, 1, 1]))
    row = lambda x: np.asarray(x).ravel().tolist()
    assert row(moves.valid) == [1, 1, 0, 1] and row(moves.ended) == [0, 1, 0, 0] and row(moves.first) == [1, 0, 0, 1]
    assert row(moves.inputs) == [0, 1, 2, 3] and row(moves.next_inputs) == [1, 2, 3, 4]
    assert row(moves.choice) == [0, 1, 2, 3] and row(moves.discount) == [1, 0, 1, 1]


def test_boundary_frames_and_deaf_actuators_teach_no_weight():
    """A window of boundary frames changes nothing; one whose actuators did not hear changes values alone."""
    agent, node = made(modes=Modes())
    data = trajectory_of(agent, batch=1, time=4, episode_length=9)
    agent.train(data)  # Learns the ranges.
    before = [v.numpy() for v in (node.edges.weight, node.values)]
    last = tf.fill([1, 4], 2)
    agent.train(data._replace(step_type=last))
    for old, new in zip(before, (node.edges.weight, node.values)):
        np.testing.assert_array_equal(old, new)
    deaf = agent.make_policy(Modes(collect="random"))
    assert np.all(deaf.unpack_info(_first_info(agent, deaf))["decision"]["synaptic"]["asked"] == 0)
    agent.train(data)
    assert np.any(before[0] != node.edges.weight.numpy()) and np.any(before[1] != node.values.numpy())


@pytest.mark.parametrize("shared", [False, True])
def test_a_choice_that_another_sender_overruled_teaches_no_weight(shared, monkeypatch):
    """Actuators pick one sender: a choice counts where it is what was done, and with one sender everywhere."""
    ask = lambda targets, parents, state: (
        {"act": Target(tf.zeros_like(parents["obs"]["cost"], tf.int64), tf.ones_like(parents["obs"]["cost"], tf.bool))},
        state,
    )
    synaptic = SynapticNode("synaptic", ("obs",), "act", SynapticSettings(cells=4))
    nodes = [*gym.sensors(SPECS[0].observation), *gym.actuators(SPECS[1]), synaptic]
    if shared:
        nodes.append(LambdaNode("other", ("obs", "act"), top_down=ask, control_names=("act",)))
    agent = InfoNodeAgent(*SPECS, nodes, train_sequence_length=4, jit_compile=False)
    agent.initialize()
    trajectory = trajectory_of(agent, batch=16, time=4)
    found = agent.perceive(trajectory)["synaptic"]
    same = found.decision["choice"][..., 0].numpy() == trajectory.action.numpy()
    assert same.all() == (not shared)
    asked, learn_all = [], learning.learn_all

    def keep(plastic, traces, moves, *rest):
        asked.append(moves.asked.numpy())
        return learn_all(plastic, traces, moves, *rest)

    monkeypatch.setattr(learning, "learn_all", keep)
    synaptic.assess(found, tf.ones([16]))
    np.testing.assert_array_equal(asked[0].astype(bool), same.T[:-1])


def _first_info(agent, policy):
    time_step = ts.restart(tf.zeros([1, 3]), 1)
    return policy.action(time_step, policy.get_initial_state(1)).info


def test_one_by_one_is_the_same_as_all_in_one_window():
    """An episode in windows of two frames, each once; a rate near 0 lets recorded and recomputed traces agree."""
    still = dict(rate=1e-6, ranges=((-3.0, 3.0),) * 3)
    (whole, one), (split, other) = made(length=5, **still), made(length=2, **still)
    data = trajectory_of(whole, batch=1, time=5, episode_length=9)
    whole.train(data)
    for t in range(4):
        split.train(tf.nest.map_structure(lambda x, t=t: x[:, t : t + 2], data))
    np.testing.assert_allclose(one.values, other.values, atol=1e-6)
    np.testing.assert_allclose(one.edges.weight, other.edges.weight, atol=1e-7)
    assert np.any(one.values.numpy() != 0)


def test_it_refuses_replay_that_weighs_samples():
    agent, _ = made()
    data = trajectory_of(agent, batch=1, time=4)
    info = {**data.policy_info, "importance_weight": tf.ones([1, 4])}
    with pytest.raises(GraphError, match="'synaptic'.*FifoReplay"):
        agent.train(data._replace(policy_info=info))


def test_compiled_by_xla_it_learns_the_same_and_traces_once():
    found = []
    data = trajectory_of(made(start="both", hidden=5, fan_in=3)[0], batch=1, time=4)
    for jit in (False, True):
        agent, node = made(jit_compile=jit, start="both", hidden=5, fan_in=3)
        for _ in range(3):
            agent.train(data)
        assert agent._compiled_update.experimental_get_tracing_count() == 1  # pylint: disable=protected-access
        found.append((node.edges.weight.numpy(), node.values.numpy()))
    for one, other in zip(*found):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_seeds_reproduce_and_reset_makes_new():
    agent, node = made()
    data = trajectory_of(agent, batch=1, time=4)
    node.reset(3)
    fresh = values_of(node)
    agent.train(data)
    assert any(np.any(a != b) for a, b in zip(fresh, values_of(node)))
    node.reset(3)
    for one, other in zip(fresh, values_of(node)):
        np.testing.assert_array_equal(one, other)
    node.reset(4)
    assert np.any(fresh[[v.name for v in node.variables].index("edge_weight:0")] != node.edges.weight.numpy())


def test_ranges_hold_what_was_seen():
    agent, node = made()
    data = trajectory_of(agent, batch=2, time=4)
    agent.train(data)
    seen = data.observation.numpy().reshape(-1, 3)
    np.testing.assert_allclose(node._inlet.low, seen.min(0))  # pylint: disable=protected-access
    np.testing.assert_allclose(node._inlet.high, seen.max(0))  # pylint: disable=protected-access
    _, given = made(ranges=((-1.0, 1.0),) * 3)
    given._inlet.learn(tf.constant([[9.0, 9.0, 9.0]]))  # pylint: disable=protected-access
    np.testing.assert_allclose(given._inlet.high, 1.0)  # pylint: disable=protected-access


# -- structure ----------------------------------------------------------------------------------------


def episodes(agent, count):
    """Trains on `count` ends of episodes."""
    data = trajectory_of(agent, batch=1, time=4, episode_length=2)
    assert int(tf.reduce_sum(tf.cast(data.next_step_type[:, :-1] == 2, tf.int32))) == 1
    for _ in range(count):
        agent.train(data)


def test_it_grows_from_nothing_only_if_it_may():
    agent, node = made(start="empty", grow=2)
    assert not np.any(node.edges.alive)
    episodes(agent, 3)
    assert int(tf.reduce_sum(node.edges.alive)) == 6
    still, node = made(start="empty", grow=2, modes=Modes(self_modification=False))
    episodes(still, 3)
    assert not np.any(node.edges.alive)


def test_a_lesion_is_mended_by_strong_births_and_then_no_more():
    agent, node = made(grow=0, repair_grow=3, repair_weight=0.77, rate=0.0, sibling=0.0, grace=50)
    assert node.lesion(0.5, seed=1) == 12 and int(tf.reduce_sum(node.edges.alive)) == 12
    episodes(agent, 2)
    born = (node.edges.age.numpy() < 2) & (node.edges.alive.numpy() > 0)
    assert 12 < int(tf.reduce_sum(node.edges.alive)) <= 18
    np.testing.assert_allclose(node.edges.weight.numpy()[born], 0.77, rtol=1e-6)
    episodes(agent, 30)
    assert int(tf.reduce_sum(node.edges.alive)) <= 24
    assert float(node._wounds) == 0.0  # pylint: disable=protected-access


# -- ports ------------------------------------------------------------------------------------------------


def test_population_coding_asks_for_centres_of_cells():
    action = tensor_spec.BoundedTensorSpec([2], tf.float32, [-2.0, 0.0], [2.0, 10.0], "action")
    agent, node = made(specs=(SPECS[0], action), output_cells=5)
    assert node.layout.blocks == (5, 5)
    time_step = ts.restart(tf.random.stateless_normal([64, 3], [1, 2]), 64)
    step = agent.collect_policy.action(time_step, agent.collect_policy.get_initial_state(64))
    assert set(np.round(np.unique(step.action[:, 0]), 5)) <= {-2.0, -1.0, 0.0, 1.0, 2.0}
    assert set(np.round(np.unique(step.action[:, 1]), 5)) <= {0.0, 2.5, 5.0, 7.5, 10.0}
    assert len(np.unique(step.action[:, 0])) > 2


@pytest.mark.parametrize("spec,cells", [
    (tensor_spec.BoundedTensorSpec([3], tf.int32, 0, 1, "action"), 2),
    (tf.TensorSpec([3], tf.bool, "action"), 2),
    (tensor_spec.BoundedTensorSpec([3], tf.uint8, 0, 255, "action"), 7),
    (tensor_spec.BoundedTensorSpec([3], tf.float32, 0, 1, "action"), 7),
])
def test_bits_have_two_outputs_each(spec, cells):
    """Seven cells, of which three lie above 0, would set a bit with chance 3/7 at rest."""
    outlet = Outlet(gym.actuators(spec)[0], SynapticSettings())
    assert outlet.blocks == (cells,) * 3
    found = outlet.target(tf.constant([[0] * 3, [cells - 1] * 3]), None, tf.constant([0, 1])).numpy()
    low, high = (0, 1) if spec.dtype == tf.bool else (spec.minimum, spec.maximum)
    np.testing.assert_allclose(found.astype(np.float64), [[low] * 3, [high] * 3], atol=1e-6)


def test_it_asks_a_pred_node_for_the_future_it_chose():
    pred = PredNode("pred", ("obs", "act"), ("act",), settings=PredSettings(latent_size=8, hidden=(8,)))
    node = SynapticNode("synaptic", ("pred",), "pred", SynapticSettings(encoding="direct", candidates=2))
    agent = InfoNodeAgent(*SPECS, [*gym.sensors(SPECS[0].observation), *gym.actuators(SPECS[1]), pred, node],
                          jit_compile=False)
    time_step = ts.restart(tf.ones([3, 3]), 3)
    environment = obs2dict(time_step)
    tick = Tick(tf.constant([1, 2]), Modes(greedy=True))
    states = agent.graph.initial_state(3)
    states["obs"] = agent.graph["obs"].bottom_up({"environment": environment}, states["obs"], tick)
    states["pred"] = pred.bottom_up({p: states[p] for p in pred.parent_names}, states["pred"], tick)
    parents = {"pred": states["pred"], "environment": environment}
    asked, after = node.top_down({}, parents, states["synaptic"], tick)
    futures = pred.candidates(states["pred"], 2, tf.constant([0, 1]))
    expected = tf.gather(futures, after["choice"][:, 0], axis=1, batch_dims=1)
    np.testing.assert_allclose(asked["pred"].value, expected, atol=1e-6)


# -- pictures -----------------------------------------------------------------------------------------------


def test_networkx_and_dot_show_the_living_edges():
    pytest.importorskip("networkx")
    _, node = made(start="both", hidden=4, fan_in=3)
    node.lesion(0.3)
    graph = node.to_networkx()
    alive = node.edges.alive.numpy() > 0
    assert graph.number_of_nodes() == node.layout.units and graph.number_of_edges() == alive.sum()
    slot = int(np.flatnonzero(alive)[0])
    ends = [synaptic_drawing.unit_name(node.layout, int(v[slot])) for v in (node.edges.source, node.edges.target)]
    assert graph.edges[tuple(ends)]["weight"] == pytest.approx(float(node.edges.weight[slot]))
    assert {graph.nodes[n]["kind"] for n in ("in0", "hid3", "out1")} == {"input", "hidden", "output"}
    widths = [float(w) for w in re.findall(r"penwidth=([\d.]+)", node.to_dot())]
    shown = synaptic_drawing.snapshot(node, on_paths=True)
    assert len(widths) == len(shown.weight) and max(widths) == pytest.approx(6.0)
    np.testing.assert_allclose(np.array(widths) / 6.0, shown.weight / shown.weight.max(), atol=1e-3)


def test_growth_is_a_film_of_one_frame_a_snapshot(tmp_path):
    image = pytest.importorskip("PIL.Image")
    agent, node = made(start="empty", grow=4)
    moments = [synaptic_drawing.snapshot(node, "start")]
    for i in range(3):
        episodes(agent, 1)
        moments.append(synaptic_drawing.snapshot(node, f"episode {i}"))
    path = str(tmp_path / "growth.gif")
    synaptic_drawing.save_growth(node.layout, moments, path)
    with image.open(path) as film:
        assert film.n_frames == 4
    with pytest.raises(ValueError, match="snapshot"):
        synaptic_drawing.save_growth(node.layout, [], path)
