"""A PredNode over replayed time: perception run again, and what is predicted from it."""
from __future__ import annotations

from typing import TYPE_CHECKING, Mapping

import tensorflow as tf

from infonodes.info_nodes.rows import fold_time, where_row
from infonodes.packing import outer_shape
from infonodes.types import Experience, NodeError, State, Tick

if TYPE_CHECKING:
    from infonodes.info_nodes.pred_node import PredNode


def joined_controls(node: PredNode, experience: Experience) -> tf.Tensor:
    """Returns what the node's controls did, from a child's experience too: `[B, T, U]`."""
    done = [experience.controls[c] for c in node.control_names]
    return tf.concat(done, -1) if done else tf.zeros(outer_shape(experience.step_type, 2) + [0])


def spans(node: PredNode, experience: Experience) -> tuple[list[int], int]:
    """Returns the frames predictions start from and how many follow each, for this window.

    Raises:
      NodeError: if the window's length is unknown or too short.
    """
    time = experience.step_type.shape[1]
    if time is None:
        raise NodeError(
            f"node {node.name!r}: the trajectory's length is unknown; set train_sequence_length of the agent"
        )
    hold = node.settings.hold
    ahead = min(node.settings.unroll, (time - 1) // hold)
    if ahead < 1:
        raise NodeError(
            f"node {node.name!r}: a window of {time} frames is shorter than one prediction of {hold} ticks; "
            f"need {hold + 1}"
        )
    last = time - 1 - ahead * hold
    count = min(node.settings.starts, last + 1)
    starts = sorted({round(i * last / max(count - 1, 1)) for i in range(count)})
    return starts, ahead


def unroll(node: PredNode, experience: Experience, z: tf.Tensor, start: int, ahead: int) -> list[tf.Tensor]:
    """Returns latents predicted 1..`ahead` spans after frame `start`, each `[B, D]`.

    Args:
      node: The PredNode.
      experience: Of this node or of a child: only `controls` are read.
      z: Latent at `start`, `[B, D]`.
      start: Frame index.
      ahead: Number of predictions.
    """
    hold = node.settings.hold
    controls = joined_controls(node, experience)
    unrolled = []
    for k in range(ahead):
        z = node.predict(z, controls[:, start + (k + 1) * hold - 1])  # The span's last tick.
        unrolled.append(z)
    return unrolled


def perceive(node: PredNode, parents: Mapping[str, State], recorded: State, experience: Experience) -> State:
    """Returns the node's states over the window and, for losses, `slow` and `imagined`.

    Args:
      node: The PredNode.
      parents: Recomputed states of its parents, `[B, T, ...]`.
      recorded: Its states before each tick as recorded, `[B, T, ...]`.
      experience: The rest of the window.

    Returns:
      The states `[B, T, ...]`; `slow` `[B, T, D]`, latents of the slow encoder; `imagined`
      `[B, starts, 1 + ahead, D]`, the latent at each start, encoded with gradients, and what
      `f_pred` makes of it.
    """
    batch, time = outer_shape(experience.step_type, 2)
    starts, _ = spans(node, experience)
    if node.recurrent:
        z, slow = _scanned(node, parents, recorded, experience)
        seen = tf.gather(z, starts, axis=1)
    else:
        # All frames' z are for other children; where there are none, the compiler drops them.
        z, slow = (node.encoded(parents, None, slow=which) for which in (False, True))
        first = tf.nest.map_structure(lambda x: tf.gather(x, starts, axis=1), dict(parents))
        seen = node.encoded(first, None, slow=False)
    before = tf.concat([recorded["z"][:, :1], tf.stop_gradient(z[:, :-1])], axis=1)
    start = tf.where((experience.step_type == 0)[..., None], recorded["z"], before)
    if node.settings.hold > 1:
        start = recorded["anchor"]
    flat = tf.nest.map_structure(fold_time, (dict(parents), recorded, z, start))
    state = node.perceived(flat[0], flat[1], flat[2], flat[3], Tick(experience.seed, experience.modes))
    state = tf.nest.map_structure(lambda x: tf.reshape(x, [batch, time] + x.shape[1:].as_list()), state)
    return {**state, "z": z, "slow": tf.stop_gradient(slow), "imagined": _imagined(node, seen, experience)}


def _scanned(
    node: PredNode, parents: Mapping[str, State], recorded: State, experience: Experience
) -> tuple[tf.Tensor, tf.Tensor]:
    """Scans `f_abs` over time from the stored first state, both copies side by side: `[B, T, D]` each."""
    major = lambda x: tf.transpose(x, [1, 0, *range(2, x.shape.rank)])
    first = tf.equal(experience.step_type, 0)

    def body(carried, now):
        x, is_first, stored = now
        fast = node.f_abs(x, where_row(is_first, stored, carried[0]))
        slow = node.f_abs(x, where_row(is_first, stored, carried[1]), slow=True)
        return fast, slow

    start = recorded["z"][:, 0]
    stacked = (major(node.inputs(parents)), major(first), major(recorded["z"]))
    fast, slow = tf.scan(body, stacked, (start, start))
    return major(fast), major(slow)


def _imagined(node: PredNode, z: tf.Tensor, experience: Experience) -> tf.Tensor:
    """Latents `z` `[B, starts, D]` and the predictions from each: `[B, starts, 1 + ahead, D]`."""
    starts, ahead = spans(node, experience)
    rows = [
        tf.stack([z[:, i], *unroll(node, experience, z[:, i], start, ahead)], axis=1)
        for i, start in enumerate(starts)
    ]
    return tf.stack(rows, axis=1)
