"""What nodes do with rows and frames. Pure functions."""
from __future__ import annotations

from typing import TYPE_CHECKING, Mapping, Optional

import tensorflow as tf

from infonodes.packing import outer_shape
from infonodes.types import State, Target, Tick

if TYPE_CHECKING:
    from infonodes.info_nodes.info_node import InfoNode


def fold_time(tensor: tf.Tensor) -> tf.Tensor:
    """Returns `[B, T, ...]` as `[B*T, ...]`."""
    batch, time = outer_shape(tensor, 2)
    return tf.reshape(tensor, [batch * time] + tensor.shape[2:].as_list())


def scan_bottom_up(
    node: InfoNode,
    parents: Mapping[str, State],
    recorded: State,
    step_type: tf.Tensor,
    tick: Tick,
) -> State:
    """Runs `bottom_up` tick by tick from the first recorded state; episodes start afresh.

    Recorded states at first steps are those after the reset, so that a reset is to
    take the recorded state instead of the carried one. `[B, T, ...]` in and out.
    """
    time_major = lambda x: tf.transpose(x, [1, 0, *range(2, x.shape.rank)])
    inputs = tf.nest.map_structure(time_major, (dict(parents), recorded, tf.equal(step_type, 0)))

    def body(carried: State, now: tuple) -> State:
        parents_t, recorded_t, first = now
        before = tf.nest.map_structure(lambda r, c: where_row(first, r, c), recorded_t, carried)
        return node.bottom_up(parents_t, before, tick)

    start = tf.nest.map_structure(lambda x: x[:, 0], recorded)
    states = tf.scan(body, inputs, start)
    return tf.nest.map_structure(time_major, states)


def where_row(condition: tf.Tensor, then: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """`tf.where` with `condition` `[B]` for tensors `[B, ...]`."""
    shape = tf.concat([tf.shape(condition), tf.ones([then.shape.rank - 1], tf.int32)], 0)
    return tf.where(tf.reshape(condition, shape), then, other)


def pick_target(targets: Mapping[str, Target], seed: tf.Tensor) -> Optional[Target]:
    """Picks one valid target a row, each with the same chance (sampled, not averaged).

    Args:
      targets: One slot a sender.
      seed: int32 `[2]`.

    Returns:
      The pick, its `valid` False in rows where no slot was valid; None if there is no slot.
    """
    slots = [targets[k] for k in sorted(targets)]
    if len(slots) <= 1:
        return slots[0] if slots else None
    valid = tf.stack([s.valid for s in slots], axis=1)  # [B, senders]
    noise = tf.random.stateless_uniform(tf.shape(valid), seed)
    choice = tf.argmax(tf.where(valid, noise, -1.0), axis=1, output_type=tf.int32)
    value = tf.nest.map_structure(
        lambda *v: tf.gather(tf.stack(v, axis=1), choice, axis=1, batch_dims=1),
        *[s.value for s in slots],
    )
    return Target(value, tf.reduce_any(valid, axis=1))
