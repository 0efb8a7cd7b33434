"""The physics of energy: drawing, digesting, owing, spending. Pure functions.

Energy is a vector of E components, like a bloodstream's. Whatever graph of organs is built of
these functions, at every tick and in every row

```
Σ stored + Σ owed + Σ spent + Σ lost = start + Σ gained
```

summed over components and organs; spent, lost and gained over the ticks since the start. `owed`
is a balance: what an organ handed out or used beyond what it had counts below zero. It is the
imaginary energy of a tick in which more was asked of a supplier than it had, and is exacted from
the next income.
"""
from __future__ import annotations

import numpy as np
import tensorflow as tf


def draw(bills: tf.Tensor, available: tf.Tensor) -> tf.Tensor:
    """Returns what each client receives: clip(bill, 0, available), elementwise.

    Every client is served from all there was before the tick: together they may draw more.

    Args:
      bills: Outstanding bills, `[..., C, E]`.
      available: What the supplier had before the tick, `[..., E]`.

    Returns:
      `[..., C, E]`.
    """
    return tf.clip_by_value(bills, 0.0, tf.maximum(available, 0.0)[..., None, :])


def digest(received: tf.Tensor, usefulness: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns what received energy turns into: U · received, told apart by sign.

    Args:
      received: `[..., I]`, ≥ 0.
      usefulness: `[E, I]`: entry (e, i) is what a unit of component i adds to component e, or
        takes from it where it is negative. Its positive entries add up to at most 1 a column.

    Returns:
      What feeds `[..., E]`, what harms `[..., E]`, both ≥ 0, and the part of the received
      that turns into nothing, `[...]` ≥ 0. Feeding and harm of different components of the
      received do not cancel out.
    """
    feeds = tf.linalg.matvec(tf.maximum(usefulness, 0.0), received)
    harms = tf.linalg.matvec(tf.maximum(-usefulness, 0.0), received)
    share = 1.0 - tf.reduce_sum(tf.maximum(usefulness, 0.0), axis=0)
    wasted = tf.reduce_sum(tf.maximum(share, 0.0) * received, axis=-1)
    return feeds, harms, wasted


def settle(
    energy: tf.Tensor, debt: tf.Tensor, feeds: tf.Tensor, harms: tf.Tensor, given: tf.Tensor, capacity: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Books a tick's income and payments; an old debt is exacted from the income first.

    Args:
      energy: Stored before, `[..., E]`, ≥ 0.
      debt: Owed before, `[..., E]`, ≥ 0.
      feeds: Income, `[..., E]`.
      harms: What is destroyed where there is something to destroy, `[..., E]`.
      given: Handed to all clients together, `[..., E]`.
      capacity: Most that can be stored, `[E]`; the rest is lost.

    Returns:
      Energy stored, debt, both `[..., E]`, and the energy lost by harm and overflow, `[...]`.
    """
    net = energy - debt + feeds - given
    stored = tf.maximum(net, 0.0)
    harmed = tf.minimum(harms, stored)
    overflow = tf.maximum(stored - harmed - capacity, 0.0)
    lost = tf.reduce_sum(harmed + overflow, axis=-1)
    return stored - harmed - overflow, tf.maximum(-net, 0.0), lost


def demand(target: tf.Tensor, energy: tf.Tensor) -> tf.Tensor:
    """Returns what an organ asked for `target` uses: σ(target) · energy, `[..., E]`."""
    return tf.sigmoid(target) * energy


def spend(energy: tf.Tensor, demanded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the energy left, and what was spent: clip(demanded, 0, energy), both `[..., E]`."""
    spent = tf.clip_by_value(demanded, 0.0, energy)
    return energy - spent, spent


def ask(need: tf.Tensor, usefulness: tf.Tensor) -> tf.Tensor:
    """Returns how much to ask of a supplier so that what comes of it covers a need.

    Component e is fed by all i with U_ei > 0 alike, need_e / Σ_i U⁺_ei of each; what a unit feeds
    besides comes with it, so that of the needs of several e the greatest counts.

    Args:
      need: `[..., E]`, ≥ 0.
      usefulness: `[E, I]`, as for `digest`.

    Returns:
      `[..., I]`; 0 of components that feed nothing, for needs that nothing feeds.
    """
    feeds = tf.maximum(usefulness, 0.0)
    each = need / tf.maximum(tf.reduce_sum(feeds, axis=1), 1e-6)  # [..., E]
    useful = tf.cast(feeds > 0.0, need.dtype)
    return tf.reduce_max(each[..., :, None] * useful, axis=-2)


def refill(unpaid: tf.Tensor, used: tf.Tensor, room: tf.Tensor) -> tf.Tensor:
    """Returns an organ's bill: what is unpaid and what it used, no more than it has room for.

    All `[..., I]`, in the supplier's components; a bill is never negative.
    """
    return tf.clip_by_value(unpaid + used, 0.0, tf.maximum(room, 0.0))


def storage_target(
    net: tf.Tensor, asked: tf.Tensor, paid: tf.Tensor, set_point: tf.Tensor, capacity: tf.Tensor
) -> tf.Tensor:
    """Returns what a storage wants to take in.

    It wants to stand at its set point after its debt and all bills are paid. A bill above
    what it has is not taken out on those who sent it: it raises this target instead. Only what
    its clients draw at the tick when the energy comes makes room for it.

    Args:
      net: Stored less debt, `[..., E]`.
      asked: The outstanding bills of its clients together, `[..., E]`.
      paid: What of them is paid at the next tick, `[..., E]`.
      set_point: `[..., E]`.
      capacity: `[E]`.

    Returns:
      `[..., E]`, from 0 to the room there is once debt is exacted and clients are paid.
    """
    return tf.clip_by_value(set_point - (net - asked), 0.0, tf.maximum(capacity - (net - paid), 0.0))


def drive(energy: tf.Tensor, set_point: tf.Tensor, power: float = 2.0, root: float = 2.0) -> tf.Tensor:
    """Returns how far a body is from where it wants to be.

    D(h) = (Σ_i |h*_i − h_i|^n)^{1/m}, Keramati & Gutkin 2014, eq. 1. The root is taken of the
    sum plus 1e-12, less the root of that, so that the gradient is finite at the set point and
    D is 0 there.

    Args:
      energy: h, `[..., E]`.
      set_point: h*, `[E]`.
      power: n.
      root: m.

    Returns:
      `[...]`, ≥ 0.
    """
    # The floor keeps |x|^n differentiable for n < 2 at x = 0.
    gap = tf.reduce_sum(tf.maximum(tf.abs(set_point - energy), 1e-12) ** power, axis=-1)
    return (gap + 1e-12) ** (1.0 / root) - 1e-12 ** (1.0 / root)


def drive_reduction(before: tf.Tensor, after: tf.Tensor) -> tf.Tensor:
    """Returns the reward of a move that led from one drive to another: D(h_t) − D(h_{t+1}).

    Keramati & Gutkin 2014, eq. 2. Added to a task's reward it is potential-based shaping with
    the potential −D (Ng et al. 1999), but for the discount.
    """
    return before - after


def negative_cost(cost: tf.Tensor) -> tf.Tensor:
    """Returns the notes' reward: minus the drive that is left."""
    return -cost


def makes_energy(matrix: np.ndarray) -> np.ndarray:
    """Returns which columns of a usefulness or conversion matrix give out more than comes in."""
    return np.flatnonzero(np.maximum(np.asarray(matrix, np.float64), 0.0).sum(axis=0) > 1.0 + 1e-6)
