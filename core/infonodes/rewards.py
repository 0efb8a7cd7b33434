"""From node costs to the intrinsic reward."""
from __future__ import annotations

from typing import Mapping, Optional

import tensorflow as tf


class CostTree:
    """Weighted sum of node costs; intrinsic reward is minus it.

    Args:
      weights: Weight by node name; a node that is not named weighs `default`.
      default: Weight of the other nodes, ≥ 0.

    Raises:
      ValueError: for a negative weight, which would pay a node for being wrong.
    """

    def __init__(self, weights: Optional[Mapping[str, float]] = None, default: float = 1.0):
        self.weights = dict(weights or {})
        self.default = default
        for name, weight in [*self.weights.items(), ("default", default)]:
            if weight < 0:
                raise ValueError(f"cost weight of {name!r} is {weight}; weights must be >= 0")

    def weight(self, name: str) -> float:
        """Returns the weight of node `name`."""
        return self.weights.get(name, self.default)

    def total(self, costs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the weighted sum of `costs` by node name, in their common shape."""
        return tf.add_n([self.weight(name) * cost for name, cost in sorted(costs.items())])
