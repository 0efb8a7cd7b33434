"""How the edge list changes: sibling subtraction, pruning, growth, lesions.

All shapes are fixed: edges die by their mask and are born into free slots, so that every
function compiles. Symbols as in `synapse`.
"""
from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf

from infonodes.rules.synapse import Edges, Layout, gathered


class Reach(NamedTuple):
    """Which units lie on ways through the graph.

    Attributes:
      forward: `[N]`, 1 for units that activity from the inputs can reach.
      backward: `[N]`, 1 for units from which an output can be reached.
    """

    forward: tf.Tensor
    backward: tf.Tensor


def sibling_subtraction(edges: Edges, layout: Layout, share: float, grace: int) -> tf.Tensor:
    """Returns weights `[E]` less what all outputs of a block get alike from one source.

    Where a source has mature edges to every output of a block, `share` of the smallest is taken
    from each. Differences between the pools, hence the softmax, stay exactly as they were; what
    remains is what tells the outputs apart, and the rest falls to the prune.

    Args:
      edges: The edge list.
      layout: Numbers of units.
      share: ρ, in [0, 1].
      grace: Edges up to this age are left alone, and so are their siblings.
    """
    block = _block_of(edges.target, layout)
    groups = len(layout.blocks)
    place = edges.source * groups + tf.maximum(block, 0)  # [E], a source and a block
    mature = edges.alive * tf.cast(edges.age > grace, tf.float32) * tf.cast(block >= 0, tf.float32)
    count = tf.math.unsorted_segment_sum(mature, place, layout.units * groups)
    widths = tf.tile(tf.constant([float(w) for w in layout.blocks]), [layout.units])
    far = tf.fill(tf.shape(edges.weight), tf.float32.max)
    least = tf.math.unsorted_segment_min(tf.where(mature > 0, edges.weight, far), place, layout.units * groups)
    taken = tf.where(count >= widths, share * least, 0.0)
    return edges.weight - mature * tf.gather(taken, place)


def _block_of(target: tf.Tensor, layout: Layout) -> tf.Tensor:
    """Returns the block of each edge's output, int32 `[E]`; -1 for a hidden unit."""
    first = layout.inputs + layout.hidden
    table = [-1] * first + [g for g, width in enumerate(layout.blocks) for _ in range(width)]
    return tf.gather(tf.constant(table, tf.int32), target)


def killed(edges: Edges, dies: tf.Tensor) -> Edges:
    """Returns the edges with the slots where `dies`, bool `[E]`, freed."""
    clear = lambda x: tf.where(dies, tf.zeros_like(x), x)
    return Edges(*[clear(x) for x in edges])


def weak(edges: Edges, least: float, grace: int) -> tf.Tensor:
    """Returns which mature edges weigh less than `least`: bool `[E]`."""
    return (edges.alive > 0) & (edges.age > grace) & (edges.weight < least)


def reach(edges: Edges, layout: Layout, sweeps: int) -> Reach:
    """Returns what can be reached, by at most `sweeps` searches over all edges each way.

    Args:
      edges: The edge list.
      layout: Numbers of units.
      sweeps: Longest way in edges that is found; H + 1 finds all.
    """
    index = tf.range(layout.units)
    inputs = tf.cast(index < layout.inputs, tf.float32)
    outputs = tf.cast(index >= layout.inputs + layout.hidden, tf.float32)
    if not layout.hidden:
        return Reach(tf.ones_like(inputs), tf.ones_like(inputs))  # Each edge is a way of its own.

    def body(step, forward, backward, _):
        on = gathered((edges.alive * tf.gather(forward, edges.source))[:, None], edges.target, layout.units)[:, 0]
        back = gathered((edges.alive * tf.gather(backward, edges.target))[:, None], edges.source, layout.units)[:, 0]
        further = tf.maximum(forward, tf.minimum(on, 1.0))
        earlier = tf.maximum(backward, tf.minimum(back, 1.0))
        changed = tf.reduce_any(further != forward) | tf.reduce_any(earlier != backward)
        return step + 1, further, earlier, changed

    _, forward, backward, _ = tf.while_loop(
        lambda step, f, b, changed: changed & (step < sweeps), body, (0, inputs, outputs, tf.constant(True))
    )
    return Reach(forward, backward)


def off_path(edges: Edges, found: Reach, grace: int) -> tf.Tensor:
    """Returns which mature edges lie on no way from an input to an output: bool `[E]`, the notes' mega-prune."""
    on = tf.gather(found.forward, edges.source) * tf.gather(found.backward, edges.target)
    return (edges.alive > 0) & (edges.age > grace) & (on < 0.5)


def grown(edges: Edges, layout: Layout, found: Reach, most: tf.Tensor, weight: tf.Tensor, seed: tf.Tensor) -> Edges:
    """Returns the edges with up to `most` random ones born into free slots.

    An edge leaves an input or a hidden unit that activity reaches, and enters a hidden unit or
    an output; it is no loop and no duplicate.

    Args:
      edges: The edge list.
      layout: Numbers of units.
      found: What can be reached.
      most: int32 scalar, births at most; less where free slots or chance run out.
      weight: Scalar, of newborn edges.
      seed: int32 `[2]`.
    """
    slots = edges.weight.shape[0]
    one, other = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    source = tf.random.stateless_uniform([slots], one, 0, layout.inputs + layout.hidden, tf.int32)
    target = tf.random.stateless_uniform([slots], other, layout.inputs, layout.units, tf.int32)
    fits = (edges.alive < 0.5) & (source != target) & (tf.gather(found.forward, source) > 0.5)
    # No living edge joins the same units, and no other newborn that stands before.
    none = _unused(2 * slots)
    living = tf.where(edges.alive > 0.5, _key(edges.source, edges.target, layout), none[:slots])
    asked = tf.where(fits, _key(source, target, layout), none[slots:])
    fits &= ~_repeated(tf.concat([living, asked], axis=0))[slots:]
    born = fits & (_count_before(fits) < most)
    new = tf.cast(born, tf.float32)
    old = 1.0 - new
    return Edges(
        source=tf.where(born, source, edges.source),
        target=tf.where(born, target, edges.target),
        weight=edges.weight * old + new * weight,
        alive=edges.alive + new,
        age=tf.where(born, 0, edges.age),
        seen=edges.seen * old,
        favour=edges.favour * old,
    )


def _key(source: tf.Tensor, target: tf.Tensor, layout: Layout) -> tf.Tensor:
    """Returns a number that tells pairs of units apart; int64, as N² may pass 2³¹."""
    return tf.cast(source, tf.int64) * layout.units + tf.cast(target, tf.int64)


def _unused(count: int) -> tf.Tensor:
    """Returns keys that no edge has, all different: `[count]`."""
    return -1 - tf.range(count, dtype=tf.int64)


def _repeated(keys: tf.Tensor) -> tf.Tensor:
    """Returns whether an equal key stands before: bool `[X]`.

    By sorting: XLA compares all pairs for `tf.searchsorted`, 40 GB at 10⁵ edges, and takes
    seconds for `tf.scatter_nd`.
    """
    order = tf.argsort(keys, stable=True)
    ordered = tf.gather(keys, order)
    same = tf.concat([[False], ordered[1:] == ordered[:-1]], axis=0)
    return tf.gather(same, tf.argsort(order))


def _count_before(flags: tf.Tensor) -> tf.Tensor:
    """Returns how many flags stand before each: bool `[X]` to int32 `[X]`, exact below 2²⁴.

    Row by row of a square, by products: XLA takes 1.1 s for `tf.cumsum` of 10⁵ numbers on a CPU, and 3 ms for these.
    """
    count = flags.shape[0]
    side = math.isqrt(count - 1) + 1
    rows = tf.reshape(tf.pad(tf.cast(flags, tf.float32), [[0, side * side - count]]), [side, side])
    below = tf.linalg.band_part(tf.ones([side, side]), -1, 0) - tf.eye(side)  # Ones where the column is earlier.
    within = tf.matmul(rows, below, transpose_b=True)
    earlier = tf.linalg.matvec(below, tf.reduce_sum(rows, axis=1))
    return tf.cast(tf.reshape(within + earlier[:, None], [-1])[:count], tf.int32)


def lesioned(edges: Edges, share: float, seed: tf.Tensor) -> tf.Tensor:
    """Returns which living edges a lesion hits: bool `[E]`, the nearest whole number to `share` of them.

    Args:
      edges: The edge list.
      share: In [0, 1].
      seed: int32 `[2]`.
    """
    draw = tf.random.stateless_uniform(tf.shape(edges.weight), seed)
    rank = tf.argsort(tf.argsort(tf.where(edges.alive > 0.5, draw, 2.0)))
    hit = tf.cast(tf.round(share * tf.reduce_sum(edges.alive)), tf.int32)
    return (edges.alive > 0.5) & (rank < hit)
