"""The running mean of cost^exponent over a table: what 'costly' is measured against."""
from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from infonodes.eager_leak import plug

# A plain mean at first, then one over about the last 1 / rate batches or inserts.
_BATCH_RATE = 0.02
_INSERT_RATE = 1e-3
# Inserts between two looks at the variable, which cost 15 us each.
_LOOK_EVERY = 16


@dataclasses.dataclass
class _Inserts:
    """Not attributes of the module: to set one of these takes it 5 us."""

    sampled_mean: float = 0.0
    mean: float = 0.0
    count: int = 0


class CostScale(tf.Module):
    """Estimates m of `priorities` from what is inserted, then from what is sampled.

    Each batch gives an estimate of today's mean over the whole table, as its importance
    weights undo how it was drawn. Until the first batch, the mean over inserts stands in.

    Attributes:
      mean: float64 variable, the estimate from batches.
      batches: int64 variable, how many batches it saw.
      nan_costs: int64 variable, how many costs were NaN.
    """

    def __init__(self, name: str = "cost_scale"):
        """Makes the variables.

        Args:
          name: Name of the module.
        """
        super().__init__(name=name)
        make = lambda value, dtype, label: tf.Variable(
            value, trainable=False, dtype=dtype, name=label,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        self.mean = make(0.0, tf.float64, "mean")
        self.batches = make(0, tf.int64, "batches")
        self.nan_costs = make(0, tf.int64, "nan_costs")
        self._inserts = _Inserts()

    def on_insert(self, raised: float) -> float:
        """Takes cost^exponent of a new window and returns the mean to store it with."""
        inserts = self._inserts
        if inserts.count % _LOOK_EVERY == 0:
            inserts.sampled_mean = float(plug(self.mean.read_value()))
        inserts.count += 1
        inserts.mean += max(1.0 / inserts.count, _INSERT_RATE) * (raised - inserts.mean)
        return inserts.sampled_mean or inserts.mean

    def on_batch(self, raised: tf.Tensor, ratio: tf.Tensor, is_nan: tf.Tensor) -> tf.Tensor:
        """Takes a batch's costs into the mean.

        Args:
          raised: `[B]`, cost^exponent, float64.
          ratio: `[B]`, 1 / (n P), float64.
          is_nan: bool `[B]`, rows whose cost was NaN and does not count.

        Returns:
          float64 scalar, the mean to store the batch with.
        """
        self._report(tf.math.count_nonzero(is_nan))
        ratio = tf.where(is_nan, tf.zeros_like(ratio), ratio)
        total = tf.reduce_sum(ratio)
        known = tf.cast(total > 0.0, tf.float64)
        count = self.batches.read_value() + tf.cast(known, tf.int64)
        rate = tf.maximum(1.0 / tf.cast(tf.maximum(count, 1), tf.float64), _BATCH_RATE)
        before = self.mean.read_value()
        found = tf.math.divide_no_nan(tf.reduce_sum(ratio * raised), total)
        mean = before + known * rate * (found - before)
        self.mean.assign(mean)
        self.batches.assign(count)
        return tf.where(mean > 0.0, mean, tf.ones_like(mean))

    def get_state(self) -> dict[str, Any]:
        """Returns everything, variables too, as plain numbers."""
        return {
            "mean": float(self.mean.numpy()),
            "batches": int(self.batches.numpy()),
            "nan_costs": int(self.nan_costs.numpy()),
            "inserts": list(dataclasses.astuple(self._inserts)),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Puts it back."""
        self.mean.assign(state["mean"])
        self.batches.assign(state["batches"])
        self.nan_costs.assign(state["nan_costs"])
        self._inserts = _Inserts(*state["inserts"])

    def _report(self, count: tf.Tensor) -> None:
        warn = lambda: tf.print(
            "CostPrioritizedReplay:", count, "NaN costs in an update got the highest priority"
        )
        self.nan_costs.assign_add(count)
        tf.cond(count > 0, lambda: (warn(), tf.no_op())[1], tf.no_op)
