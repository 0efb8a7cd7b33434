"""NavigableGrid: a window that a cursor moves over a grid of any number of axes."""
from __future__ import annotations

from typing import Optional, Sequence, Union

import numpy as np
import tensorflow as tf
from tf_agents.specs import tensor_spec

from infonodes.info_nodes.organs.gym import BoxNode, DiscreteNode, GymSpaceNode
from infonodes.info_nodes.organs.navigable_modality.base import SymbolWorkspaceNode
from infonodes.info_nodes.organs.navigable_modality.settings import (
    Sizes,
    WorkspaceSettings,
    per_axis,
    speeds,
    value_limits,
)
from infonodes.rules import cursor, reading
from infonodes.types import GraphError

MOVES = ("velocity", "steps")


class NavigableGrid(SymbolWorkspaceNode):
    """Sees a window of numbers `[*bounds, channels]`, moved along each axis.

    The cursor is the window's centre; the window never leaves the data. It starts in the
    middle, on whole places, and need not stay on them: between places the window is interpolated
    (`rules.reading`). Each axis is steered by `n_coef_navigators` coefficients, coarse to
    fine (`rules.cursor`), in one of two forms:

    | `moves` | what `<name>_loc` takes |
    | --- | --- |
    | `velocity` | all M coefficients in [-1, 1] at once: floats `[M]` |
    | `steps` | one of 1 + 2 M: 0 rests, 1 + 2 i and 2 + 2 i set coefficient i to -1 and to 1 |

    If it is interactive, `<name>_data` takes a window of values and, as the last number, a
    gate in [0, 1]: how far what stands there is replaced. Zeros write nothing.

    Attributes:
      bounds: Places along each axis.
      window: Places of the window along each axis.
      gains: What each coefficient adds to the velocity, `[M, axes]`.
      low: Least place of the cursor along each axis.
      high: Greatest place.
    """

    def __init__(
        self,
        name: str,
        bounds: Sizes,
        window: Sizes,
        n_coef_navigators: Sizes = 1,
        max_speed: Union[float, Sequence[float]] = 1.0,
        channels: int = 1,
        moves: str = "velocity",
        ratio: float = 4.0,
        dtype: tf.DType = tf.float32,
        value_bounds: tuple[float, float] = (-1.0, 1.0),
        settings: WorkspaceSettings = WorkspaceSettings(),
    ):
        """Builds the node and its sub-nodes.

        Args:
          name: Name of the node.
          bounds: Places along each axis of the data.
          window: Places along each axis of the window.
          n_coef_navigators: Coefficients an axis.
          max_speed: Places a tick, an axis.
          channels: Numbers a place.
          moves: See the table.
          ratio: How much finer each coefficient is than the one before, > 1.
          dtype: Of the data as the environment shows them. uint8 is seen as value / 255.
          value_bounds: Least and greatest number that can be written.
          settings: See `WorkspaceSettings`.

        Raises:
          GraphError: for sizes below 1, a window larger than the data, a speed that is not
            above 0, or settings that do not fit.
        """
        self.bounds = per_axis(name, "bounds", bounds)
        axes = len(self.bounds)
        self.window = per_axis(name, "window", window, axes)
        self._check_window(name)
        counts = per_axis(name, "n_coef_navigators", n_coef_navigators, axes)
        self.max_speed = speeds(name, max_speed, axes)
        (channels,) = per_axis(name, "channels", channels, 1)
        if not ratio > 1.0:
            raise GraphError(f"node {name!r}: ratio={ratio!r}, expected a number above 1")
        if moves not in MOVES:
            raise GraphError(f"node {name!r}: moves={moves!r}, expected one of {MOVES}")
        self.gains = cursor.navigators(self.max_speed, counts, ratio)
        self.low, self.high = reading.limits(self.bounds, self.window)
        self.moves, self._steps = moves, cursor.steps(len(self.gains))
        self._scale = 1.0 / 255.0 if dtype == tf.uint8 else 1.0
        kept = tf.float32 if settings.interactive else dtype
        super().__init__(
            name,
            data_spec=self._data_spec(kept, channels),
            window_spec=tf.TensorSpec([*self.window, channels], tf.float32),
            start=self.low + np.floor((self.high - self.low) / 2.0).astype(np.float32),
            place_size=axes,
            move_codec=self._move_codec(name),
            write_codec=self._write_codec(name, channels, value_bounds) if settings.interactive else None,
            settings=settings,
        )

    @property
    def places(self) -> int:
        return int(np.prod(self.bounds))

    @property
    def window_share(self) -> float:
        """Share of the data's places that a window covers."""
        return float(np.prod(self.window)) / self.places

    def f_window(self, data: tf.Tensor, loc: tf.Tensor) -> tf.Tensor:
        seen = reading.read(data, loc, self.window)
        return seen * self._scale if data.dtype.is_integer else seen

    def place(self, loc: tf.Tensor) -> tf.Tensor:
        return cursor.relative(loc, self.low, self.high)

    def _moved(self, loc: tf.Tensor, move: tf.Tensor) -> tf.Tensor:
        coefficients = tf.gather(tf.constant(self._steps), move) if self.moves == "steps" else move
        return cursor.move(loc, coefficients, self.gains, self.max_speed, self.low, self.high)

    def _written(self, data: tf.Tensor, loc: tf.Tensor, write: tf.Tensor) -> tf.Tensor:
        value = tf.reshape(write[:, :-1], [-1, *self.window_spec.shape])
        for function in self.settings.action_fns:
            value = function(value)
        return reading.write(data, loc, value, write[:, -1])

    def _loaded(self, leaf: tf.Tensor) -> tf.Tensor:
        whole = leaf.dtype.is_integer and self.data_spec.dtype.is_floating
        return tf.cast(leaf, self.data_spec.dtype) * (self._scale if whole else 1)

    # -- construction ----------------------------------------------------------------------

    def _data_spec(self, dtype: tf.DType, channels: int) -> tf.TensorSpec:
        return tf.TensorSpec([*self.bounds, channels], dtype)

    def _check_window(self, name: str) -> None:
        if any(w > b for w, b in zip(self.window, self.bounds)):
            raise GraphError(
                f"node {name!r}: window={self.window} is larger than the data, bounds={self.bounds}; make the window "
                "at most as large along each axis"
            )

    def _move_codec(self, name: str) -> GymSpaceNode:
        if self.moves == "steps":
            choice = tensor_spec.BoundedTensorSpec([], tf.int32, 0, len(self._steps) - 1, "move")
            return DiscreteNode(choice, "actuator", "", f"{name}_move")
        coefficients = tensor_spec.BoundedTensorSpec([len(self.gains)], tf.float32, -1.0, 1.0, "move")
        return BoxNode(coefficients, "actuator", "", f"{name}_move")

    def _write_codec(self, name: str, channels: int, value_bounds: tuple[float, float]) -> Optional[GymSpaceNode]:
        low, high = value_limits(name, value_bounds)
        size = int(np.prod(self.window)) * channels
        least = np.array([low] * size + [0.0], np.float32)
        greatest = np.array([high] * size + [1.0], np.float32)
        spec = tensor_spec.BoundedTensorSpec([size + 1], tf.float32, least, greatest, "write")
        return BoxNode(spec, "actuator", "", f"{name}_write")
