"""Local plasticity on a list of edges: activity, feedback, eligibility, dopamine.

Pure functions of the notes' edge list, as the evidence in `docs/nodes/synaptic.md` mends
it. Symbols: E edge slots, I inputs, H hidden, O outputs, N = I + H + O units in this order,
B batch rows. Tensors are unit-major, `[N, B]` and `[E, B]`, so that one gather or one segment
sum serves all rows. A free slot has `alive` 0, weight 0 and leads from unit 0 to unit 0.
"""
from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class Layout(NamedTuple):
    """How units are numbered; static.

    Attributes:
      inputs: I.
      hidden: H.
      blocks: Widths of the groups of outputs that compete with each other; O is their sum.
    """

    inputs: int
    hidden: int
    blocks: tuple[int, ...]

    @property
    def outputs(self) -> int:
        """O."""
        return sum(self.blocks)

    @property
    def units(self) -> int:
        """N."""
        return self.inputs + self.hidden + self.outputs


class Edges(NamedTuple):
    """The edge list.

    Attributes:
      source: int32 `[E]`, unit that each edge leaves.
      target: int32 `[E]`, unit that it enters.
      weight: `[E]`, ≥ 0.
      alive: `[E]`, 1 or 0.
      age: int32 `[E]`, episodes since birth.
      seen: `[E]`, updates in which its eligibility was not 0.
      favour: `[E]`, in [-1, 1]: running mean of the sign of the feedback it got.
    """

    source: tf.Tensor
    target: tf.Tensor
    weight: tf.Tensor
    alive: tf.Tensor
    age: tf.Tensor
    seen: tf.Tensor
    favour: tf.Tensor


class Activity(NamedTuple):
    """One forward pass.

    Attributes:
      units: `[N, B]`, what each unit sends: input activities, 0 or 1 for hidden units.
      pools: `[N, B]`, what each unit received.
    """

    units: tf.Tensor
    pools: tf.Tensor


def gathered(values: tf.Tensor, ids: tf.Tensor, count: int) -> tf.Tensor:
    """Returns the sums of `values` `[E, B]` by `ids` `[E]`: `[count, B]`.

    Dead slots must carry 0; their ids stay in range, as segment sums need on accelerators.
    """
    return tf.math.unsorted_segment_sum(values, ids, count)


def spread(edges: Edges, inputs: tf.Tensor, layout: Layout, sweeps: int, threshold: float) -> Activity:
    """Passes activity forward, `sweeps` times over all edges.

    a_j = Σ_i w_ij x_i; a hidden unit sends 1 where its pool exceeds `threshold`, as the notes
    have it. Inputs are clamped. Without hidden units one sweep is exact.

    Args:
      edges: The edge list.
      inputs: `[I, B]`.
      layout: Numbers of units.
      sweeps: The graph's depth in edges; 1 suffices without hidden units.
      threshold: θ, of hidden units.
    """
    weight = (edges.weight * edges.alive)[:, None]
    batch = tf.shape(inputs)[1]
    hidden, rest = tf.zeros([layout.hidden, batch]), tf.zeros([layout.outputs, batch])
    units = pools = tf.concat([inputs, hidden, rest], axis=0)
    for _ in range(sweeps if layout.hidden else 1):
        units = tf.concat([inputs, hidden, rest], axis=0)
        pools = gathered(weight * tf.gather(units, edges.source), edges.target, layout.units)
        hidden = tf.cast(pools[layout.inputs : layout.inputs + layout.hidden] > threshold, tf.float32)
    return Activity(units, pools)


def outputs_of(activity: Activity, layout: Layout) -> tf.Tensor:
    """Returns the pools of the outputs: `[O, B]`."""
    return activity.pools[layout.inputs + layout.hidden :]


def preferences(pools: tf.Tensor, layout: Layout, temperature: float) -> tf.Tensor:
    """Returns softmax(p / T) within each block: `[O, B]` to `[O, B]`."""
    parts = tf.split(pools / temperature, layout.blocks, axis=0)
    return tf.concat([tf.nn.softmax(part, axis=0) for part in parts], axis=0)


def one_hot(choice: tf.Tensor, layout: Layout) -> tf.Tensor:
    """Returns choices, int32 `[G, B]` one a block, as `[O, B]`."""
    rows = [tf.one_hot(choice[g], width, axis=0) for g, width in enumerate(layout.blocks)]
    return tf.concat(rows, axis=0)


def feedback(
    edges: Edges, activity: Activity, output_feedback: tf.Tensor, layout: Layout, sweeps: int, threshold: float
) -> tf.Tensor:
    """Sends feedback from outputs back to hidden units: the notes' breadth-first search, a level a sweep.

    g_i = max(0, 1 − |a_i − θ|) Σ_j w_ij g_j: signed, and let through where the unit was near
    its threshold (a surrogate slope of the step function, Bellec et al. 2020, eq. 4, width 1).

    Args:
      edges: The edge list.
      activity: Of the forward pass.
      output_feedback: `[O, B]`.
      layout: Numbers of units.
      sweeps: As for `spread`; one less leads back.
      threshold: θ.

    Returns:
      Feedback of all units, `[N, B]`; 0 at inputs.
    """
    first, last = layout.inputs, layout.inputs + layout.hidden
    still = tf.zeros_like(activity.pools[:first])
    hidden = tf.zeros_like(activity.pools[first:last])
    found = tf.concat([still, hidden, output_feedback], axis=0)
    weight = (edges.weight * edges.alive)[:, None]
    slope = tf.maximum(0.0, 1.0 - tf.abs(activity.pools[first:last] - threshold))
    for _ in range(max(sweeps - 1, 1) if layout.hidden else 0):
        back = gathered(weight * tf.gather(found, edges.target), edges.source, layout.units)
        found = tf.concat([still, slope * back[first:last], output_feedback], axis=0)
    return found


def drive(edges: Edges, activity: Activity, found: tf.Tensor, layout: Layout, normalised: bool) -> tf.Tensor:
    """Returns what each edge did for its target's feedback: `[E, B]`, alive · x_i · g_j / n_j.

    n_j = max(1, Σ_i x_i² alive) makes the step independent of how many edges meet (normalised
    least mean squares, Widrow and Hoff).

    Args:
      edges: The edge list.
      activity: Of the forward pass.
      found: `[N, B]`, the feedback.
      layout: Numbers of units.
      normalised: Whether to divide by n.
    """
    sent = tf.gather(activity.units, edges.source) * edges.alive[:, None]
    if normalised:
        norm = tf.maximum(1.0, gathered(sent**2, edges.target, layout.units))
        found = found / norm
    return sent * tf.gather(found, edges.target)


def dopamine(
    reward: tf.Tensor, discount: tf.Tensor, value: tf.Tensor, next_value: tf.Tensor, gamma: float
) -> tf.Tensor:
    """Returns the TD error δ = r + γ d V(s') − V(s), `[B]`: what came beyond what was expected.

    Args:
      reward: `[B]`, the opiate: what the environment paid.
      discount: `[B]`, 0 after a true termination only; a truncation bootstraps.
      value: `[B]`, V(s).
      next_value: `[B]`, V(s').
      gamma: γ.
    """
    return reward + gamma * discount * next_value - value


def novelty(visits: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
    """Returns the mean of 1 / sqrt(1 + visits) over the active inputs: `[B]`, in (0, 1].

    Args:
      visits: `[I]`, summed activity so far.
      inputs: `[I, B]`.
    """
    fresh = tf.reduce_sum(inputs / tf.sqrt(1.0 + visits)[:, None], axis=0)
    return fresh / tf.maximum(tf.reduce_sum(inputs, axis=0), 1e-6)


def strengthened(weight: tf.Tensor, step: tf.Tensor, floor: float, additive: bool, largest: float) -> tf.Tensor:
    """Returns weights after one step, clipped to [0, largest]: `[E]`.

    Multiplicative, w + (w + ε) tanh(x): the notes' w · (1 + tanh(x)) at ε = 0, where a weight
    of 0 is absorbing. Additive, w + x.

    Args:
      weight: `[E]`.
      step: `[E]`, x.
      floor: ε.
      additive: Which of the two.
      largest: Greatest weight.
    """
    moved = weight + step if additive else weight + (weight + floor) * tf.tanh(step)
    return tf.clip_by_value(moved, 0.0, largest)


def step_scale(edges: Edges, boost: float, protection: float) -> tf.Tensor:
    """Returns how much more or less than the rate each edge moves: `[E]`.

    The first feedback counts for more, (1 + boost / sqrt(1 + seen)), and edges that were good
    so far move less, 1 / (1 + protection · max(favour, 0)).
    """
    early = 1.0 + boost * tf.math.rsqrt(1.0 + edges.seen)
    return early / (1.0 + protection * tf.maximum(edges.favour, 0.0))


def critic_step(
    values: tf.Tensor, trace: tf.Tensor, inputs: tf.Tensor, delta: tf.Tensor, valid: tf.Tensor, rate: float
) -> tf.Tensor:
    """Returns the critic's weights `[I]` after a TD(λ) step, normalised by Σ φ².

    Args:
      values: `[I]`, V = v · φ.
      trace: `[I, B]`.
      inputs: `[I, B]`, φ.
      delta: `[B]`, δ.
      valid: `[B]`, 1 for rows that made a move.
      rate: Step size.
    """
    each = valid * delta / tf.maximum(1.0, tf.reduce_sum(inputs**2, axis=0))
    return values + rate * row_mean(trace * each, valid)


def row_mean(values: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Returns the mean of `values` `[X, B]`, masked already, over the rows that count: `[X]`."""
    return tf.reduce_sum(values, axis=1) / tf.maximum(1.0, tf.reduce_sum(valid))
