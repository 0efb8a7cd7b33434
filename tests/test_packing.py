"""Packing: a nest comes back as it was, whatever its shape, dtypes and outer dimensions."""
from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings

from infonodes.packing import Packer, outer_shape, reshape_tail

LEAVES = st.builds(
    lambda shape, dtype: tf.TensorSpec(shape, dtype),
    st.lists(st.integers(0, 3), max_size=3),
    st.sampled_from([tf.float32, tf.float64, tf.int32, tf.int64, tf.uint8, tf.bool]),
)
KEYS = st.text("abC_1", min_size=1, max_size=3)
NESTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.dictionaries(KEYS, inner, max_size=3), st.lists(inner, max_size=3).map(tuple)
    ),
    max_leaves=8,
)


def sample(spec, outer, rng):
    """Values of every leaf, `[*outer, ...]`."""

    def draw(leaf):
        return tf.constant(rng.integers(0, 2, [*outer, *leaf.shape]), leaf.dtype)

    def boolean(leaf):
        return tf.constant(rng.integers(0, 2, [*outer, *leaf.shape]).astype(bool))

    return tf.nest.map_structure(lambda s: boolean(s) if s.dtype == tf.bool else draw(s), spec)


@settings(max_examples=60, deadline=None)
@given(spec=NESTS, outer=st.lists(st.integers(1, 3), max_size=2), seed=st.integers(0, 99))
def test_round_trip(spec, outer, seed):
    """By definition `unpack(pack(x)) == x`; the packed form fits `packed_spec`."""
    packer = Packer(spec)
    nest = sample(spec, outer, np.random.default_rng(seed))
    packed = packer.pack(nest)
    assert sorted(packed) == sorted(packer.packed_spec)
    for dtype, row in packed.items():
        assert row.dtype.name == dtype and row.shape == [*outer, *packer.packed_spec[dtype].shape]
    back = packer.unpack(packed)
    tf.nest.assert_same_structure(nest, back)
    for a, b in zip(tf.nest.flatten(nest), tf.nest.flatten(back)):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_one_tensor_a_dtype():
    """The order is that of `tf.nest.flatten`: sorted keys."""
    packer = Packer({"b": tf.TensorSpec([2]), "a": tf.TensorSpec([]), "c": tf.TensorSpec([1], tf.int32)})
    packed = packer.pack({"b": tf.constant([[2.0, 3.0]]), "a": tf.constant([1.0]), "c": tf.constant([[4]])})
    assert sorted(packed) == ["float32", "int32"]
    np.testing.assert_array_equal(packed["float32"], [[1.0, 2.0, 3.0]])


def test_empty_nest():
    assert Packer({}).packed_spec == {} and Packer({}).unpack(Packer({}).pack({})) == {}


def test_unknown_outer_dimensions():
    """In a graph of unknown batch and time; static leaf shapes survive."""
    packer = Packer({"x": tf.TensorSpec([2, 3]), "y": tf.TensorSpec([])})

    @tf.function(input_signature=[tf.TensorSpec([None, None, 7])])
    def run(row):
        nest = packer.unpack({"float32": row})
        assert nest["x"].shape.as_list() == [None, None, 2, 3] and nest["y"].shape.rank == 2
        return packer.pack(nest)["float32"]

    row = tf.random.stateless_normal([2, 5, 7], [0, 1])
    np.testing.assert_array_equal(run(row), row)


def test_specs_are_bounded():
    """Samples of what Reverb and EpsilonGreedyPolicy see stay sane."""
    for spec in Packer({"x": tf.TensorSpec([2]), "i": tf.TensorSpec([], tf.int32)}).packed_spec.values():
        assert np.all(np.abs(spec.minimum.astype(float)) <= 1e6) and np.all(spec.maximum <= 1e6)


def test_refuses_unknown_shapes_and_other_nests():
    with pytest.raises(ValueError, match="unknown shape"):
        Packer(tf.TensorSpec([None]))
    with pytest.raises(ValueError):
        Packer({"a": tf.TensorSpec([])}).pack({"b": tf.zeros([1])})


def test_shapes_are_ints_where_known():
    assert outer_shape(tf.zeros([2, 3, 4]), 2) == [2, 3]
    assert reshape_tail(tf.zeros([5, 6]), [2, 3]).shape == [5, 2, 3]
    row = tf.zeros([5, 6])
    assert reshape_tail(row, [6]) is row
