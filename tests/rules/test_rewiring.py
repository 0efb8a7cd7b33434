"""Structure changes keep the edge list sound, whatever graph they meet."""
from __future__ import annotations

import collections

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from infonodes.info_nodes import synaptic_learning as learning
from infonodes.info_nodes.synaptic_settings import SynapticSettings
from infonodes.rules import rewiring, synapse
from infonodes.rules.synapse import Edges, Layout

QUICK = settings(max_examples=25, deadline=None)


@st.composite
def graphs(draw):
    """Any edge list that keeps the invariants: distinct edges, no loops, into hidden units and outputs."""
    layout = Layout(draw(st.integers(1, 5)), draw(st.integers(0, 5)), (draw(st.integers(1, 3)), 2))
    slots = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    pairs = [
        (s, t) for s in range(layout.inputs + layout.hidden) for t in range(layout.inputs, layout.units) if s != t
    ]
    chosen = rng.permutation(len(pairs))[: rng.integers(0, min(slots, len(pairs)) + 1)]
    place = rng.permutation(slots)[: len(chosen)]
    source, target, age = (np.zeros(slots, np.int32) for _ in range(3))
    weight, alive = (np.zeros(slots, np.float32) for _ in range(2))
    for slot, index in zip(place, chosen):
        source[slot], target[slot] = pairs[index]
        weight[slot], alive[slot], age[slot] = rng.random() * rng.choice([0.01, 1.0]), 1.0, rng.integers(0, 25)
    zeros = tf.zeros([slots])
    edges = Edges(*map(tf.constant, (source, target, weight, alive, age)), zeros, zeros)
    return layout, edges, int(rng.integers(0, 2**31))


def assert_sound(edges, layout):
    source, target, weight, alive, age, *_ = (np.asarray(v) for v in edges)
    living = alive > 0.5
    assert set(np.unique(alive)) <= {0.0, 1.0}
    assert np.all((source >= 0) & (source < layout.inputs + layout.hidden)), "a source left its range"
    assert np.all(target[living] >= layout.inputs) and np.all((target >= 0) & (target < layout.units))
    assert np.all(source[living] != target[living]), "a loop"
    pairs = list(zip(source[living], target[living]))
    assert len(pairs) == len(set(pairs)), "a duplicate"
    assert not np.any(weight[~living]) and not np.any(source[~living]) and not np.any(age[~living])
    assert np.all(weight >= 0)


def reached(starts, ways):
    """Breadth-first search in Python."""
    found, waiting = set(starts), collections.deque(starts)
    while waiting:
        for unit in ways.get(waiting.popleft(), ()):
            if unit not in found:
                found.add(unit)
                waiting.append(unit)
    return found


def on_paths(edges, layout):
    """Returns which living edges lie on a way from an input to an output."""
    living = np.flatnonzero(np.asarray(edges.alive) > 0.5)
    ends = [(int(edges.source[k]), int(edges.target[k])) for k in living]
    on, back = collections.defaultdict(list), collections.defaultdict(list)
    for source, target in ends:
        on[source].append(target)
        back[target].append(source)
    forward = reached(range(layout.inputs), on)
    backward = reached(range(layout.inputs + layout.hidden, layout.units), back)
    return [source in forward and target in backward for source, target in ends]


@QUICK
@given(graphs())
def test_mega_prune_leaves_ways_from_inputs_to_outputs_only(case):
    layout, edges, _ = case
    found = rewiring.reach(edges, layout, layout.hidden + 1)
    dies = rewiring.off_path(edges, found, grace=-1)
    after = rewiring.killed(edges, dies)
    assert_sound(after, layout)
    assert all(on_paths(after, layout))
    assert int(tf.reduce_sum(after.alive)) == sum(on_paths(edges, layout)), "it took an edge that leads somewhere"


@QUICK
@given(graphs(), st.integers(0, 12))
def test_growth_keeps_ids_in_range_and_adds_at_most_what_it_may(case, most):
    layout, edges, seed = case
    found = rewiring.reach(edges, layout, layout.hidden + 1)
    after = rewiring.grown(edges, layout, found, tf.constant(most), tf.constant(0.3), tf.constant([seed, 1]))
    assert_sound(after, layout)
    before = np.asarray(edges.alive) > 0.5
    born = (np.asarray(after.alive) > 0.5) & ~before
    assert born.sum() <= most
    np.testing.assert_allclose(np.asarray(after.weight)[born], 0.3)
    for old, new in zip(edges, after):
        np.testing.assert_array_equal(np.asarray(old)[before], np.asarray(new)[before])
    forward = np.asarray(found.forward)
    assert np.all(forward[np.asarray(after.source)[born]] > 0.5), "born where no activity comes"


@QUICK
@given(graphs())
def test_a_life_of_rewiring_stays_sound(case):
    """Twenty ends of episodes with everything on; survivors' traces are kept, others' are void."""
    layout, edges, seed = case
    cfg = SynapticSettings(grow=3, grace=2, sibling=0.5, prune=0.05)
    zeros = tf.zeros([layout.inputs])
    plastic = learning.Plastic(edges, zeros, zeros, tf.constant(4.0))
    for episode in range(20):
        before = plastic.edges
        plastic, lived = learning.rewire(plastic, tf.constant(1), tf.constant([seed, episode]), layout, cfg)
        assert_sound(plastic.edges, layout)
        same = np.asarray(lived) > 0.5
        for field in ("source", "target"):
            np.testing.assert_array_equal(
                np.asarray(getattr(before, field))[same], np.asarray(getattr(plastic.edges, field))[same]
            )
        old = (np.asarray(plastic.edges.age) > cfg.grace) & (np.asarray(plastic.edges.alive) > 0.5)
        assert np.all(np.asarray(on_paths(plastic.edges, layout))[old[np.asarray(plastic.edges.alive) > 0.5]])


@QUICK
@given(graphs(), st.floats(0.0, 1.0))
def test_sibling_subtraction_keeps_what_tells_outputs_apart(case, share):
    """Softmax within each block is the same before and after, for any input."""
    layout, edges, seed = case
    after = edges._replace(weight=rewiring.sibling_subtraction(edges, layout, share, grace=5))
    assert np.all(np.asarray(after.weight) >= -1e-6)
    assert np.all(np.asarray(after.weight) <= np.asarray(edges.weight) + 1e-6)
    flat = Layout(layout.inputs + layout.hidden, 0, layout.blocks)  # Hidden units as inputs, to clamp them.
    x = tf.random.stateless_uniform([flat.inputs, 1], [seed, 2])
    into = tf.cast(edges.target >= flat.inputs, tf.float32)
    policy = lambda e: synapse.preferences(
        synapse.outputs_of(synapse.spread(e._replace(alive=e.alive * into), x, flat, 1, 1.0), flat), flat, 0.25
    )
    np.testing.assert_allclose(policy(edges), policy(after), atol=1e-5)


def test_siblings_fall_until_one_is_left():
    """Two edges of one source, 0.6 and 0.5: half of the least is taken from both, each time."""
    layout, zeros = Layout(1, 0, (2,)), tf.zeros([2])
    edges = Edges(
        tf.constant([0, 0]), tf.constant([1, 2]), tf.constant([0.6, 0.5]), tf.ones([2]), tf.constant([9, 9]),
        zeros, zeros,
    )
    np.testing.assert_allclose(rewiring.sibling_subtraction(edges, layout, 0.5, 5), [0.35, 0.25], rtol=1e-6)
    np.testing.assert_allclose(rewiring.sibling_subtraction(edges, layout, 0.5, 9), [0.6, 0.5])  # Too young.


@QUICK
@given(graphs(), st.floats(0.0, 1.0))
def test_a_lesion_hits_its_share_of_the_living(case, share):
    layout, edges, seed = case
    hit = np.asarray(rewiring.lesioned(edges, share, tf.constant([seed, 3])))
    living = np.asarray(edges.alive) > 0.5
    assert not np.any(hit & ~living)
    assert abs(hit.sum() - share * living.sum()) <= 0.5 + 1e-5
    assert_sound(rewiring.killed(edges, tf.constant(hit)), layout)


def test_an_edge_grows_where_it_may_with_the_same_chance():
    """From nothing, 2 inputs and 3 outputs: each of the 6 edges first about as often, as χ² at 0.1 % has it."""
    layout, slots = Layout(2, 0, (3,)), 12
    nothing = Edges(*[tf.zeros([slots], t) for t in (tf.int32, tf.int32, tf.float32, tf.float32, tf.int32)],
                    tf.zeros([slots]), tf.zeros([slots]))
    found = rewiring.reach(nothing, layout, 1)
    grow = tf.function(lambda s: rewiring.grown(nothing, layout, found, tf.constant(1), tf.constant(1.0), s))
    counts, tries = np.zeros([2, 5]), 900
    for i in range(tries):
        edges = grow(tf.constant([i, 5]))
        slot = int(tf.argmax(edges.alive))
        counts[edges.source[slot], edges.target[slot]] += 1
    flat = counts[:, 2:].ravel()
    assert ((flat - tries / 6) ** 2 / (tries / 6)).sum() < 20.5
