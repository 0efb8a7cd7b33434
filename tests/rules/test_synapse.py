"""The plastic rules equal their formulas, written once more in numpy; a wrong sign or factor fails."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from synapse_reference import Reference

from infonodes.info_nodes import synaptic_learning as learning
from infonodes.info_nodes.synaptic_settings import RULES, SynapticSettings
from infonodes.info_nodes.synaptic_wiring import capacity, first_edges
from infonodes.rules import place_cells, synapse

STEPS = 1000
CASES = {
    **{rule: dict(rule=rule) for rule in RULES},
    "note": dict(rule="literal", floor=0.0, rate=0.05, reward_scale=0.1),
    "additive": dict(additive=True),
    "hidden": dict(start="both", hidden=5, fan_in=4, sweeps=3),
}


def beginning(changes, inputs=6, blocks=(3, 2), seed=0):
    cfg = SynapticSettings(**changes)
    layout = synapse.Layout(inputs, cfg.hidden, blocks)
    edges = first_edges(layout, cfg, capacity("node", layout, cfg), seed)
    dead = np.random.default_rng(seed).random(edges.weight.shape[0]) < 0.1
    alive = np.where(dead, 0.0, edges.alive).astype(np.float32)
    edges = edges._replace(alive=tf.constant(alive), weight=edges.weight * alive)
    return cfg, layout, edges


@pytest.mark.parametrize("case", CASES)
def test_a_thousand_random_steps_equal_numpy(case):
    cfg, layout, edges = beginning(CASES[case])
    reference = Reference([v.numpy() for v in edges], layout, cfg)
    rng = np.random.default_rng(1)
    x = rng.random([STEPS + 1, layout.inputs]).astype(np.float32)
    choice = np.stack([rng.integers(0, w, STEPS) for w in layout.blocks], 1).astype(np.int32)
    reward = rng.normal(size=STEPS).astype(np.float32)
    ended = rng.random(STEPS) < 0.05
    first = np.concatenate([[True], ended[:-1]])
    one = lambda v: tf.constant(np.asarray(v, np.float32)[:, None])
    moves = learning.Move(
        tf.constant(x[:-1, :, None]), tf.constant(x[1:, :, None]), tf.constant(choice[:, :, None]),
        one(np.ones(STEPS)), one(reward), one(1.0 - ended), one(np.ones(STEPS)), one(first), one(ended),
    )
    plastic = learning.Plastic(edges, tf.zeros([layout.inputs]), tf.zeros([layout.inputs]), tf.constant(0.0))
    traces = learning.Traces(tf.zeros([edges.weight.shape[0], 1]), tf.zeros([layout.inputs, 1]))
    learn = lambda p, t, m: learning.learn_all(p, t, m, None, layout, cfg)
    run = tf.function(learn, autograph=False, reduce_retracing=True)
    # Roundings of float32 differ by CPU and add up over a thousand steps, so both go on from the same weights after
    # each stretch of a hundred steps or a little more: up to an episode's end, as traces begin anew there.
    starts = np.flatnonzero(first)
    starts = [*starts[np.unique(np.searchsorted(starts, np.arange(0, starts[-1], 100)))], STEPS]
    for begin, end in zip(starts[:-1], starts[1:]):
        plastic, _ = run(plastic, traces, tf.nest.map_structure(lambda leaf: leaf[begin:end], moves))  # noqa: B023
        for t in range(begin, end):
            reference.step(x[t], x[t + 1], choice[t], reward[t], 1.0 - ended[t], first[t])
        np.testing.assert_allclose(plastic.edges.weight, reference.weight, atol=1e-5)
        np.testing.assert_allclose(plastic.values, reference.values, atol=1e-5)
        reference.weight, reference.values = plastic.edges.weight.numpy(), plastic.values.numpy()
    assert np.abs(reference.weight - np.array(edges.weight)).max() > 1e-2, "nothing was learned: compares nothing"


def test_the_notes_step_is_its_formula():
    """weight *= tanh(signal · lr · activation) + 1; a weight of 0 stays 0, and none turns negative."""
    weight = np.array([0.0, 0.5, 2.0], np.float32)
    for x in (-30.0, -0.3, 0.0, 0.4):
        got = synapse.strengthened(tf.constant(weight), tf.constant(x), 0.0, False, 5.0)
        np.testing.assert_allclose(got, np.clip(weight * (np.tanh(x) + 1), 0, 5), rtol=1e-6)


def test_place_cells_are_linear_splines():
    """They sum to 1, at most two are active, and Σ k φ_k gives the value back."""
    values = np.linspace(-1.5, 2.5, 41, dtype=np.float32)[:, None]
    cells = place_cells.place_cells(tf.constant(values), tf.constant([-1.0]), tf.constant([2.0]), 7).numpy()
    np.testing.assert_allclose(cells.sum(1), 1.0, atol=1e-5)
    assert (cells > 0).sum(1).max() <= 2
    back = cells @ np.linspace(-1.0, 2.0, 7)
    np.testing.assert_allclose(back, np.clip(values[:, 0], -1, 2), atol=1e-5)


def test_rows_of_a_batch_do_not_see_each_other_in_activity():
    cfg, layout, edges = beginning(dict(start="both", hidden=5, fan_in=4, sweeps=3))
    x = tf.random.stateless_uniform([layout.inputs, 4], [1, 2])
    whole = learning.pools_of(edges, x, layout, cfg)
    for row in range(4):
        one = learning.pools_of(edges, x[:, row : row + 1], layout, cfg)
        np.testing.assert_allclose(one.pools[:, 0], whole.pools[:, row], rtol=1e-6)


def test_choices_follow_the_softmax():
    """Of 20,000 samples, each output's share is its probability; a greedy one takes the fullest pool."""
    cfg, layout = SynapticSettings(), synapse.Layout(1, 0, (3, 2))
    pools = tf.constant([0.1, 0.5, 0.2, 0.9, 0.4])[:, None]
    many = learning.choose(tf.repeat(pools, 20_000, axis=1), layout, cfg, tf.constant([3, 4]), greedy=False).numpy()
    shares = np.concatenate([np.bincount(many[g], minlength=w) / 20_000 for g, w in enumerate(layout.blocks)])
    expected = synapse.preferences(pools, layout, cfg.temperature).numpy()[:, 0]
    np.testing.assert_allclose(shares, expected, atol=0.015)
    assert learning.choose(pools, layout, cfg, tf.constant([3, 4]), greedy=True).numpy()[:, 0].tolist() == [1, 0]


def test_novelty_is_1_at_first_and_fades_for_what_is_seen():
    x = tf.constant([[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(synapse.novelty(tf.zeros([2]), x), [1.0, 1.0])
    np.testing.assert_allclose(synapse.novelty(tf.constant([8.0, 0.0]), x), [1 / 3, 1.0], rtol=1e-6)


def test_first_feedback_counts_more_and_good_edges_move_less():
    _, _, edges = beginning({})
    edges = edges._replace(seen=tf.ones_like(edges.seen) * 3.0, favour=tf.ones_like(edges.favour) * 0.5)
    np.testing.assert_allclose(synapse.step_scale(edges, 3.0, 0.0), 2.5)
    np.testing.assert_allclose(synapse.step_scale(edges, 0.0, 2.0), 0.5)
