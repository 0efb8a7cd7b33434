"""Workspaces pass the contract of a node, stay inside their data, and name what does not fit."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from infonodes import presets
from infonodes.graph import NodeGraph, run_tick
from infonodes.info_nodes.lambda_node import LambdaNode
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.organs.energetics import EnergyStorage, OrganSettings
from infonodes.info_nodes.organs.navigable_modality import (
    NavigableAudio,
    NavigableGraph,
    NavigableGrid,
    NavigableImage,
    NavigableText,
    WorkspaceSettings,
)
from infonodes.info_nodes.organs.navigable_modality.page import PageSettings, page
from infonodes.info_nodes.pred_node import PredNode, PredSettings
from infonodes.info_nodes.reward_node import RewardNode, RewardSettings
from infonodes.info_nodes.rl_node import RLNode
from infonodes.modes import Modes
from infonodes.policy import obs2dict
from infonodes.rules import senses
from infonodes.testing import NodeContract
from infonodes.types import GraphError, Target, Tick

WRITES = WorkspaceSettings(interactive=True)


def asker(node):
    """A node that asks a control for what its target_spec has in the middle, in every row."""

    def ask(targets, parents, state):
        batch = tf.shape(parents[node.name]["cost"])[:1]
        middle = (np.asarray(node.target_spec.minimum) + np.asarray(node.target_spec.maximum)) * 0.5 + 0.3
        value = np.broadcast_to(middle, node.target_spec.shape).astype(node.target_spec.dtype.as_numpy_dtype)
        whole = tf.broadcast_to(value, tf.concat([batch, value.shape], 0))
        return {node.name: Target(whole, tf.ones(batch, tf.bool))}, state

    return LambdaNode(f"asks_{node.name}", (node.name,), top_down=ask, control_names=(node.name,))


class Workspace(NodeContract):
    """Tries the workspace with its sub-nodes, each asked for something."""

    __test__ = False
    node_name = "page"

    def workspace(self):
        raise NotImplementedError

    def make_nodes(self):
        workspace = self.workspace()
        controls = [n for n in workspace.info_nodes[1:] if n.target_spec is not None]
        return [*workspace.info_nodes, *map(asker, controls)]


class TestGrid(Workspace):
    __test__ = True
    observation_spec = tensor_spec.BoundedTensorSpec([5, 4, 3, 2], tf.float32, -1.0, 1.0)

    def workspace(self):
        return NavigableGrid("page", (5, 4, 3), (3, 2, 3), (2, 1, 1), 1.5, channels=2, settings=WRITES)


class TestGridLoc(TestGrid):
    node_name = "page_loc"


class TestGridData(TestGrid):
    node_name = "page_data"


class TestText(Workspace):
    __test__ = True
    observation_spec = tensor_spec.BoundedTensorSpec([12], tf.int32, 0, 4)

    def workspace(self):
        return NavigableText("page", 12, 5, 3, 2, 4.0, settings=WRITES)


class TestTextLoc(TestText):
    node_name = "page_loc"


class TestTextData(TestText):
    node_name = "page_data"


class TestTextReadOnly(TestText):
    def workspace(self):
        return NavigableText("page", 12, 5, 3, settings=WorkspaceSettings(load="every"))


class TestTextReadOnlyData(TestTextReadOnly):
    node_name = "page_data"


class TestAudio(Workspace):
    __test__ = True
    node_name = "page_data"
    observation_spec = tensor_spec.BoundedTensorSpec([40, 2], tf.float32, -1.0, 1.0)

    def workspace(self):
        return NavigableAudio("page", 40, 8, 2, 4.0, channels=2, settings=WRITES)


class TestAudioItself(TestAudio):
    node_name = "page"


class TestImage(Workspace):
    __test__ = True
    observation_spec = tensor_spec.BoundedTensorSpec([9, 8, 3], tf.uint8, 0, 255)

    def workspace(self):
        fns = (senses.contrast, senses.brightness)
        settings = WorkspaceSettings(interactive=True, perception_fns=fns)
        return NavigableImage("page", (9, 8), 3, 1, 2.0, settings=settings)


class TestImageData(TestImage):
    node_name = "page_data"


class TestGraph(Workspace):
    __test__ = True
    observation_spec = tensor_spec.BoundedTensorSpec([4, 2], tf.float32, -1.0, 1.0)

    def workspace(self):
        return NavigableGraph("page", 4, [(0, 1), (1, 2), (2, 3), (1, 3)], 2, settings=WRITES)


class TestGraphLoc(TestGraph):
    node_name = "page_loc"


class TestGraphData(TestGraph):
    node_name = "page_data"


class TestPredNodeMovesACursor(NodeContract):
    """A PredNode has the cursor for its control, and a RewardNode has the PredNode."""

    node_name = "pred"
    observation_spec = tensor_spec.BoundedTensorSpec([12], tf.int32, 0, 4)

    def make_nodes(self):
        text = NavigableText("page", 12, 5, 3, 1, 2.0, settings=WorkspaceSettings(load="every"))
        small = PredSettings(latent_size=8, hidden=(16,), options=4, unroll=2)
        return [
            *text.info_nodes,
            PredNode("pred", ("page_data", "page_loc"), ("page_loc",), settings=small),
            gym.RewardSensor("reward"),
            RewardNode("value", "reward", "pred", RewardSettings(hidden=8)),
        ]


class TestRLNodeMovesACursor(NodeContract):
    node_name = "eye"
    observation_spec = tensor_spec.BoundedTensorSpec([12], tf.int32, 0, 4)

    def make_nodes(self):
        text = NavigableText("page", 12, 5, 3, 1, 2.0, settings=WorkspaceSettings(load="every"))
        return [*text.info_nodes, RLNode("eye", ("page_data", "page_loc"), "page_loc", presets.dqn((16,)))]


# -- what the passes do ----------------------------------------------------------------------


def ticks(workspace, data, asked, modes=Modes(greedy=True), more=()):
    """Runs a tick for each dict of (control: value) in `asked`, `more` nodes beside; yields the states after it."""
    queue: dict = {}

    def ask(targets, parents, state):
        return {
            name: Target(tf.constant(value)[None], tf.ones([1], tf.bool)) for name, value in queue.items()
        }, state

    controls = tuple(n.name for n in workspace.info_nodes[1:] if n.target_spec is not None)
    boss = LambdaNode("asks", controls, top_down=ask, control_names=controls)
    graph = NodeGraph([*workspace.info_nodes, boss, *more])
    states = graph.initial_state(1)
    for t, wish in enumerate(asked):
        queue = wish
        step = ts.TimeStep(tf.constant([0 if t == 0 else 1]), tf.zeros([1]), tf.ones([1]), tf.constant(data)[None])
        _, states = run_tick(graph, obs2dict(step), states, Tick(tf.constant([t, 1]), modes))
        yield states


def test_a_cursor_moves_and_its_window_follows_a_tick_later():
    text = NavigableText("page", 9, 9, 3, 2, 4.0, ratio=4.0)
    seen = [
        (float(s["page"]["loc"][0, 0]), tf.argmax(s["page"]["window"][0], -1).numpy().tolist())
        for s in ticks(text, np.arange(9, dtype=np.int32), [{"page_loc": c} for c in (2, 1, 3, 0)])
    ]
    # 2: +4, kept inside at 7; 1: -4; 3: the fine one, -1; 0: rest.
    assert seen == [(7.0, [3, 4, 5]), (3.0, [6, 7, 8]), (2.0, [2, 3, 4]), (2.0, [1, 2, 3])]


def test_a_write_lands_where_the_window_was_read_and_lasts():
    text = NavigableText("page", 9, 9, 3, 1, 2.0, settings=WRITES)
    wishes = [{"page_data": 8, "page_loc": 2}, {"page_data": 0, "page_loc": 0}]
    states = list(ticks(text, np.zeros(9, np.int32), wishes))
    for state in states:
        assert state["page"]["data"].numpy()[0].tolist() == [0, 0, 0, 0, 7, 0, 0, 0, 0]
    assert states[-1]["page"]["loc"].numpy().tolist() == [[6.0]]


def test_a_written_image_is_seen():
    image = NavigableImage("page", (6, 6), 2, settings=WRITES)
    paint = np.concatenate([np.linspace(0.1, 0.9, 12), [1.0]]).astype(np.float32)
    still = np.zeros(2, np.float32)
    rest = np.zeros(13, np.float32)
    wishes = [{"page_data": paint, "page_loc": still}, {"page_data": rest, "page_loc": still}]
    *_, last = ticks(image, np.full([6, 6, 3], 255, np.uint8), wishes)
    np.testing.assert_allclose(last["page"]["window"][0].numpy().ravel(), paint[:-1], atol=1e-6)
    assert np.sum(last["page"]["data"].numpy() != 1.0) == 12


def test_action_fns_shape_what_is_written():
    settings = WorkspaceSettings(interactive=True, action_fns=(lambda v: v * 0.5, lambda v: v + 0.25))
    grid = NavigableGrid("page", 5, 1, settings=settings)
    wish = {"page_data": np.array([0.5, 1.0], np.float32), "page_loc": np.zeros(1, np.float32)}
    *_, last = ticks(grid, np.zeros([5, 1], np.float32), [wish])
    np.testing.assert_allclose(last["page"]["data"].numpy().ravel(), [0, 0, 0.5, 0, 0])


def test_a_random_cursor_stays_inside_for_long():
    """100 ticks at a speed far above the data's size."""
    grid = NavigableGrid("page", (7, 6), (3, 2), 2, 50.0)
    data = np.arange(42, dtype=np.float32).reshape(7, 6, 1)
    wish = {"page_loc": np.zeros(4, np.float32)}
    places = [s["page"]["loc"].numpy()[0] for s in ticks(grid, data, [wish] * 100, Modes(collect="random"))]
    assert np.all(places >= grid.low) and np.all(places <= grid.high)
    assert np.ptp(places, axis=0).min() > 2.0, "it hardly moved"


def test_the_tick_compiles_once():
    """With XLA, one trace for all ticks of an episode, whatever is asked."""
    text = NavigableText("page", 30, 5, 3, 2, 4.0, settings=WRITES)
    graph = NodeGraph([*text.info_nodes, asker(text.loc_info_nodes[0])])
    run = tf.function(
        lambda world, states: run_tick(graph, world, states, Tick(tf.constant([1, 2]), Modes())), jit_compile=True
    )
    states = graph.initial_state(2)
    for t in range(4):
        text_t = tf.constant(np.random.default_rng(t).integers(0, 5, [2, 30]), tf.int32)
        step = ts.TimeStep(tf.fill([2], min(t, 1)), tf.zeros([2]), tf.ones([2]), text_t)
        _, states = run(obs2dict(step), states)
    assert run.experimental_get_tracing_count() == 1


def test_gradients_flow_through_window_and_perception():
    """From what is said back to the data and the cursor, through the nodes' own functions."""
    audio = NavigableAudio("page", 40, 8, channels=1)
    data = tf.constant(np.random.default_rng(0).normal(size=[1, 40, 1]).astype(np.float32))
    loc = tf.constant([[13.3]])
    with tf.GradientTape() as tape:
        tape.watch((data, loc))
        said = tf.reduce_sum(senses.spectrum(audio.f_window(data, loc)))
    for gradient in tape.gradient(said, (data, loc)):
        assert np.all(np.isfinite(gradient)) and np.any(gradient.numpy() != 0)


# -- bad input --------------------------------------------------------------------------------


BAD = [
    (lambda: NavigableGrid("page", 0, 1), ["'page'", "bounds=0", "from 1"]),
    (lambda: NavigableGrid("page", (4, 0), 1), ["'page'", "bounds", "from 1"]),
    (lambda: NavigableGrid("page", (), 1), ["'page'", "bounds"]),
    (lambda: NavigableGrid("page", (4, 4), (5, 2)), ["'page'", "larger than the data", "at most"]),
    (lambda: NavigableGrid("page", (4, 4), 0), ["'page'", "window=0"]),
    (lambda: NavigableGrid("page", (4, 4), (1, 1, 1)), ["'page'", "window", "2 axes"]),
    (lambda: NavigableGrid("page", 4, 1, max_speed=0.0), ["'page'", "max_speed=0.0", "above 0"]),
    (lambda: NavigableGrid("page", 4, 1, max_speed=float("nan")), ["'page'", "max_speed"]),
    (lambda: NavigableGrid("page", 4, 1, n_coef_navigators=0), ["'page'", "n_coef_navigators=0"]),
    (lambda: NavigableGrid("page", 4, 1, ratio=1.0), ["'page'", "ratio=1.0", "above 1"]),
    (lambda: NavigableGrid("page", 4, 1, moves="jump"), ["'page'", "'jump'", "velocity"]),
    (lambda: NavigableText("page", 9, 0, 3), ["'page'", "vocabulary=0"]),
    (lambda: NavigableText("page", 3, 5, 4), ["'page'", "larger than the data"]),
    (lambda: NavigableGraph("page", 0, [], 1), ["'page'", "places=0"]),
    (lambda: NavigableGraph("page", 2, [(0, 5)], 1), ["'page'", "(0, 5)", "raise places"]),
    (lambda: NavigableGraph("page", 2, [], 1, start=2), ["'page'", "start=2"]),
    (lambda: NavigableGraph("page", 2, [], 1, value_bounds=(0.5, 1.0)), ["'page'", "value_bounds=(0.5, 1.0)"]),
    (lambda: NavigableGrid("page", 4, 1, value_bounds=(0.0, 0.0), settings=WRITES), ["'page'", "value_bounds=(0.0"]),
    (lambda: NavigableGrid("page", np.array([4, 0]), 1), ["'page'", "bounds", "from 1"]),
    (lambda: NavigableGrid("page", 2.5, 1), ["'page'", "bounds=2.5", "whole numbers"]),
    (lambda: NavigableGrid("page", (4, 4), 1, max_speed=np.array([1.0, -1.0])), ["'page'", "max_speed", "above 0"]),
    (lambda: NavigableGrid("page", 4, 1, max_speed="fast"), ["'page'", "max_speed='fast'", "above 0"]),
    (lambda: NavigableGrid("page", 4, 1, settings=WorkspaceSettings(load="never")), ["'page'", "'never'", "first"]),
    (
        lambda: NavigableGrid("page", 4, 1, settings=WorkspaceSettings(load="every", interactive=True)),
        ["'page'", "interactive", "load='first'"],
    ),
    (
        lambda: NavigableGrid("page", 4, 1, settings=WorkspaceSettings(perception_fns=(lambda w: w,))),
        ["'page'", "perception_fns[0]", "[B, S]"],
    ),
    (
        lambda: page("page", tf.TensorSpec([8, 8, 3], tf.uint8), "data", PageSettings(window=(1, 1))),
        ["'page'", "perception_fns[1]", "not finite", "larger window"],
    ),
    (lambda: page("page", tf.TensorSpec([4], tf.float32), "data"), ["'page'", "'data'", "NavigableGrid"]),
    (
        lambda: page("page", tf.TensorSpec([4, 4, 3], tf.float32), "data", PageSettings(window=(5, 5))),
        ["'page'", "larger than the data"],
    ),
    (
        lambda: page("page", tensor_spec.BoundedTensorSpec([40], tf.int32, 0, 3), "data", PageSettings(window=(5, 5))),
        ["'page'", "window=(5, 5)", "expected 1 numbers", "share"],
    ),
]


@pytest.mark.parametrize("case", range(len(BAD)))
def test_bad_input_names_node_and_fix(case):
    build, told = BAD[case]
    with pytest.raises(GraphError) as error:
        build()
    for part in told:
        assert part in str(error.value)


def test_sizes_may_be_arrays_or_their_numbers():
    grid = NavigableGrid("page", np.array([7, 6]), np.int64(2), max_speed=np.array([2.0, 3.0], np.float32))
    assert grid.bounds == (7, 6) and grid.window == (2, 2) and grid.max_speed == (2.0, 3.0)


def test_cursor_moves_are_billed_and_rest_is_free():
    """A move is owed at once, at the coefficients' price times their size, and leaves the blood a tick later.

    The first coefficient costs 0.1, the second 0.02: moves at (1, -1), (-0.5, 0), rest, (0, 0).
    """
    grid = NavigableGrid("page", 30, 3, 2, 2.0)
    grid.loc_info_nodes[0].charge("blood", per_control=[[0.1], [0.02]])
    blood = EnergyStorage("blood", OrganSettings(1, start=1.0))
    wishes = [{"page_loc": np.array(w, np.float32)} for w in ((1, -1), (-0.5, 0))] + [{}, {}]
    states = list(ticks(grid, np.zeros([30, 1], np.float32), wishes, more=(blood,)))
    read = lambda leaf: [round(float(tf.reduce_sum(s["blood"][leaf])), 5) for s in states]
    assert read("spent") == [0.12, 0.05, 0.0, 0.0]
    assert read("energy") == [1.0, 0.88, 0.83, 0.83]


def test_looking_is_billed():
    """By the window's brightness: 6 pixels of 0.5 at 0.01 each."""
    grid = NavigableGrid("page", (5, 5), (3, 2))
    grid.data_info_nodes[0].charge("blood", per_signal=np.full([6, 1], 0.01, np.float32))
    blood = EnergyStorage("blood", OrganSettings(1, start=1.0))
    *_, last = ticks(grid, np.full([5, 5, 1], 0.5, np.float32), [{}, {}], more=(blood,))
    np.testing.assert_allclose(tf.reduce_sum(last["blood"]["energy"]), 0.97, atol=1e-6)


def test_data_that_do_not_fit_are_named():
    grid = NavigableGrid("page", 4, 1)
    with pytest.raises(GraphError, match=r"'page'.*\[4, 1\].*\[5, 1\].*bounds"):
        list(ticks(grid, np.zeros([5, 1], np.float32), [{"page_loc": np.zeros(1, np.float32)}]))
    other = NavigableGrid("page", 4, 1, settings=WorkspaceSettings(source="picture"))
    with pytest.raises(GraphError, match="'page'.*'picture'.*source"):
        list(ticks(other, np.zeros([4, 1], np.float32), [{"page_loc": np.zeros(1, np.float32)}]))


def test_only_sub_nodes_ask_a_workspace():
    text = NavigableText("page", 9, 5, 3)
    wish = lambda targets, parents, state: (
        {"page": Target({"move": tf.zeros([1], tf.int32)}, tf.ones([1], tf.bool))}, state
    )
    graph = NodeGraph([*text.info_nodes, LambdaNode("boss", ("page",), top_down=wish, control_names=("page",))])
    step = ts.restart(tf.zeros([1, 9], tf.int32), 1)
    with pytest.raises(GraphError, match="'page'.*'boss'.*'page_loc'"):
        run_tick(graph, obs2dict(step), graph.initial_state(1), Tick(tf.constant([0, 0]), Modes()))


def test_page_chooses_the_modality_and_keeps_its_share():
    cases = [
        (tensor_spec.BoundedTensorSpec([240], tf.int32, 0, 11), NavigableText),
        (tf.TensorSpec([2048, 2], tf.float32), NavigableAudio),
        (tf.TensorSpec([48, 48, 3], tf.uint8), NavigableImage),
    ]
    for spec, kind in cases:
        found = page("page", spec, "data", PageSettings(share=0.05))
        assert type(found) is kind and 0.03 < found.window_share <= 0.05


def test_page_of_a_small_image_has_a_texture():
    """A 20th of 8 by 8 is less than 2 by 2, the least there is a texture in."""
    found = page("page", tf.TensorSpec([8, 8, 3], tf.uint8), "data", PageSettings(share=0.05))
    assert found.window == (2, 2)
    (data,) = found.data_info_nodes
    assert np.all(np.isfinite(data._features(tf.ones([1, 2, 2, 3]))))
    assert page("page", tensor_spec.BoundedTensorSpec([8], tf.int32, 0, 3), "data").window == (1,)


def test_reader_needs_its_leaf():
    seen = {"question": tensor_spec.BoundedTensorSpec([], tf.int32, 0, 2)}
    with pytest.raises(GraphError, match="reader.*'data'"):
        presets.reader(ts.time_step_spec(seen), tensor_spec.BoundedTensorSpec([], tf.int32, 0, 2))
