"""How signals enter a SynapticNode, and what its outputs ask of a control."""
from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf

from infonodes.info_nodes.info_node import InfoNode
from infonodes.info_nodes.organs.gym.base import of_bits
from infonodes.info_nodes.synaptic_settings import SynapticSettings
from infonodes.networks.statistic import running_statistic
from infonodes.rules.place_cells import centres, place_cells
from infonodes.types import GraphError, Nest, State

# Values beyond this say nothing of a feature's range.
_LARGEST = 1e6


class Inlet(tf.Module):
    """Turns signals into input activities.

    Attributes:
      size: I.
      low: `[D]`, where the first cell stands; learned if no ranges were given.
      high: `[D]`, where the last one does.
    """

    def __init__(self, node: str, width: int, cfg: SynapticSettings):
        """Builds the inlet.

        Args:
          node: Name of the node, for messages.
          width: D, features of the signals.
          cfg: Settings.

        Raises:
          GraphError: if the given ranges are not one a feature.
        """
        super().__init__(name="inlet")
        self._cfg = cfg
        self.size = width * (cfg.cells if cfg.encoding == "cells" else 1)
        if cfg.ranges is not None and len(cfg.ranges) != width:
            raise GraphError(
                f"node {node!r}: SynapticSettings.ranges has {len(cfg.ranges)} (low, high) pairs, its parents' "
                f"signals have {width} features; give one a feature, or None to learn them"
            )
        self._learns = cfg.ranges is None and cfg.encoding == "cells"
        if self._learns:
            # An empty range, at which the first frame is taken as it comes.
            low, high = tf.fill([width], _LARGEST), tf.fill([width], -_LARGEST)
        else:
            given = cfg.ranges or ((0.0, 1.0),) * width
            low, high = (tf.constant(side, tf.float32) for side in zip(*given))
        self._first = low, high
        self.low, self.high = running_statistic(low, "low"), running_statistic(high, "high")

    def reset(self) -> None:
        """Forgets what was learned."""
        self.low.assign(self._first[0])
        self.high.assign(self._first[1])

    def __call__(self, signals: tf.Tensor) -> tf.Tensor:
        """Returns the activities `[..., I]` of `signals` `[..., D]`."""
        if self._cfg.encoding == "direct":
            return tf.maximum(signals, 0.0)
        seen = self.high > self.low
        low, high = tf.where(seen, self.low, -1.0), tf.where(seen, self.high, 1.0)
        return place_cells(signals, low, high, self._cfg.cells)

    def learn(self, signals: tf.Tensor) -> None:
        """Widens learned ranges to hold `signals` `[X, D]`; given ones stay."""
        if not self._learns:
            return
        signals = tf.clip_by_value(signals, -_LARGEST, _LARGEST)
        self.low.assign(tf.minimum(self.low, tf.reduce_min(signals, axis=0)))
        self.high.assign(tf.maximum(self.high, tf.reduce_max(signals, axis=0)))


class Outlet:
    """Turns one choice a block into a target of a control.

    ```
    a control of one-hot blocks   a block of outputs each            asks for the chosen codes
    a continuous control          `output_cells` a feature           asks for the chosen cells' centres
    a control of bits             two outputs a bit                  asks for the chosen bits
    a control of latents          one block of `candidates` futures  asks for the chosen future's latent
    ```

    Attributes:
      blocks: Widths of the blocks of outputs.
    """

    def __init__(self, control: InfoNode, cfg: SynapticSettings):
        """Reads what the bound `control` is."""
        self._control, self._cfg = control, cfg
        # More cells than there are values would make some values likelier than others.
        self._cells = 2 if of_bits(control.target_spec) else cfg.output_cells
        if control.is_latent:
            self.blocks: tuple[int, ...] = (cfg.candidates,)
        elif control.blocks:
            self.blocks = tuple(control.blocks)
        else:
            self.blocks = (self._cells,) * control.control_size

    def target(self, choice: tf.Tensor, state: Optional[State], seed: tf.Tensor) -> Nest:
        """Returns the target `[B, ...]` of a choice.

        Args:
          choice: int32 `[B, G]`.
          state: The control's state; only a control of latents needs it.
          seed: int32 `[2]`, of candidates; a fixed one keeps their order.
        """
        control: Any = self._control
        if control.is_latent:
            futures = control.candidates(state, self._cfg.candidates, seed)  # [B, N, U]
            return control.decode(tf.gather(futures, choice[:, 0], axis=1, batch_dims=1))
        if control.blocks:
            codes = [tf.one_hot(choice[:, g], width) for g, width in enumerate(self.blocks)]
            return control.decode(tf.concat(codes, axis=1))
        return control.decode(tf.gather(tf.constant(centres(self._cells)), choice))
