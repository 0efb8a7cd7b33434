"""What is asked of the SynapticNode, as data."""
from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Optional

from experiments.errors import RunError


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way to run a task.

    Attributes:
      changes: Settings of the node that differ from its own.
      episodes: Training episodes.
      seeds: How many; 0 to seeds − 1.
      shaped: Pay 0 a move and −1 at a fall instead of the task's reward.
      learns: Whether to train at all.
      by_hand: Give the ranges of features rather than learn them.
      lesion: Share of edges killed after half of the episodes.
      below: What it sees: `raw` observations, or the latents of a PredNode: 64 on simplices
        (`pred`), or 8 that are layer-normalised (`small_pred`).
      wander: Random moves first, from which the PredNode alone learns, to be frozen then; 0
        lets it learn all along.
    """

    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    episodes: int = 150
    seeds: int = 10
    shaped: bool = False
    learns: bool = True
    by_hand: bool = True
    lesion: float = 0.0
    below: str = "raw"
    wander: int = 0


_PLAIN = {"sibling": 0.0, "prune": 0.0, "grow": 0, "floor": 0.0}
_HEALS = dict(episodes=300, lesion=0.5)
_LADDER = dict(episodes=300, seeds=5, shaped=True)
_EMPTY = {"start": "empty", "grow": 10}

CARTPOLE = {
    # The figures.
    "td": Variant(),
    "td_300": Variant(episodes=300),
    "learned_ranges": Variant(by_hand=False),
    "empty": Variant(_EMPTY, episodes=300),
    "literal": Variant({"rule": "literal", "floor": 0.0, "rate": 0.2, **_PLAIN}),
    "random": Variant(learns=False),
    "lesion": Variant(**_HEALS),
    "lesion_weak_births": Variant({"repair_weight": 0.05}, **_HEALS),
    "lesion_no_births": Variant({"repair_grow": 0, "grow": 0}, **_HEALS),
    "pruned": Variant({"grow": 0, "sibling": 0.05}, episodes=300),
    # The ladder: from the note as it stands to the rule, each at a rate that suits it.
    "L2_literal_pain": Variant({"rule": "literal", "rate": 0.01, "reward_scale": 1.0, **_PLAIN}, **_LADDER),
    "L3_competition": Variant({"rule": "competition", "rate": 0.01, "reward_scale": 1.0, **_PLAIN}, **_LADDER),
    "L4_dopamine": Variant({"rule": "dopamine", "rate": 0.05, "reward_scale": 1.0, **_PLAIN}, **_LADDER),
    "L5_eligibility": Variant({"rule": "chosen", "rate": 0.05, "reward_scale": 1.0, **_PLAIN}, **_LADDER),
    "L6_surprise": Variant({"rule": "unnormalised", "rate": 0.2, "reward_scale": 1.0, **_PLAIN}, **_LADDER),
    "L8_normalised": Variant({"rate": 1.0, "reward_scale": 1.0, **_PLAIN}, **_LADDER),
    # One change each.
    "no_eligibility": Variant({"trace_decay": 0.0}, episodes=300, seeds=5),
    "no_structure": Variant({"sibling": 0.0, "prune": 0.0, "grow": 0}, episodes=300, seeds=5),
    "note_step": Variant({"floor": 0.0}, episodes=300, seeds=5),
    "additive": Variant({"additive": True}, episodes=300, seeds=5),
    "boost": Variant({"boost": 3.0}, episodes=300, seeds=5),
    "protection": Variant({"protection": 3.0}, episodes=300, seeds=5),
    "novelty": Variant({"novelty": 0.01}, episodes=300, seeds=5),
    "hidden_only": Variant({"start": "hidden", "hidden": 200, "fan_in": 24, "rate": 0.5}, episodes=300, seeds=5),
    "hidden_and_direct": Variant({"start": "both", "hidden": 60, "fan_in": 24, "rate": 0.5}, episodes=300, seeds=5),
    "spec_rates": Variant(
        {"rate": 0.5, "value_rate": 0.1, "gamma": 0.98, "temperature": 0.25}, episodes=150, seeds=10
    ),
}
# Rewards of −1 a move: the ends lie 100 moves and more away.
_FAR = {"gamma": 0.99}
_TOKENS = {"encoding": "direct", **_FAR}
SPARSE = {
    "random": Variant(episodes=300, seeds=5, learns=False),
    "td": Variant(_FAR, episodes=300, seeds=5),
    "learned_ranges": Variant(_FAR, episodes=300, seeds=5, by_hand=False),
    "novelty": Variant({**_FAR, "novelty": 0.05}, episodes=300, seeds=5),
    "two_level_cells": Variant(_FAR, episodes=300, seeds=5, by_hand=False, below="small_pred", wander=20_000),
    "two_level_frozen": Variant(_TOKENS, episodes=300, seeds=5, below="pred", wander=20_000),
    "two_level_online": Variant(_TOKENS, episodes=300, seeds=5, below="pred"),
}
VARIANTS = {"cartpole": CARTPOLE, "acrobot": SPARSE, "mountain_car": SPARSE}


def chosen(task: str, names: Optional[list[str]]) -> dict[str, Variant]:
    """Returns the variants of a task, all of them or those named.

    Raises:
      RunError: listing the names there are, for an unknown one.
    """
    every = VARIANTS[task]
    unknown = sorted(set(names or ()) - set(every))
    if unknown:
        raise RunError(f"--only={unknown}: expected some of {list(every)}")
    return {name: variant for name, variant in every.items() if not names or name in names}
