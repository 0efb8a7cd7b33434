"""Settings of an organ, and how they become vectors."""
from __future__ import annotations

import dataclasses
from typing import Any, Optional, Sequence, Union

import gin
import numpy as np

from infonodes.rules import energy as rules
from infonodes.types import GraphError

Vector = Union[float, Sequence[float]]


@gin.configurable(module="infonodes")
@dataclasses.dataclass(frozen=True)
class OrganSettings:
    """What every organ has. A number stands for as many equal components.

    Attributes:
      components: E, length of the organ's energy vector.
      capacity: Most that it stores, `[E]`, > 0; what comes in above is lost.
      start: What it stores at an episode's start, `[E]`, from 0 to the capacity.
      usefulness: `[E, I]`: what a unit of each of the I components that come in adds to each of
        its own, or takes where negative; None for the identity. I is the number of components
        of its supplier, and of its intake.
      basal: Spent at each tick, `[E]`, as far as it is there: what being alive takes.
      intake: Key of an observation leaf of I floats: energy from outside, a mouth's.
    """

    components: int = 1
    capacity: Vector = 1.0
    start: Vector = 0.5
    usefulness: Optional[Sequence[Sequence[float]]] = None
    basal: Vector = 0.0
    intake: Optional[str] = None


def vector(node: str, field: str, value: Vector, size: int, low: float = 0.0, positive: bool = False) -> np.ndarray:
    """Returns `value` as float32 `[size]`.

    Args:
      node: Name of the node, for the message.
      field: Name of the setting, for the message.
      value: A number or as many as there are components.
      size: E.
      low: Least value.
      positive: Whether values must be above `low`.

    Raises:
      GraphError: for a vector of another length, or values that are too low or not finite.
    """
    array = np.asarray(value, np.float32)
    if array.ndim and array.shape != (size,):
        raise GraphError(
            f"node {node!r}: {field} has shape {list(array.shape)}, expected [{size}] as its energy has {size} "
            f"components; give {size} numbers, or one for all"
        )
    ok = array > low if positive else array >= low
    if not np.all(ok) or not np.all(np.isfinite(array)):
        raise GraphError(
            f"node {node!r}: {field} is {value}; expected finite numbers {'>' if positive else '≥'} {low:g}; raise it"
        )
    return np.broadcast_to(array, (size,)).copy()


def matrix(node: str, field: str, value: Any, size: int) -> np.ndarray:
    """Returns a usefulness or conversion matrix as float32 `[size, I]`.

    Args:
      node: Name of the node, for the message.
      field: Name of the setting, for the message.
      value: Rows of numbers, or None for the identity.
      size: E, the rows there must be.

    Raises:
      GraphError: if it is no matrix of E rows, is not finite, or makes energy out of nothing.
    """
    array = np.eye(size, dtype=np.float32) if value is None else np.asarray(value, np.float32)
    if array.ndim != 2 or array.shape[0] != size or not array.shape[1] or not np.all(np.isfinite(array)):
        raise GraphError(
            f"node {node!r}: {field} has shape {list(array.shape)}; expected finite numbers [{size}, I]: a row for "
            f"each of its {size} components, a column for each that comes in"
        )
    more = rules.makes_energy(array)
    if more.size:
        sums = np.maximum(array, 0.0).sum(axis=0)
        raise GraphError(
            f"node {node!r}: {field} makes energy: the positive entries of columns {more.tolist()} add up to "
            f"{[round(float(x), 3) for x in sums[more]]}, expected at most 1; divide these columns by their sums"
        )
    return array
