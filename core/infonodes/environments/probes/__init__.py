"""Probes: tiny tasks with a known optimum, each a test of one ability.

| name | asks |
| --- | --- |
| `value_only` | is the value of the only state learned? |
| `one_action` | is the action's effect on the reward learned? |
| `delayed_credit` | is credit carried back over time? |
| `t_maze` | is a cue remembered? |
| `point_mass` | is a continuous control steered? |
| `slot_machine` | does curiosity tell the learnable from noise? |
| `quitting` | is ending the episode taken for a way out of cost? |
"""
from __future__ import annotations

from typing import Any

from infonodes.environments.probes.delayed_credit import DelayedCredit
from infonodes.environments.probes.one_action import OneAction
from infonodes.environments.probes.point_mass import PointMass
from infonodes.environments.probes.probe import Probe
from infonodes.environments.probes.quitting import Quitting
from infonodes.environments.probes.slot_machine import SlotMachine
from infonodes.environments.probes.t_maze import TMaze
from infonodes.environments.probes.value_only import ValueOnly

_PROBES: dict[str, type[Probe]] = {
    "value_only": ValueOnly,
    "one_action": OneAction,
    "delayed_credit": DelayedCredit,
    "t_maze": TMaze,
    "point_mass": PointMass,
    "slot_machine": SlotMachine,
    "quitting": Quitting,
}
NAMES = tuple(_PROBES)


def load(name: str, **kwargs: Any) -> Probe:
    """Returns the probe `name`.

    Args:
      name: One of `NAMES`.
      **kwargs: Its constructor's arguments; all take `seed`.

    Raises:
      ValueError: listing the names, for an unknown one.
    """
    if name not in _PROBES:
        raise ValueError(f"probe {name!r}: expected one of {NAMES}")
    return _PROBES[name](**kwargs)


__all__ = [
    "NAMES",
    "DelayedCredit",
    "OneAction",
    "PointMass",
    "Probe",
    "Quitting",
    "SlotMachine",
    "TMaze",
    "ValueOnly",
    "load",
]
