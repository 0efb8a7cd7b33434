"""What the controls of a PredNode can be asked for."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Mapping

import tensorflow as tf
from absl import logging

from infonodes.info_nodes.info_node import InfoNode
from infonodes.info_nodes.organs.gym.base import of_bits
from infonodes.info_nodes.pred_settings import PredSettings
from infonodes.packing import outer_shape
from infonodes.rules import candidates
from infonodes.types import State, Tick

if TYPE_CHECKING:
    from infonodes.info_nodes.pred_node import PredNode

# Combinations of discrete controls that are all options, though `PredSettings.options` asks for fewer.
MOST_ENUMERATED = 256


def count(name: str, controls: list[InfoNode], settings: PredSettings) -> int:
    """Returns how many options a node called `name` has: all combinations of discrete controls, if not too many.

    Logs a warning if they are: a combination that is not among the options is never asked for.
    """
    each = [_choices(control) for control in controls]
    if not all(each):
        return settings.options
    every = math.prod(each)
    if every > max(settings.options, MOST_ENUMERATED):
        logging.warning(
            "node %r: only %d of its controls' %d combinations are options, the others are never asked for; raise "
            "PredSettings.options, or give it fewer controls", name, settings.options, every,
        )
        return settings.options
    return max(settings.options, every)


def _choices(control: InfoNode) -> int:
    """Returns how many targets a discrete control takes; 0 for others."""
    if control.blocks:
        return math.prod(control.blocks)
    return 2**control.control_size if of_bits(control.target_spec) else 0


def of_actuators(node: PredNode, state: State) -> tf.Tensor:
    """Returns what controls that are all actuators can be asked for, the same for every row: `[B, N, U]`.

    Actuators need no state to say what they can do; a fixed seed keeps sampled options the
    same for whoever asks within a tick.
    """
    one, count = {"cost": tf.zeros([1])}, node.option_count
    parts = [
        node.peer(c).candidates(one, count, tf.constant([3, i])) for i, c in enumerate(node.control_names)
    ]
    joined = candidates.joint(parts, count, 1)
    return tf.broadcast_to(joined, outer_shape(state["z"], 1) + joined.shape[1:].as_list())


def joint(node: PredNode, parents: Mapping[str, State], tick: Tick) -> tf.Tensor:
    """Returns what controls, PredNodes among them, can be asked for in the states `parents`: `[B, N, U]`."""
    count, parts = node.settings.options, []
    for i, name in enumerate(node.control_names):
        control, one = node.peer(name), tick.fold(i)
        # A PredNode, told by its settings: its module imports this one.
        if isinstance(getattr(control, "settings", None), PredSettings):
            slow = control.slow_in(tick)
            parts.append(reachable(control, parents[name], count, node.settings.hold, one.seed, slow))
        else:
            parts.append(control.candidates(parents[name], count, one.seed))
    joined = candidates.joint(parts, count, tf.shape(parts[0])[0])
    return tf.stop_gradient(candidates.exactly(joined, count))


def reachable(
    node: PredNode, state: State, count: int, ticks: int, seed: tf.Tensor, slow: bool = False
) -> tf.Tensor:
    """Returns latents that `f_pred` says the node can reach in `ticks`: `[B, N, D]`.

    The first of the controls on the way differ where they can be enumerated, later ones
    are drawn at random.

    Args:
      node: The PredNode.
      state: Its state, `[B, ...]`.
      count: N.
      ticks: Predictions on the way, ≥ 1.
      seed: int32 `[2]`.
      slow: Predict with the slow copy.
    """
    options = candidates.exactly(node.options(state), count)
    z = tf.repeat(state["z"][:, None], count, axis=1)
    controls = options
    for k in range(ticks):
        z = node.predict(z, controls, slow=slow)
        one = tf.random.experimental.stateless_fold_in(seed, k)
        pick = tf.random.stateless_uniform([count], one, 0, count, tf.int32)
        controls = tf.gather(options, pick, axis=1)
    return z
