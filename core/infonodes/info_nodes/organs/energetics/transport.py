"""EnergyTransport: carries energy from its supplier to its clients, with losses."""
from __future__ import annotations

import dataclasses
from typing import Iterable, Optional

import gin
import numpy as np
import tensorflow as tf

from infonodes.info_nodes.organs.organ import Organ
from infonodes.info_nodes.organs.organ_settings import OrganSettings, Vector, vector
from infonodes.types import GraphError, State


class Carrier(Organ):
    """What transport and conversion share: they ask for what their clients lack, up to a flow.

    Targets are logits of how far it opens, σ(target) of its flow; with none it is open.
    It holds what is under way between two ticks, at most its capacity.

    Attributes:
      flow: Most that it takes in at a tick, `[I]`.
    """

    _idle = 1.0

    def __init__(
        self,
        name: str,
        settings: OrganSettings,
        energy_node_name: Optional[str],
        flow: Vector,
        parent_names: Iterable[str] = (),
    ):
        """Builds the node.

        Args:
          name: Name of the node.
          settings: See `OrganSettings`.
          energy_node_name: Whom it draws from.
          flow: Most that it takes in at a tick, `[I]`, > 0.
          parent_names: Further nodes to read; for subclasses.

        Raises:
          GraphError: as for `Organ`, and for a flow of nothing.
        """
        super().__init__(name, settings, energy_node_name, parent_names)
        self.flow = vector(name, "flow", flow, self.usefulness.shape[1], positive=True)

    def _demand(self, target: tf.Tensor, state: State) -> tf.Tensor:
        return tf.zeros_like(target)  # It is asked to open, not to use energy.

    def _bill(self, state: State, unpaid: tf.Tensor) -> tf.Tensor:
        del unpaid  # It asks anew at each tick for what its clients lack then.
        lacking = self._lacking(state, tf.zeros_like(state["energy"]))
        # Fully open is all of the flow, not σ of the greatest logit.
        opened = tf.where(state["activity"] >= 1.0, 1.0, tf.sigmoid(self._decode(state["activity"])))
        return tf.clip_by_value(self._ask(opened * lacking), 0.0, tf.constant(self.flow))


@gin.configurable(module="infonodes")
class EnergyTransport(Carrier):
    """A vessel: of each unit that it takes in, η arrive and 1 − η are lost.

    See `Organ` for the tick and the state, `Carrier` for what it asks.
    """

    def __init__(
        self,
        name: str,
        energy_node_name: str,
        settings: OrganSettings = OrganSettings(start=0.0),
        efficiency: float = 0.9,
        flow: Vector = 1.0,
    ):
        """Builds the node.

        Args:
          name: Name of the node.
          energy_node_name: Whom it draws from.
          settings: See `OrganSettings`; its usefulness is η times the identity.
          efficiency: η, in (0, 1].
          flow: Most that it takes in at a tick, `[E]`, > 0.

        Raises:
          GraphError: as for `Organ`, for an efficiency out of range, or another usefulness.
        """
        if not 0.0 < efficiency <= 1.0:
            raise GraphError(
                f"node {name!r}: efficiency={efficiency}: expected above 0 and at most 1; a transport that gives out "
                "more than it takes in makes energy"
            )
        if settings.usefulness is not None:
            raise GraphError(
                f"node {name!r}: a transport changes no components, and its settings give a usefulness; drop that, "
                "or use an EnergyConversion"
            )
        whole = dataclasses.replace(settings, usefulness=(efficiency * np.eye(settings.components)).tolist())
        super().__init__(name, whole, energy_node_name, flow)
        self.efficiency = efficiency
