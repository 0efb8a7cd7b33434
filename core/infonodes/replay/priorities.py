"""Replay priorities, their probabilities and their importance weights: pure functions.

Prioritized Experience Replay (Schaul et al. 2016, arXiv:1511.05952, eq. 1 and section 3.4)
mixed with uniform sampling. With cost c_i, p_i = clamp(c_i), exponent a and a share u
that is drawn uniformly, item i of n is to be sampled with

  P(i) = u / n + (1 - u) p_i^a / sum_j p_j^a.

With m = mean_j p_j^a the two terms have one denominator, so that one table whose exponent
is 1 draws from the mixture itself when item i is stored with

  q_i = u + (1 - u) p_i^a / m        (mean_j q_j = 1, P(i) = q_i / n).

Each function takes NumPy arrays or tensors and returns the same kind, in float64; those of
costs take Python floats too, as a NumPy scalar costs 40 us of an observer's step.
"""
from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from infonodes.replay.faults import ReplayFault

# Reverb's table worker dies of a negative priority, every probability becomes NaN with an
# infinite one, and its sum tree is rebuilt at each operation from 1e9 up.
MIN_PRIORITY = 1e-6
MAX_PRIORITY = 1e6

Values = Any  # float, np.ndarray or tf.Tensor.


def check_options(owner: str, exponent: float, uniform_fraction: float, beta: float) -> None:
    """Refuses options outside [0, 1].

    Args:
      owner: Whose they are, for the message.
      exponent: a.
      uniform_fraction: u.
      beta: Exponent of the importance weights.

    Raises:
      ReplayFault: naming the option.
    """
    for name, value in (("exponent", exponent), ("uniform_fraction", uniform_fraction), ("beta", beta)):
        if not 0.0 <= value <= 1.0:
            raise ReplayFault(f"{owner}: {name}: expected 0 to 1, got {value}")


def clamp(values: Values) -> Values:
    """Returns `values` as priorities that Reverb can take; the only way to Reverb.

    NaN and +inf become the maximum: what could not be assessed is looked at again. Zero,
    negative values and -inf become the minimum.

    Args:
      values: Any shape, any real dtype.

    Returns:
      float64 in `[MIN_PRIORITY, MAX_PRIORITY]`, the same shape.
    """
    if isinstance(values, float):
        return MAX_PRIORITY if values != values else min(max(values, MIN_PRIORITY), MAX_PRIORITY)
    if tf.is_tensor(values):
        values = tf.cast(values, tf.float64)
        values = tf.where(tf.math.is_nan(values), tf.constant(MAX_PRIORITY, tf.float64), values)
        return tf.clip_by_value(values, MIN_PRIORITY, MAX_PRIORITY)
    values = np.asarray(values, np.float64)
    return np.clip(np.where(np.isnan(values), MAX_PRIORITY, values), MIN_PRIORITY, MAX_PRIORITY)


def powered(costs: Values, exponent: float) -> Values:
    """Returns `clamp(costs) ** exponent`, float64 of the same shape."""
    return clamp(costs) ** exponent


def priority(
    costs: Values, exponent: float = 1.0, uniform_fraction: float = 0.0, mean: Values = 1.0
) -> Values:
    """Returns what to store for items of these costs (q of the module's formula).

    Args:
      costs: `[...]`, the costs of the items; any values, see `clamp`.
      exponent: a; 0 forgets the costs, 1 samples in proportion to them.
      uniform_fraction: u in `[0, 1]`, the share of samples drawn uniformly.
      mean: m, the mean of `powered(costs, exponent)` over the table. A wrong one shifts
        the share but neither the order of items nor their importance weights.

    Returns:
      float64 `[...]` in `[MIN_PRIORITY, MAX_PRIORITY]`.
    """
    return mixed(powered(costs, exponent), uniform_fraction, mean)


def mixed(raised: Values, uniform_fraction: float, mean: Values) -> Values:
    """Returns `priority` of items whose `powered` costs are known."""
    return clamp(uniform_fraction + (1.0 - uniform_fraction) * (raised / mean))


def mixture_probability(
    costs: Values, exponent: float = 0.6, uniform_fraction: float = 0.5
) -> np.ndarray:
    """Returns each item's probability under the mixture, P(i) of the module's formula.

    Args:
      costs: `[n]`, the costs of all items in the table.
      exponent: a.
      uniform_fraction: u in `[0, 1]`.

    Returns:
      float64 `[n]`, sums to 1.
    """
    raised = powered(np.asarray(costs), exponent)
    return uniform_fraction / len(raised) + (1.0 - uniform_fraction) * raised / raised.sum()


def density_ratio(probability: Values, table_size: Values) -> Values:
    """Returns 1 / (n P): how much rarer each item was drawn than under uniform sampling.

    Args:
      probability: `[B]`, P of each item when it was sampled.
      table_size: `[B]`, n.

    Returns:
      float64 `[B]`, finite and > 0.
    """
    as_float = _as_float(probability)
    expected = as_float(probability) * as_float(table_size)
    if tf.is_tensor(expected):
        return 1.0 / tf.maximum(expected, tf.constant(1e-12, tf.float64))
    return 1.0 / np.maximum(expected, 1e-12)


def importance_weights(probability: Values, table_size: Values, beta: float = 0.4) -> Values:
    """Returns (1 / (n P))^beta, divided by the batch's maximum.

    Args:
      probability: `[B]`, P of each item when it was sampled.
      table_size: `[B]`, n.
      beta: 0 corrects nothing, 1 removes the bias of prioritising.

    Returns:
      float64 `[B]` in `(0, 1]`.
    """
    weights = density_ratio(probability, table_size) ** beta
    largest = tf.reduce_max(weights) if tf.is_tensor(weights) else weights.max()
    return weights / largest


def _as_float(example: Values) -> Any:
    if tf.is_tensor(example):
        return lambda x: tf.cast(x, tf.float64)
    return lambda x: np.asarray(x, np.float64)
