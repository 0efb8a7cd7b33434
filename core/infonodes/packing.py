"""One flat tensor a dtype for a whole nest.

Each leaf that crosses the Python boundary of `policy.action` costs about 9 µs, and
30 to 70 µs more when it is written to Reverb; a packed nest costs as much as one.
"""
from __future__ import annotations

import math
from typing import Optional

import tensorflow as tf
from tf_agents.specs import tensor_spec

from infonodes.types import Nest, Spec

# Specs that Reverb and spec samplers see are bounded, so that samples stay sane.
_BOUND = 1e6


class Packer:
    """Packs nests that fit `spec` into `{dtype name: [..., size]}` and back.

    Attributes:
      spec: The nest of `tf.TensorSpec` that is packed.
      packed_spec: What comes out: a dict of flat bounded specs, one a dtype.
    """

    def __init__(self, spec: Spec):
        self.spec = spec
        self._leaves = [tf.TensorSpec(s.shape, s.dtype, s.name) for s in tf.nest.flatten(spec)]
        for leaf in self._leaves:
            if not leaf.shape.is_fully_defined():
                raise ValueError(f"cannot pack a leaf of unknown shape: {leaf}")
        self._sizes = [math.prod(leaf.shape.as_list()) for leaf in self._leaves]
        dtypes = sorted({leaf.dtype.name for leaf in self._leaves})
        self._members = {
            d: [i for i, leaf in enumerate(self._leaves) if leaf.dtype.name == d] for d in dtypes
        }
        self.packed_spec = {d: self._packed_leaf(d) for d in dtypes}

    def _packed_leaf(self, dtype: str) -> tf.TensorSpec:
        size = sum(self._sizes[i] for i in self._members[dtype])
        if dtype == "bool":
            return tf.TensorSpec([size], tf.bool, dtype)
        low, high = (0, 255) if dtype == "uint8" else (-_BOUND, _BOUND)
        return tensor_spec.BoundedTensorSpec([size], dtype, low, high, dtype)

    def pack(self, nest: Nest) -> dict[str, tf.Tensor]:
        """Returns `nest` (`[..., *leaf shape]`) as `{dtype: [..., size]}`."""
        tf.nest.assert_same_structure(self.spec, nest)
        leaves = tf.nest.flatten(nest)
        packed = {}
        for dtype, members in self._members.items():
            rows = [self._flat(leaves[i], self._leaves[i], self._sizes[i]) for i in members]
            packed[dtype] = tf.concat(rows, axis=-1) if len(rows) > 1 else rows[0]
        return packed

    def unpack(self, packed: dict[str, tf.Tensor]) -> Nest:
        """Returns the nest that was packed; outer dimensions are kept."""
        leaves: list[Optional[tf.Tensor]] = [None] * len(self._leaves)
        for dtype, members in self._members.items():
            rows = tf.split(packed[dtype], [self._sizes[i] for i in members], axis=-1)
            for i, row in zip(members, rows):
                leaves[i] = reshape_tail(row, self._leaves[i].shape.as_list())
        return tf.nest.pack_sequence_as(self.spec, leaves)

    def _flat(self, leaf: tf.Tensor, spec: tf.TensorSpec, size: int) -> tf.Tensor:
        # Most leaves are scalars or vectors: one operation or none, where a graph of many nodes is traced.
        if spec.shape.rank == 0:
            return tf.expand_dims(leaf, -1)
        if spec.shape.rank == 1:
            return leaf
        rank = leaf.shape.rank - spec.shape.rank
        return tf.reshape(leaf, outer_shape(leaf, rank) + [size])


def outer_shape(tensor: tf.Tensor, rank: int) -> list:
    """Returns the first `rank` dimensions, as ints where they are known."""
    static = tensor.shape[:rank]
    if static.is_fully_defined():
        return static.as_list()
    dynamic = tf.shape(tensor)
    return [dynamic[i] if d is None else d for i, d in enumerate(static.as_list())]


def reshape_tail(row: tf.Tensor, shape: list) -> tf.Tensor:
    """Returns `row` `[..., size]` as `[..., *shape]`."""
    if len(shape) == 1:
        return row
    if not shape:
        return tf.squeeze(row, -1)
    return tf.reshape(row, outer_shape(row, row.shape.rank - 1) + list(shape))
