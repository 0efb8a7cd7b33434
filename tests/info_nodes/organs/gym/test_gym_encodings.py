"""Encodings of all spaces: what comes out of the definition of each gym space."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.specs import tensor_spec

from infonodes.info_nodes.organs import gym
from infonodes.modes import Modes
from infonodes.types import ENVIRONMENT, Target, Tick

Bounded = tensor_spec.BoundedTensorSpec
SEED = tf.constant([3, 4], tf.int32)

SPACES = {
    "discrete": Bounded([], tf.int64, 0, 3),
    "discrete_from_minus_2": Bounded([], tf.int32, -2, 2),
    "one_choice": Bounded([], tf.int32, 0, 0),
    "multi_discrete": Bounded([3], tf.int64, [0, 1, -1], [1, 3, 2]),
    "multi_discrete_matrix": Bounded([2, 2], tf.int32, 0, [[1, 2], [3, 1]]),
    **{
        f"discrete_{dtype.name}": Bounded([], dtype, -3 if dtype.min else 5, 9)
        for dtype in (tf.int8, tf.uint8, tf.int16, tf.uint16, tf.uint32, tf.uint64)
    },
    "discrete_wider_than_its_int8": Bounded([], tf.int8, -100, 100),
    "multi_discrete_wider_than_its_int8": Bounded([2], tf.int8, [-100, 0], [100, 1]),
    "multi_discrete_uint16": Bounded([2], tf.uint16, [3, 65533], [4, 65535]),
    "multi_discrete_uint64": Bounded([2], tf.uint64, 0, [1, 2]),
    "multi_binary": Bounded([3], tf.int8, 0, 1),
    "boolean": tf.TensorSpec([], tf.bool),
    "box": Bounded([2], tf.float32, [-2, 1], [2, 5]),
    "box_matrix64": Bounded([2, 2], tf.float64, 0, [[1, 2], [3, 1]]),
    "box_scalar": Bounded([], tf.float32, -1, 3),
    "box_with_constant": Bounded([2], tf.float32, [0, 7], [1, 7]),
}


def actuator(kind: str) -> gym.GymSpaceNode:
    return gym.actuators(SPACES[kind])[0]


def random_values(spec, count: int, seed: int = 0) -> np.ndarray:
    """Legal values drawn with numpy, both ends included."""
    rng = np.random.default_rng(seed)
    if spec.dtype == tf.bool:
        return rng.integers(0, 2, [count, *spec.shape]).astype(bool)
    low, high = (np.broadcast_to(x, spec.shape) for x in (spec.minimum, spec.maximum))
    if spec.dtype.is_integer:
        return rng.integers(np.int64(low), np.int64(high) + 1, [count, *spec.shape]).astype(spec.dtype.as_numpy_dtype)
    values = rng.uniform(low, high, [count, *spec.shape]).astype(spec.dtype.as_numpy_dtype)
    values[0], values[1] = low, high
    return values


@pytest.mark.parametrize("kind", SPACES)
def test_decode_inverts_encode(kind):
    """decode(encode(x)) = x for every legal x; if not, replay trains on other actions."""
    node = actuator(kind)
    values = random_values(node.spec, 20)
    code = node.encode(tf.constant(values))
    assert code.shape == [20, node.control_size] and code.dtype == tf.float32
    back = node.decode(code)
    assert back.dtype == node.spec.dtype
    np.testing.assert_allclose(back.numpy(), values, atol=1e-6)


@pytest.mark.parametrize("kind", SPACES)
def test_outer_dimensions_are_kept(kind):
    """Row [b, t] is the single item's encoding: training encodes [B, T, N] at once."""
    node = actuator(kind)
    values = random_values(node.spec, 6)
    code = node.encode(tf.constant(values))
    folded = node.encode(tf.reshape(values, [3, 2, *node.spec.shape]))
    np.testing.assert_array_equal(folded.numpy(), code.numpy().reshape(3, 2, -1))
    assert node.decode(folded).shape == [3, 2, *node.spec.shape]


@pytest.mark.parametrize("kind", SPACES)
def test_any_code_decodes_to_a_legal_value(kind):
    """Networks emit any floats; the environment must never get an illegal action."""
    node = actuator(kind)
    code = tf.random.stateless_normal([50, node.control_size], SEED) * 3.0
    value = node.decode(code).numpy().astype(np.float64)
    assert (value >= node.low).all() and (value <= node.high).all()


@pytest.mark.parametrize("kind", SPACES)
def test_blocks_are_the_one_hot_widths(kind):
    """An acting head reads `blocks` as the widths of categorical distributions."""
    node = actuator(kind)
    if "discrete" not in kind and kind != "one_choice":
        assert node.blocks == ()
        return
    assert sum(node.blocks) == node.control_size
    code = node.encode(tf.constant(random_values(node.spec, 10)))
    for block in tf.split(code, node.blocks, axis=-1):
        np.testing.assert_array_equal(tf.reduce_sum(block, -1), np.ones(10))


@pytest.mark.parametrize("kind", SPACES)
def test_random_mode_covers_the_space_uniformly(kind):
    """Each of k values has chance 1/k (6 sigma); floats a uniform's mean and variance."""
    node = actuator(kind)
    state = node.initial_state(4000)
    asked, after = node.top_down({}, {}, state, Tick(SEED, Modes(collect="random")))
    value = asked[ENVIRONMENT].value.numpy().reshape(4000, -1).astype(np.float64)
    for column, low, high in zip(value.T, node.low.ravel(), node.high.ravel()):
        if node.spec.dtype.is_floating:
            width = high - low
            assert abs(column.mean() - (low + high) / 2) <= 0.03 * width
            assert abs(column.var() - width**2 / 12) <= 0.01 * width**2
        else:
            count = int(high - low + 1)
            seen = np.bincount((column - low).astype(int), minlength=count)
            assert len(seen) == count
            slack = 6 * np.sqrt(4000 / count * (1 - 1 / count))
            assert (np.abs(seen - 4000 / count) <= slack).all()
    assert asked[ENVIRONMENT].valid.numpy().all()
    np.testing.assert_allclose(
        after["value"], node.encode(asked[ENVIRONMENT].value), atol=1e-6
    )


@pytest.mark.parametrize("kind", SPACES)
@pytest.mark.parametrize("count", [1, 4, 16])
def test_candidates_are_distinct_legal_codes(kind, count):
    """Each candidate encodes a legal value; where all are enumerated none is there twice."""
    node = actuator(kind)
    found = node.candidates(node.initial_state(3), count, SEED)
    assert found.shape[0] == 3 and found.shape[2] == node.control_size
    if not node.spec.dtype.is_floating:
        np.testing.assert_array_equal(node.encode(node.decode(found)).numpy(), found.numpy())
    assert np.abs(found).max() <= 1.0
    total = np.prod(node.high - node.low + 1)
    if "discrete" == kind or (not node.spec.dtype.is_floating and total <= count):
        assert len(np.unique(found[0], axis=0)) == found.shape[1] == total
    else:
        assert found.shape[1] == count or kind.startswith(("discrete_", "one_choice"))


@pytest.mark.parametrize("kind", SPACES)
@pytest.mark.parametrize("jit", [False, True])
def test_compiled_on_unknown_batch_gives_what_eager_gives(kind, jit):
    """With an unknown batch dimension, compiled equals eager.

    XLA draws other floats than eager from one stateless seed, whatever the algorithm, so
    that draws are compared without it, and only their legality with it.
    """
    node = actuator(kind)
    tick = Tick(SEED, Modes())
    values = tf.constant(random_values(node.spec, 5))
    valid = tf.constant([True, False, True, True, False])

    def run(values, valid):
        state = node.initial_state(tf.shape(valid)[0])
        asked, state = node.top_down({"child": Target(values, valid)}, {}, state, tick)
        asked = asked[ENVIRONMENT]
        found = asked.value, asked.valid, state, node.decode(state["value"])
        return found, node.candidates(state, 8, SEED)

    signature = [
        tf.TensorSpec([None, *node.spec.shape], node.spec.dtype),
        tf.TensorSpec([None], tf.bool),
    ]
    compiled = tf.function(run, input_signature=signature, jit_compile=jit, autograph=False)
    (eager, draws), (graph, graph_draws) = run(values, valid), compiled(values, valid)
    for one, other in zip(tf.nest.flatten(eager), tf.nest.flatten(graph)):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-6)
    assert graph_draws.shape == draws.shape and np.abs(graph_draws).max() <= 1.0
    if not jit:
        np.testing.assert_allclose(draws.numpy(), graph_draws.numpy(), atol=1e-6)
