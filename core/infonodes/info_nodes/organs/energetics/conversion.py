"""EnergyConversion: turns components into others."""
from __future__ import annotations

import dataclasses
from typing import Optional, Sequence

import gin
import numpy as np

from infonodes.info_nodes.organs.energetics.transport import Carrier
from infonodes.info_nodes.organs.organ_settings import OrganSettings, Vector, matrix
from infonodes.types import GraphError


@gin.configurable(module="infonodes")
class EnergyConversion(Carrier):
    """A gut, a liver: what it takes in, `[I]`, becomes M · that, `[E]`; the rest is lost.

    See `Organ` for the tick and the state, `Carrier` for what it asks.
    """

    def __init__(
        self,
        name: str,
        energy_node_name: Optional[str],
        conversion: Sequence[Sequence[float]],
        settings: Optional[OrganSettings] = None,
        flow: Vector = 1.0,
    ):
        """Builds the node.

        Args:
          name: Name of the node.
          energy_node_name: Whom it draws from, with I components; None with an intake.
          conversion: M, `[E, I]`, entries ≥ 0 whose columns add up to at most 1.
          settings: See `OrganSettings`, without usefulness; by default E components and an
            empty start.
          flow: Most that it takes in at a tick, `[I]`, > 0.

        Raises:
          GraphError: as for `Organ`; for a matrix that makes energy or has negative entries.
        """
        rows = np.asarray(conversion, np.float32)
        settings = settings or OrganSettings(components=max(len(rows) if rows.ndim else 0, 1), start=0.0)
        if settings.usefulness is not None:
            raise GraphError(f"node {name!r}: its conversion is its usefulness; drop usefulness from its settings")
        checked = matrix(name, "conversion", conversion, settings.components)
        if np.any(checked < 0.0):
            raise GraphError(
                f"node {name!r}: conversion has entries below 0: {checked.tolist()}; a conversion makes or loses, "
                "what harms is the usefulness of the organ that takes it in"
            )
        super().__init__(name, dataclasses.replace(settings, usefulness=checked.tolist()), energy_node_name, flow)
