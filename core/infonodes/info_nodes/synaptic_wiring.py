"""The edges that a SynapticNode starts with."""
from __future__ import annotations

import numpy as np
import tensorflow as tf

from infonodes.info_nodes.synaptic_settings import SynapticSettings
from infonodes.rules.synapse import Edges, Layout
from infonodes.types import GraphError

# Slots left for growth where hidden units make the possible edges too many to keep a slot for each.
_SPARE = 64


def capacity(node: str, layout: Layout, cfg: SynapticSettings) -> int:
    """Returns E, the number of edge slots.

    Raises:
      GraphError: if the setting leaves no room for the first edges.
    """
    first, every = _first_count(layout, cfg), layout.inputs * layout.outputs
    if cfg.capacity is None:
        return every if not layout.hidden else max(first, every) + _SPARE
    if cfg.capacity < max(first, 1):
        raise GraphError(
            f"node {node!r}: SynapticSettings.capacity={cfg.capacity}: expected room for its {first} first edges "
            f"({layout.inputs} inputs, {layout.hidden} hidden, {layout.outputs} outputs, start={cfg.start!r}); "
            "raise capacity, or start 'empty'"
        )
    return cfg.capacity


def _first_count(layout: Layout, cfg: SynapticSettings) -> int:
    direct = layout.inputs * layout.outputs if cfg.start in ("full", "both") else 0
    fan_in = min(cfg.fan_in, layout.inputs)
    return direct + (layout.hidden * (fan_in + layout.outputs) if cfg.start in ("hidden", "both") else 0)


def first_edges(layout: Layout, cfg: SynapticSettings, slots: int, seed: int) -> Edges:
    """Returns the first edges, drawn by numpy's generator.

    Edges into outputs weigh from `initial_low` to `initial_high`, nearly the same, so that no
    action starts with an advantage; those into hidden units from 0.1 to 0.9, so that each
    answers to a conjunction of its own.

    Args:
      layout: Numbers of units.
      cfg: Settings.
      slots: E.
      seed: Of the weights and of the hidden units' inputs.
    """
    rng = np.random.default_rng(seed)
    hidden = np.arange(layout.inputs, layout.inputs + layout.hidden)
    outputs = np.arange(layout.inputs + layout.hidden, layout.units)
    pairs: list[np.ndarray] = []
    if cfg.start in ("hidden", "both"):
        fan_in = min(cfg.fan_in, layout.inputs)
        for unit in hidden:
            chosen = rng.choice(layout.inputs, fan_in, replace=False)
            pairs.append(np.stack([chosen, np.full(fan_in, unit)], axis=1))
        pairs.append(_every(hidden, outputs))
    if cfg.start in ("full", "both"):
        pairs.append(_every(np.arange(layout.inputs), outputs))
    ends = np.concatenate([np.zeros([0, 2], np.int64), *pairs])
    into_output = ends[:, 1] >= outputs[0]
    drawn = np.where(
        into_output,
        rng.uniform(cfg.initial_low, cfg.initial_high, len(ends)),
        rng.uniform(0.1, 0.9, len(ends)),
    )
    filled = lambda values, dtype: tf.constant(np.pad(values, (0, slots - len(ends))).astype(dtype))
    return Edges(
        source=filled(ends[:, 0], np.int32),
        target=filled(ends[:, 1], np.int32),
        weight=filled(np.minimum(drawn, cfg.largest), np.float32),
        alive=filled(np.ones(len(ends)), np.float32),
        age=tf.zeros([slots], tf.int32),
        seen=tf.zeros([slots]),
        favour=tf.zeros([slots]),
    )


def _every(sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return np.stack([np.repeat(sources, len(targets)), np.tile(targets, len(sources))], axis=1)
