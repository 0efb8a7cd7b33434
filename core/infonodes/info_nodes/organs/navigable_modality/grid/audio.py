"""NavigableAudio: a window on a sound."""
from __future__ import annotations

import dataclasses

import tensorflow as tf

from infonodes.info_nodes.organs.navigable_modality.grid.base import NavigableGrid
from infonodes.info_nodes.organs.navigable_modality.settings import WorkspaceSettings
from infonodes.rules import senses

SPECTRUM = WorkspaceSettings(perception_fns=(senses.spectrum,))


class NavigableAudio(NavigableGrid):
    """Hears `window` samples of a sound `[samples, channels]`, in [-1, 1], as a spectrum.

    By default `<name>_data` says the loudness of each frequency (`rules.senses.spectrum`).
    """

    def __init__(
        self,
        name: str,
        samples: int,
        window: int,
        n_coef_navigators: int = 1,
        max_speed: float = 1.0,
        channels: int = 1,
        moves: str = "velocity",
        ratio: float = 4.0,
        dtype: tf.DType = tf.float32,
        settings: WorkspaceSettings = SPECTRUM,
    ):
        """Builds the node and its sub-nodes.

        Args:
          name: Name of the node.
          samples: In the sound.
          window: Samples in the window.
          n_coef_navigators: See `NavigableGrid`.
          max_speed: Samples a tick.
          channels: 1 for mono, 2 for stereo.
          moves: See `NavigableGrid`.
          ratio: The same.
          dtype: Of the samples as the environment shows them.
          settings: See `WorkspaceSettings`; one with the default perception hears a spectrum.
        """
        if settings.perception_fns == WorkspaceSettings().perception_fns:
            settings = dataclasses.replace(settings, perception_fns=SPECTRUM.perception_fns)
        super().__init__(
            name, (samples,), (window,), n_coef_navigators, max_speed, channels, moves, ratio, dtype, settings=settings
        )
