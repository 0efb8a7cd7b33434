"""What became of a body's energy: the ledger of a tick."""
from __future__ import annotations

from typing import Mapping, NamedTuple

import tensorflow as tf

from infonodes.info_nodes.info_node import InfoNode
from infonodes.info_nodes.organs.organ import Organ
from infonodes.types import State


class Ledger(NamedTuple):
    """Energy summed over components and organs, `[...]` each.

    Over the ticks since an episode's start, Σ stored + Σ owed + Σ spent + Σ lost = start +
    Σ gained, where stored and owed are of the last tick and the others add up.

    Attributes:
      stored: What organs have.
      owed: Balance of debts, ≤ 0: what was handed out or used before it was there.
      spent: Used in this tick, by organs and by the nodes that are billed.
      lost: Wasted, spilt or destroyed in this tick.
      gained: From outside in this tick.
    """

    stored: tf.Tensor
    owed: tf.Tensor
    spent: tf.Tensor
    lost: tf.Tensor
    gained: tf.Tensor


def ledger(nodes: Mapping[str, InfoNode], states: Mapping[str, State]) -> Ledger:
    """Returns the ledger of a tick.

    Args:
      nodes: By name; those that are no organs are passed over.
      states: After the tick, by name, `[..., leaf]`.

    Raises:
      ValueError: if there is no organ.
    """
    organs = {name: node for name, node in nodes.items() if isinstance(node, Organ)}
    if not organs:
        raise ValueError(f"ledger: no organ among {sorted(nodes)}; give the graph one")
    total = lambda leaf: tf.reduce_sum(leaf, axis=-1)
    rows = []
    for name, organ in organs.items():
        state = states[name]
        stored = total(state["energy"])
        owed = total(organ.balance(state)) - stored
        rows.append((stored, owed, total(state["spent"]), state["lost"], total(state["gained"])))
    return Ledger(*(tf.add_n(list(column)) for column in zip(*rows)))
