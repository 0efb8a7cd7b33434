"""NavigableText: a window on a text."""
from __future__ import annotations

from typing import Optional

import tensorflow as tf
from tf_agents.specs import tensor_spec

from infonodes.info_nodes.organs.gym import DiscreteNode, GymSpaceNode
from infonodes.info_nodes.organs.navigable_modality.grid.base import NavigableGrid
from infonodes.info_nodes.organs.navigable_modality.settings import WorkspaceSettings, per_axis
from infonodes.rules import reading


class NavigableText(NavigableGrid):
    """Sees `window` symbols of a text `[length]` as one-hot codes, interpolated between symbols.

    If it is interactive, `<name>_data` takes one of `vocabulary + 1`: 0 writes nothing, k writes
    symbol k - 1 in place of the one nearest to the cursor. Such a write has no gradient.

    Attributes:
      vocabulary: How many symbols there are, from 0.
    """

    def __init__(
        self,
        name: str,
        length: int,
        vocabulary: int,
        window: int,
        n_coef_navigators: int = 1,
        max_speed: float = 1.0,
        moves: str = "steps",
        ratio: float = 4.0,
        dtype: tf.DType = tf.int32,
        settings: WorkspaceSettings = WorkspaceSettings(),
    ):
        """Builds the node and its sub-nodes.

        Args:
          name: Name of the node.
          length: Symbols in the text.
          vocabulary: How many symbols there are.
          window: Symbols in the window.
          n_coef_navigators: See `NavigableGrid`.
          max_speed: Symbols a tick.
          moves: See `NavigableGrid`.
          ratio: The same.
          dtype: Of the symbols as the environment shows them, integers.
          settings: See `WorkspaceSettings`.
        """
        (self.vocabulary,) = per_axis(name, "vocabulary", vocabulary, 1)
        super().__init__(
            name, (length,), (window,), n_coef_navigators, max_speed, self.vocabulary, moves, ratio, dtype,
            settings=settings,
        )

    def f_window(self, data: tf.Tensor, loc: tf.Tensor) -> tf.Tensor:
        return reading.read_symbols(data, loc, self.window[0], self.vocabulary)

    def _written(self, data: tf.Tensor, loc: tf.Tensor, write: tf.Tensor) -> tf.Tensor:
        symbol = write - 1
        for function in self.settings.action_fns:
            symbol = function(symbol)
        return reading.write_symbol(data, loc, symbol, write > 0)

    def _loaded(self, leaf: tf.Tensor) -> tf.Tensor:
        return tf.cast(leaf, tf.int32)

    def _data_spec(self, dtype: tf.DType, channels: int) -> tf.TensorSpec:
        return tf.TensorSpec(self.bounds, tf.int32)

    def _write_codec(self, name: str, channels: int, value_bounds: tuple[float, float]) -> Optional[GymSpaceNode]:
        choice = tensor_spec.BoundedTensorSpec([], tf.int32, 0, channels, "write")
        return DiscreteNode(choice, "actuator", "", f"{name}_write")
