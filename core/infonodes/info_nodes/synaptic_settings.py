"""Settings of a SynapticNode."""
from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple, Optional

import gin

from infonodes.types import GraphError


class Rule(NamedTuple):
    """What the note's rule is mended by; each switch is a rung of the evidence.

    Attributes:
      competition: Outputs compete by softmax; else the fullest pool acts.
      dopamine: The signal is the TD error; else the reward itself.
      eligibility: Each edge keeps a trace γλ of what it did; else the note's activation,
        which halves every tick.
      surprise: An output's feedback is chosen − expected; else 1 for the chosen one.
      normalised: A target's edges share one step.
    """

    competition: bool
    dopamine: bool
    eligibility: bool
    surprise: bool
    normalised: bool


# From the note as it stands to the recommended rule.
RULES = {
    "literal": Rule(False, False, False, False, False),
    "competition": Rule(True, False, False, False, False),
    "dopamine": Rule(True, True, False, False, False),
    "chosen": Rule(True, True, True, False, False),
    "unnormalised": Rule(True, True, True, True, False),
    "td": Rule(True, True, True, True, True),
}
STARTS = ("full", "empty", "hidden", "both")
ENCODINGS = ("cells", "direct")


@gin.configurable(module="infonodes")
@dataclasses.dataclass(frozen=True)
class SynapticSettings:
    """Settings of a `SynapticNode`.

    Attributes:
      rule: `td` (recommended), `literal` (the note's), or a rung between, see `RULES`.
      additive: Weights move by w + x instead of w + (w + floor) tanh(x).
      encoding: How signals enter: `cells` (graded place cells a feature) or `direct` (as
        they are, negative parts cut off: for tokens and simplex latents).
      cells: M, place cells a feature.
      ranges: (low, high) a feature, for place cells; None learns them from what is seen.
      start: First edges: `full` (each input to each output), `empty`, `hidden` (random
        inputs to hidden units to all outputs) or `both`.
      hidden: H, hidden threshold units.
      fan_in: Inputs of a hidden unit at the start.
      capacity: E, edge slots; None takes what the start and later growth need.
      sweeps: Passes over the edges a tick if there are hidden units: their depth + 1.
      threshold: θ of hidden units.
      output_cells: Cells a feature of a continuous control (population coding).
      candidates: Futures to choose among where the control's targets are latents.
      rate: Step size of the weights.
      value_rate: Step size of the critic.
      floor: ε of the multiplicative step; 0 is the note's, where a weight of 0 stays.
      temperature: T of the softmax.
      gamma: γ, discount a tick; 1 wants a `reward_scale` of its own.
      trace_decay: λ of both traces.
      reward_scale: Factor on rewards; None takes 1 − γ, so that values lie in the
        rewards' range, or 1 for rules without dopamine.
      largest: Greatest weight.
      initial_low: Least first weight of an edge into an output.
      initial_high: Greatest.
      boost: Strength of first feedback, 0 for none; see `synapse.step_scale`.
      protection: How much good edges resist change, 0 for none.
      novelty: β, reward before the reward for inputs rarely active, 0 for none.
      sibling: ρ, share of siblings' least weight taken an episode.
      prune: Mature edges below this weight die.
      grow: Births an episode at most.
      newborn: Weight of a newborn edge.
      grace: Episodes until an edge is mature.
      repair_grow: Births an episode at most while a lesion is open.
      repair_weight: Weight of an edge that mends a lesion.
    """

    rule: str = "td"
    additive: bool = False
    encoding: str = "cells"
    cells: int = 12
    ranges: Optional[tuple[tuple[float, float], ...]] = None
    start: str = "full"
    hidden: int = 0
    fan_in: int = 16
    capacity: Optional[int] = None
    sweeps: int = 2
    threshold: float = 1.0
    output_cells: int = 7
    candidates: int = 4
    rate: float = 1.0
    value_rate: float = 0.05
    floor: float = 0.2
    temperature: float = 0.2
    gamma: float = 0.985
    trace_decay: float = 0.9
    reward_scale: Optional[float] = None
    largest: float = 5.0
    initial_low: float = 0.45
    initial_high: float = 0.55
    boost: float = 0.0
    protection: float = 0.0
    novelty: float = 0.0
    sibling: float = 0.02
    prune: float = 0.01
    grow: int = 1
    newborn: float = 0.05
    grace: int = 10
    repair_grow: int = 10
    repair_weight: float = 0.5

    def __post_init__(self) -> None:
        if self.ranges is not None:  # JSON has lists.
            object.__setattr__(self, "ranges", tuple((float(low), float(high)) for low, high in self.ranges))

    @property
    def switches(self) -> Rule:
        """The rule's switches."""
        return RULES[self.rule]

    @property
    def scale(self) -> float:
        """Factor on rewards."""
        if self.reward_scale is not None:
            return self.reward_scale
        return 1.0 - self.gamma if self.switches.dopamine else 1.0

    def check(self, node: str) -> None:
        """Raises unless the values make a node.

        Args:
          node: Name of the node, for the message.

        Raises:
          GraphError: naming the node, the field, what was expected, and what came.
        """
        choices = {"rule": tuple(RULES), "start": STARTS, "encoding": ENCODINGS}
        for field, valid in choices.items():
            if getattr(self, field) not in valid:
                raise self._wrong(node, field, f"one of {valid}")
        least = {
            "cells": 2, "output_cells": 2, "candidates": 2, "sweeps": 1, "fan_in": 1, "hidden": 0, "grow": 0,
            "grace": 0, "repair_grow": 0,
        }
        for field, low in least.items():
            if getattr(self, field) < low:
                raise self._wrong(node, field, f"at least {low}")
        for field in ("rate", "value_rate", "floor", "boost", "protection", "novelty", "prune", "newborn",
                      "repair_weight", "initial_low"):
            if not 0.0 <= getattr(self, field) < math.inf:
                raise self._wrong(node, field, "a finite number from 0")
        for field in ("gamma", "trace_decay", "sibling"):
            if not 0.0 <= getattr(self, field) <= 1.0:
                raise self._wrong(node, field, "a number from 0 to 1")
        if self.switches.dopamine and self.reward_scale is None and self.gamma == 1.0:
            raise self._wrong(node, "gamma", "below 1 for reward_scale=None, 1 - gamma, or rewards count 0; set either")
        for field in ("temperature", "largest"):
            if not 0.0 < getattr(self, field) < math.inf:
                raise self._wrong(node, field, "a finite number above 0")
        if not self.initial_low <= self.initial_high <= self.largest:
            raise self._wrong(node, "initial_high", f"from initial_low={self.initial_low} to largest={self.largest}")
        if self.start in ("hidden", "both") and not self.hidden:
            raise self._wrong(node, "start", "hidden units for it; set hidden to their number, or start to 'full'")
        if self.ranges is not None and any(not low < high for low, high in self.ranges):
            raise self._wrong(node, "ranges", "(low, high) with low < high for each feature")

    def _wrong(self, node: str, field: str, expected: str) -> GraphError:
        return GraphError(f"node {node!r}: SynapticSettings.{field}={getattr(self, field)!r}: expected {expected}")
