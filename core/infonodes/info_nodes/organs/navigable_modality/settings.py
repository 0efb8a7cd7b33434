"""What all workspaces may be set to, and the checks of their sizes."""
from __future__ import annotations

import dataclasses
from typing import Any, Callable, Optional, Sequence, Union

import numpy as np
import tensorflow as tf

from infonodes.rules import senses
from infonodes.types import GraphError

LOAD = ("first", "every")
Function = Callable[[tf.Tensor], tf.Tensor]
Sizes = Union[int, Sequence[int]]


@dataclasses.dataclass(frozen=True)
class WorkspaceSettings:
    """Where a workspace's data come from, and what is made of them.

    Attributes:
      source: Path of the leaf of the observation that holds the data, as `leaf_key` writes it
        (`''` is a bare leaf); None starts with a blank workspace of zeros.
      load: `first`: take the data at an episode's first tick and keep them in the state;
        `every`: see at each tick what the environment shows, and keep nothing, which spares
        replay a copy of large data.
      interactive: Whether nodes may write; wants `load='first'`.
      perception_fns: Functions of the window `[B, *window, C]` whose results `[B, S_i]`, joined,
        are what the data sub-node says.
      action_fns: Applied in order to what is to be written, before it is.
    """

    source: Optional[str] = ""
    load: str = "first"
    interactive: bool = False
    perception_fns: tuple[Function, ...] = (senses.flat,)
    action_fns: tuple[Function, ...] = ()

    def check(self, node: str) -> None:
        """Checks the settings of the workspace `node`.

        Raises:
          GraphError: naming the node, the setting and the fix.
        """
        if self.load not in LOAD:
            raise GraphError(f"node {node!r}: load={self.load!r}, expected one of {LOAD}")
        if self.interactive and self.load != "first":
            raise GraphError(
                f"node {node!r}: interactive, and load={self.load!r} would see each write undone at the next tick; "
                "set load='first'"
            )
        if self.source is None and self.load != "first":
            raise GraphError(f"node {node!r}: source=None has nothing to load at every tick; set load='first'")
        if not self.perception_fns:
            raise GraphError(f"node {node!r}: perception_fns is empty; give at least one, such as rules.senses.flat")
        if self.action_fns and not self.interactive:
            raise GraphError(f"node {node!r}: action_fns without interactive=True are never used; drop them, or set it")


def per_axis(node: str, what: str, sizes: Sizes, axes: Optional[int] = None) -> tuple[int, ...]:
    """Returns whole sizes from 1, one an axis; a bare number goes for every axis.

    Args:
      node: Name of the node, for errors.
      what: Name of the argument, likewise.
      sizes: The argument.
      axes: How many axes there are; as many as `sizes` has by default.

    Raises:
      GraphError: naming the node, what was expected and what came.
    """
    found = _each(sizes, axes or 1)
    whole = all(isinstance(s, int) and not isinstance(s, bool) and s >= 1 for s in found)
    if not whole or not found or (axes is not None and len(found) != axes):
        raise GraphError(
            f"node {node!r}: {what}={sizes!r}, expected whole numbers from 1, one for each of its "
            f"{'' if axes is None else f'{axes} '}axes, or one for all"
        )
    return found


def speeds(node: str, max_speed: Union[float, Sequence[float]], axes: int) -> tuple[float, ...]:
    """Returns speeds above 0, one an axis, in places a tick.

    Args:
      node: Name of the node, for errors.
      max_speed: One for all axes, or one each.
      axes: How many axes there are.

    Raises:
      GraphError: naming the node, what was expected and what came.
    """
    found = _each(max_speed, axes)
    if len(found) != axes or not all(isinstance(s, (int, float)) and 0.0 < s < float("inf") for s in found):
        raise GraphError(
            f"node {node!r}: max_speed={max_speed!r}, expected a finite number above 0 places a tick, or {axes} of "
            "them, one an axis; a cursor that shall stay needs no child that moves it"
        )
    return tuple(float(s) for s in found)


def value_limits(node: str, value_bounds: Sequence[float]) -> tuple[float, float]:
    """Returns the least and the greatest number that can be written; zeros, which write nothing, are between.

    Args:
      node: Name of the node, for errors.
      value_bounds: The argument.

    Raises:
      GraphError: naming the node, what was expected and what came.
    """
    low, high = value_bounds
    if not float("-inf") < low <= 0.0 <= high < float("inf") or low == high:
        raise GraphError(
            f"node {node!r}: value_bounds={value_bounds!r}, expected finite (low, high), low < high, with 0 within"
        )
    return low, high


def _each(given: Any, axes: int) -> tuple[Any, ...]:
    """Returns one an axis: a bare number goes for all; arrays and their numbers as Python's."""
    found = np.asarray(given, dtype=object)
    numbers = tuple(n.item() if isinstance(n, np.generic) else n for n in found.ravel())
    return numbers if found.ndim else numbers * axes
