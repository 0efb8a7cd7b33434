"""Whatever comes, the outcome is success or a named error: states, graphs, trajectories, priorities.

`pytest tests/reliability/test_fuzz.py` draws 400 cases, with `-m slow` 12,500 more.
"""
import os
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tf_agents.trajectories import trajectory

from infonodes.checkpoints import CheckpointFault, nests
from infonodes.graph import NodeGraph
from infonodes.info_nodes.lambda_node import LambdaNode
from infonodes.replay import CostPrioritizedReplay, LocalReplay, ReplayFault, priorities
from infonodes.testing import FakeActuatorNode, FakeSensorNode
from infonodes.types import GraphError, NodeError

FEW, MANY = 100, 3000
_QUIET = dict(deadline=None, suppress_health_check=list(HealthCheck))


def both(check, strategy, many=MANY):
    """Returns a fast and a slow test of the same property."""
    @settings(max_examples=FEW, **_QUIET)
    @given(strategy)
    def few(case):
        check(case)

    @pytest.mark.slow
    @settings(max_examples=many, **_QUIET)
    @given(strategy)
    def more(case):
        check(case)

    return few, more


# -- states of checkpoints -----------------------------------------------------------------------

_LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.binary(max_size=3),
    st.complex_numbers(),
    hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)),
)
_NESTS = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=4) | st.just("__array__"), inner, max_size=3),
    max_leaves=6,
)


def same(one, other):
    """Whether two nests are equal, to the bit and the dtype."""
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (np.ndarray, np.generic)):
        one, other = np.asarray(one), np.asarray(other)
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, float) and one != one:
        return other != other
    return type(one) is type(other) and one == other


def check_state(state):
    with tempfile.TemporaryDirectory() as folder:
        try:
            nests.save(folder, "s", state)
        except CheckpointFault as error:
            assert "state s" in str(error)
            return
        assert same(state, nests.load(folder, "s"))


test_states, test_many_states = both(check_state, _NESTS)

# -- graphs ------------------------------------------------------------------------------------------

_NAMES = st.sampled_from(["obs", "act", "a", "b", "c", "d", "", "1x", "a/b", "environment", "none"])
_NODE = st.tuples(_NAMES, *[st.lists(_NAMES, max_size=3)] * 3)


def check_graph(nodes):
    try:
        graph = NodeGraph([
            FakeSensorNode("obs"), FakeActuatorNode("act"),
            *(LambdaNode(n, parents, neighbor_names=near, control_names=own) for n, parents, near, own in nodes),
        ])
    except (GraphError, NodeError) as error:
        assert str(error)
        return
    order = list(graph.names)
    for name, parents, _, _ in nodes:  # What was accepted is sound: parents come first.
        assert all(order.index(p) < order.index(name) for p in parents if p in order)


test_graphs, test_many_graphs = both(check_graph, st.lists(_NODE, max_size=4))

# -- trajectories ------------------------------------------------------------------------------------

_SCALAR = lambda dtype: tf.TensorSpec([], dtype)
_SPEC = trajectory.Trajectory(
    _SCALAR(tf.int32), tf.TensorSpec([2], tf.float32), _SCALAR(tf.int64), {"cost": _SCALAR(tf.float32)},
    _SCALAR(tf.int32), _SCALAR(tf.float32), _SCALAR(tf.float32),
)
_FLOAT = st.floats(width=32) | st.just(1.0)
_FRAME = st.tuples(
    st.integers(0, 2), st.integers(0, 2), _FLOAT, _FLOAT,
    st.sampled_from(["sound"] * 8 + ["shape", "dtype", "missing", "extra", "object"]),
)


def frame_of(number, step_type, next_type, cost, seen, kind):
    observation = np.array([number, seen], np.float32)
    info = {"cost": np.float32(cost)}
    observation = {
        "shape": observation[:1], "dtype": observation.astype(np.float64), "object": np.array([None, None]),
    }.get(kind, observation)
    info = {"missing": {}, "extra": {**info, "more": np.float32(0)}}.get(kind, info)
    one = np.float32(1)
    return trajectory.Trajectory(np.int32(step_type), observation, np.int64(0), info, np.int32(next_type), one, one)


def check_trajectory(frames):
    replay = LocalReplay(_SPEC, 3, max_size=8)
    observer = replay.observer()
    for number, described in enumerate(frames):
        try:
            observer(frame_of(number, *described))
        except ReplayFault as error:
            assert str(error)
            bad = not np.isfinite(np.float32(described[2:4])).all() or described[4] != "sound"
            assert bad, described
    if not replay.size:
        return
    batch, info = replay.sample(16)
    assert all(np.isfinite(leaf).all() for leaf in (batch.observation, batch.reward, info.probability, info.priority))
    for window, kinds in zip(batch.observation[..., 0], batch.step_type):
        steps = np.diff(window)
        assert set(steps) <= {0, 1} and (np.diff(steps) <= 0).all()  # in order; the boundary frame may be repeated
        assert not (kinds[1:] == 0).any()  # none begins in the middle of another


test_trajectories, test_many_trajectories = both(check_trajectory, st.lists(_FRAME, max_size=25), 2500)

# -- priorities --------------------------------------------------------------------------------------

_ANY = st.floats() | st.sampled_from([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-320, 1e308, 1e9])


def check_priorities(case):
    costs, exponent, share, mean = case
    for stored in (
        priorities.priority(np.array(costs), exponent, share, mean),
        np.array([priorities.priority(float(c), exponent, share, mean) for c in costs]),
    ):
        assert ((stored >= 1e-6) & (stored <= 1e6)).all()
    found = priorities.mixture_probability(np.array(costs), exponent, share)
    assert np.isfinite(found).all() and abs(found.sum() - 1.0) < 1e-9


test_priorities, test_many_priorities = both(check_priorities, st.tuples(
    st.lists(_ANY, min_size=1, max_size=20), st.floats(0, 1), st.floats(0, 1), st.floats(1e-6, 1e6)), 4000)


@pytest.mark.slow
def test_ten_thousand_priorities_through_reverb(tmp_path):
    """Bar 1: inserted and updated; afterwards the table takes, gives, and comes back from a checkpoint."""
    rng = np.random.default_rng(0)
    nasty = np.array([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-45, 3e38, -3e38, 1e9, 0.5], np.float32)
    drawn = np.concatenate([nasty, (10.0 ** rng.uniform(-44, 38, 4990) * rng.choice([-1, 1], 4990)).astype(np.float32)])
    with CostPrioritizedReplay(_SPEC, 2, max_size=20_000) as replay:
        observer, refused = replay.observer(), 0
        for number, cost in enumerate(drawn):  # 5,000 inserts
            for step_type, next_type in ((0, 2), (2, 0)):
                try:
                    observer(frame_of(number, step_type, next_type, cost, 0.0, "sound"))
                except ReplayFault:
                    refused += 1
        observer.flush()
        assert refused == 2 * 3 and replay.size == 4997
        at = 0
        for _, info in replay.dataset(50).take(100):  # 5,000 updates
            replay.update_priorities(info, tf.constant(drawn[at:at + 50]))
            at += 50
        for _, info in replay.dataset(64).take(50):
            assert ((info.priority.numpy() >= 1e-6) & (info.priority.numpy() <= 1e6)).all()
            assert np.isfinite(info.probability.numpy()).all() and (info.probability.numpy() > 0).all()
        began = time.monotonic()
        for step_type, next_type in ((0, 2), (2, 0)):
            observer(frame_of(0, step_type, next_type, 1.0, 0.0, "sound"))
        observer.flush()
        next(iter(replay.dataset(1, prefetch=1)))
        assert time.monotonic() - began < 5.0  # 1 s on a quiet machine
        replay.save(str(tmp_path))
        size = replay.size
    with CostPrioritizedReplay(_SPEC, 2, max_size=20_000) as replay:
        replay.load(str(tmp_path))
        assert replay.size == size == 4998
