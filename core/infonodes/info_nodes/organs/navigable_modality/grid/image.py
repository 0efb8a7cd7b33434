"""NavigableImage: a window on an image."""
from __future__ import annotations

from typing import Sequence, Union

import tensorflow as tf

from infonodes.info_nodes.organs.navigable_modality.grid.base import NavigableGrid
from infonodes.info_nodes.organs.navigable_modality.settings import Sizes, WorkspaceSettings


class NavigableImage(NavigableGrid):
    """Sees `window` pixels of an image `[height, width, channels]`, in [0, 1]; a fovea."""

    def __init__(
        self,
        name: str,
        bounds: tuple[int, int],
        window: Sizes,
        n_coef_navigators: Sizes = 1,
        max_speed: Union[float, Sequence[float]] = 1.0,
        channels: int = 3,
        moves: str = "velocity",
        ratio: float = 4.0,
        dtype: tf.DType = tf.uint8,
        settings: WorkspaceSettings = WorkspaceSettings(),
    ):
        """Builds the node and its sub-nodes.

        Args:
          name: Name of the node.
          bounds: Height and width in pixels.
          window: The window's height and width, or one number for both.
          n_coef_navigators: See `NavigableGrid`.
          max_speed: Pixels a tick.
          channels: 3 for red, green and blue.
          moves: See `NavigableGrid`.
          ratio: The same.
          dtype: Of the pixels as the environment shows them: uint8, or floats in [0, 1].
          settings: See `WorkspaceSettings`.
        """
        super().__init__(
            name, bounds, window, n_coef_navigators, max_speed, channels, moves, ratio, dtype, (0.0, 1.0), settings
        )
