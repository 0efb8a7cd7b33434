"""A body by settings: its blood, and what is billed to it."""
from __future__ import annotations

import dataclasses
from typing import Any, Optional, Sequence

import gin

from infonodes.info_nodes.info_node import InfoNode
from infonodes.info_nodes.organs.energetics.storage import EnergyStorage
from infonodes.info_nodes.organs.organ_settings import OrganSettings


@gin.configurable(module="infonodes")
@dataclasses.dataclass(frozen=True)
class BodySettings:
    """Settings of the body of the preset `embodied`.

    Attributes:
      components: E of the blood.
      capacity: Of each component.
      start: Of each component, at an episode's start.
      set_point: What it wants of each component.
      basal: What being alive takes of each component, a tick.
      intake: Key of the observation leaf that tells what was eaten, or None.
      usefulness: `[E, I]`, what is eaten to blood; None for the identity.
      act: Price of acting, `[control_size, E]` or one number; None for no bill.
      think: Price of each of the PredNode's ticks, of each component; 0 for no bill.
      exposure: Key of an observation leaf (cold, say) whose sensor's signal is billed where it is
        above 0, or None.
      exposure_price: Of each component, for a unit of that signal.
      form: What is felt: `drive_reduction` or `negative_cost`, see `DriveSensor`.
      weight: Of the drive in what is felt.
      task: Weight of the environment's reward in it.
    """

    components: int = 1
    capacity: float = 1.0
    start: float = 0.5
    set_point: float = 0.8
    basal: float = 0.001
    intake: Optional[str] = None
    usefulness: Any = None
    act: Any = None
    think: float = 0.0
    exposure: Optional[str] = None
    exposure_price: float = 0.0
    form: str = "drive_reduction"
    weight: float = 1.0
    task: float = 1.0


def body_nodes(body: BodySettings) -> list[InfoNode]:
    """Returns the organs of a body: the storage `blood`."""
    settings = OrganSettings(
        components=body.components,
        capacity=body.capacity,
        start=body.start,
        usefulness=body.usefulness,
        basal=body.basal,
        intake=body.intake,
    )
    return [EnergyStorage("blood", settings, set_point=body.set_point)]


def bill_body(
    body: BodySettings, exposed: Optional[InfoNode], actuators: Sequence[InfoNode], thinkers: Sequence[InfoNode]
) -> None:
    """Has the nodes of a body billed to its blood, as its settings say.

    Args:
      body: The settings.
      exposed: The sensor of the exposure, if there is one.
      actuators: Billed for acting.
      thinkers: Billed for thinking, equal shares.
    """
    if exposed is not None and body.exposure_price:
        exposed.charge("blood", per_signal=body.exposure_price)
    if body.act is not None:
        for actuator in actuators:
            actuator.charge("blood", per_control=body.act)
    if body.think:
        for thinker in thinkers:
            thinker.charge("blood", per_tick=body.think / len(thinkers))
