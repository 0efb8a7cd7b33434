"""The switches of the one algorithm, turned on and off like light bulbs."""
from __future__ import annotations

import dataclasses
from typing import Any

COLLECT = ("policy", "planning", "rainbow", "random")


@dataclasses.dataclass(frozen=True)
class Modes:
    """What a policy or an agent does; every switch is an ablation.

    Attributes:
      collect: How controls are chosen. `policy`: one pass top-down; `planning`:
        day-dreaming, nodes with a model roll it out several ticks before they
        choose; `rainbow`: RLNodes alone choose, by their values with exploration;
        `random`: actuators ignore what they are asked (warm-up).
      greedy: Evaluate: no exploration, no sampling where a best choice exists.
      train_policy: Train acting parts (`f_act`, RLNodes).
      train_world_model: Learn from prediction errors; what other losses are on still reach
        perception and prediction.
      train_rewards: Train reward, continuation and value heads.
      dream: Night-dreaming: also train acting parts on imagined ticks.
      self_modification: Let nodes that can grow and prune do so (SynapticNode).
    """

    collect: str = "policy"
    greedy: bool = False
    train_policy: bool = True
    train_world_model: bool = True
    train_rewards: bool = True
    dream: bool = False
    self_modification: bool = False

    def __post_init__(self) -> None:
        if self.collect not in COLLECT:
            raise ValueError(f"Modes.collect={self.collect!r}: expected one of {COLLECT}")

    def replace(self, **changes: Any) -> "Modes":
        """Returns a copy with `changes`."""
        return dataclasses.replace(self, **changes)
