"""Bytes: a nest comes back as it was, from NumPy or a graph, whatever its shapes and dtypes."""
from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
import tree
from hypothesis import given, settings

from infonodes.wire import Wire

DTYPES = [tf.float64, tf.float32, tf.float16, tf.int64, tf.int32, tf.int16, tf.int8, tf.uint8, tf.bool]
LEAVES = st.builds(tf.TensorSpec, st.lists(st.integers(0, 3), max_size=3), st.sampled_from(DTYPES))
NESTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.dictionaries(st.text("abC_1", min_size=1, max_size=3), inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
    ),
    max_leaves=8,
)


def sample(spec, outer, rng):
    """Random bits of every leaf, but for NaN, which does not equal itself."""

    def draw(leaf):
        dtype = np.dtype(leaf.dtype.as_numpy_dtype)
        count = int(np.prod([*outer, *leaf.shape], dtype=int))
        if leaf.dtype == tf.bool:
            return rng.integers(0, 2, count).astype(bool).reshape([*outer, *leaf.shape])
        bits = np.frombuffer(rng.bytes(count * dtype.itemsize), dtype).reshape([*outer, *leaf.shape])
        return np.nan_to_num(bits) if dtype.kind == "f" else bits

    return tree.map_structure(draw, spec)


def same(one, other):
    """Whether two nests hold the same numbers, dtypes and shapes."""
    tf.nest.assert_same_structure(one, other)
    pairs = list(zip(tf.nest.flatten(one), tf.nest.flatten(other)))
    return all(np.array_equal(a, b) and np.asarray(a).dtype == np.asarray(b).dtype for a, b in pairs)


@settings(max_examples=60, deadline=None)
@given(spec=NESTS, outer=st.lists(st.integers(1, 3), max_size=2).map(tuple), seed=st.integers(0, 99))
def test_round_trip(spec, outer, seed):
    """NumPy's and TensorFlow's bytes are the same, and both bring the nest back."""
    if not tf.nest.flatten(spec):
        return
    nest, wire = sample(spec, outer, np.random.default_rng(seed)), Wire(spec)
    data = wire.encode_arrays(nest, outer)
    assert data.dtype == np.uint8 and data.shape == (*outer, wire.size)
    assert same(nest, wire.form(wire.decode_arrays(data)))
    tensors = tree.map_structure(tf.constant, nest)
    np.testing.assert_array_equal(wire.encode(tensors), data)
    assert same(nest, tf.nest.map_structure(lambda t: t.numpy(), wire.decode(tf.constant(data))))


def test_within_xla():
    spec = {"a": tf.TensorSpec([2, 3], tf.float32), "b": tf.TensorSpec([], tf.int64), "c": tf.TensorSpec([3], tf.bool)}
    nest, wire = sample(spec, (4,), np.random.default_rng(0)), Wire(spec)
    both = tf.function(lambda data: (wire.encode(wire.decode(data)), wire.decode(data)), jit_compile=True)
    data, back = both(tf.constant(wire.encode_arrays(nest, (4,))))
    np.testing.assert_array_equal(data, wire.encode_arrays(nest, (4,)))
    assert same(nest, tf.nest.map_structure(lambda t: t.numpy(), back))


def test_the_dicts_of_a_module():
    """A policy's specs are wrapped by `tf.Module`; what is formed is plain."""
    module = tf.Module()
    module.spec = ({"x": tf.TensorSpec([], tf.int32), "a": tf.TensorSpec([2], tf.float32)}, tf.TensorSpec([], tf.int64))
    wire = Wire(module.spec)
    nest = ({"x": np.int32(3), "a": np.array([1, 2], np.float32)}, np.int64(4))
    formed = wire.form(wire.decode_arrays(wire.encode_arrays(nest)))
    assert type(formed) is tuple and type(formed[0]) is dict and same(nest, formed)


@pytest.mark.parametrize("value, told", [
    (np.zeros(2, np.float64), "camera/left: expected dtype float32, got float64"),
    (np.zeros(3, np.float32), r"camera/left: expected shape \(2,\), got \(3,\)"),
])
def test_names_the_leaf_that_does_not_fit(value, told):
    wire = Wire({"camera": {"left": tf.TensorSpec([2], tf.float32)}})
    with pytest.raises(ValueError, match=told):
        wire.encode_arrays({"camera": {"left": value}})


@pytest.mark.parametrize("nest", [{"b": np.int32(1)}, {"a": np.int32(0), "b": np.int32(1), "c": np.int32(2)}])
def test_more_or_fewer_leaves_are_refused(nest):
    wire = Wire({"b": tf.TensorSpec([], tf.int32), "c": tf.TensorSpec([], tf.int32)})
    with pytest.raises(ValueError, match=r"expected the leaves \['b', 'c'\], got \['[ab]'"):
        wire.encode_arrays(nest)


@pytest.mark.parametrize("leaf", [tf.TensorSpec([None], tf.float32), tf.TensorSpec([], tf.string)])
def test_refuses_what_is_no_number(leaf):
    with pytest.raises(ValueError, match="eye: expected numbers of a known shape"):
        Wire({"eye": leaf})


def test_finds_nan_in_any_float():
    leaves = (("h", [2], tf.float16), ("f", [2], tf.float32), ("i", [], tf.int32))
    wire = Wire({key: tf.TensorSpec(shape, dtype) for key, shape, dtype in leaves})
    nest = {"h": np.ones(2, np.float16), "f": np.ones(2, np.float32), "i": np.int32(-1)}  # -1 has the bits of a NaN.
    assert wire.is_finite(wire.encode_arrays(nest))
    for key, bad in (("h", np.inf), ("f", np.nan)):
        broken = {**nest, key: nest[key].copy()}
        broken[key][1] = bad
        assert not wire.is_finite(wire.encode_arrays(broken))
