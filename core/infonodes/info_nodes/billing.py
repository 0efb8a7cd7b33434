"""What a node that is no organ owes its supplier: the prices of its tariff, and the bill of a tick."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from infonodes.types import GraphError, State

if TYPE_CHECKING:
    from infonodes.info_nodes.info_node import InfoNode

Prices = dict[str, np.ndarray]


def prices(node: InfoNode, supplier: InfoNode) -> Prices:
    """Returns the node's tariff, `[E]` a tick, `[control_size, E]` and `[signal_size, E]`.

    Raises:
      GraphError: for prices that are below 0, not finite, of another shape, or all 0.
    """
    sizes = {"per_tick": 0, "per_control": node.control_size, "per_signal": node.signal_size}
    found = {}
    for field, rows in sizes.items():
        asked = getattr(node.tariff, field)
        value = np.asarray(0.0 if asked is None else asked, np.float32)
        shape = (supplier.energy_size,) if field == "per_tick" else (rows, supplier.energy_size)
        fits = value.ndim == 0 or value.shape == shape
        if not fits or np.any(value < 0) or not np.all(np.isfinite(value)):
            raise GraphError(
                f"node {node.name!r}: the tariff's {field} is {asked}; expected prices ≥ 0 of shape "
                f"{list(shape)}, as its supplier {supplier.name!r} has {supplier.energy_size} energy components"
            )
        found[field] = np.broadcast_to(value, shape).copy()
    if not any(np.any(p) for p in found.values()):
        raise GraphError(
            f"node {node.name!r} names the supplier {supplier.name!r} and is billed for nothing; "
            "give charge(…) a price above 0, or drop energy_node_name"
        )
    return found


def owed(node: InfoNode, at: Prices, state: State, unpaid: tf.Tensor) -> tf.Tensor:
    """Returns `unpaid` `[B, E]` and what the tick that ended in `state` costs `at` these prices."""
    total = unpaid + at["per_tick"]
    if np.any(at["per_control"]):
        total += tf.matmul(tf.abs(node.executed(state)), tf.constant(at["per_control"]))
    if np.any(at["per_signal"]):
        total += tf.matmul(tf.maximum(node.signal(state), 0.0), tf.constant(at["per_signal"]))
    return total
