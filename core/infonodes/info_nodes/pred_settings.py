"""Settings of a PredNode."""
from __future__ import annotations

import dataclasses
from typing import Optional

import gin

from infonodes.info_nodes import acting

# Least and greatest values of a latent, by what normalises it.
BOUNDS = {"simnorm": (0.0, 1.0), "layernorm": (-3.0, 3.0)}


@gin.configurable(module="infonodes")
@dataclasses.dataclass(frozen=True)
class PredSettings:
    """Settings of a `PredNode`.

    Attributes:
      latent_size: D.
      hidden: Widths of the hidden layers of the default networks.
      norm: What keeps default latents bounded: `simnorm` or `layernorm`.
      residual: Let the default `f_pred` predict the change of z, from none at first, and not z itself.
      f_act: `search`, `inverse` or `gradient`, see `acting`.
      transmit: What children read: `latent` (z) or `error` (z − z_pred).
      unroll: K, predictions ahead in the loss.
      starts: Frames of a window that predictions start from, evenly spread.
      hold: Ticks that a target for a control is held, and one prediction spans.
      slow_rate: Rate of the slow copies (targets, and evaluation); at 1 they lag by one update.
      greedy_slow: Perceive and act with the slow copies in greedy mode: weights averaged
        over updates evaluate steadier than the last ones.
      inverse_weight: Weight of the inverse-dynamics loss, which also keeps latents from
        collapsing.
      encoder_rate: Scale of the optimiser's step on `f_abs`.
      heads: Ensemble heads for information gain; 0 for none.
      consensus: None, `simple` or `complex`: what neighbours do in `forward`.
      damping: ρ of complex consensus.
      rounds: Rounds of complex consensus.
      private: Share of the latent that neighbours leave alone.
      options: Candidates that controls are asked for, a tick; discrete ones give all combinations, up to 256.
      detach_parents: Stop gradients into the parents' encoders.
      use_precision: Weigh errors by their running precision in the cost.
    """

    latent_size: int = 32
    hidden: tuple[int, ...] = (64,)
    norm: str = "simnorm"
    residual: bool = False
    f_act: str = "search"
    transmit: str = "latent"
    unroll: int = 3
    starts: int = 1
    hold: int = 1
    slow_rate: float = 0.01
    greedy_slow: bool = True
    inverse_weight: float = 0.1
    encoder_rate: float = 1.0
    heads: int = 0
    consensus: Optional[str] = None
    damping: float = 0.3
    rounds: int = 1
    private: float = 0.5
    options: int = 16
    detach_parents: bool = False
    use_precision: bool = True

    def __post_init__(self) -> None:
        choices = {
            "norm": tuple(BOUNDS),
            "f_act": acting.FORMS,
            "transmit": ("latent", "error"),
            "consensus": (None, "simple", "complex"),
        }
        for field, valid in choices.items():
            if getattr(self, field) not in valid:
                raise ValueError(f"PredSettings.{field}={getattr(self, field)!r}: expected one of {valid}")
        for field in ("latent_size", "unroll", "starts", "hold", "rounds", "options"):
            if getattr(self, field) < 1:
                raise ValueError(f"PredSettings.{field}={getattr(self, field)}: expected at least 1")
