"""Settings of a RewardNode."""
from __future__ import annotations

import dataclasses

import gin

SIGNALS = ("reward", "intrinsic", "sensed")
BOOTSTRAPS = ("reached", "best")


@gin.configurable(module="infonodes")
@dataclasses.dataclass(frozen=True)
class RewardSettings:
    """Settings of a `RewardNode`.

    Attributes:
      signal: What is valued. `reward`: the environment's; a termination ends it.
        `intrinsic`: minus the graph's weighted costs; a termination is an absorbing
        state, whose cost for ever is above the highest met, so that ending early is no
        way out of cost. `sensed`: what the reward's node says, a DriveSensor's feeling for one;
        a termination ends it.
      gamma: Discount a tick.
      lam: λ of the value targets; 1 is the n-step return of the whole window.
      bootstrap: What value targets lean on: `reached`, V of the frame reached, so that V is worth what replay's
        policies made of it, old ones and random moves among them; or `best`, q of the best option there.
      bootstrap_options: Options that `best` looks at; of more, a random sample.
      hidden: Widths of the heads' hidden layers.
      value_heads: Heads of the value ensemble.
      sees_controls: Let the heads of reward and continuation read (z, u, ẑ') instead of
        (z, ẑ'). Without u, what a control leads to must show in ẑ', which shapes `f_pred`.
      pessimism: Standard deviations across the heads taken off their mean.
      horizon: Controls in a sequence that is rolled out before a choice in mode `policy`.
      planning_horizon: The same in mode `planning`.
      repeat: Predictions that each control of a sequence is held for while it is rolled
        out: what a single tick changes is small against the value's error.
      width: Most control sequences rolled out; never fewer than there are options, so that
        each is valued.
      epsilon: Chance of a random option while collecting, at first.
      final_epsilon: The same, at last.
      epsilon_steps: Train steps from the first to the last, linearly.
      epsilon_hold: Most ticks that a random option is held; up to it, n or more with chance 1/n (temporally
        extended ε-greedy, Dabney et al. 2021, arXiv 2006.01782). ε stays the share of random ticks.
      quantile: Of the values bootstrapped from, that the set point follows.
      margin: Share of the reward range that the set point lies above the quantile.
      curiosity: Weight of information gain in what a candidate is worth while collecting;
        0 for none.
      curiosity_gamma: Discount of the value of information gain.
      slow_rate: Rate of the slow copies.
    """

    signal: str = "reward"
    gamma: float = 0.98
    lam: float = 1.0
    bootstrap: str = "reached"
    bootstrap_options: int = 4
    hidden: int = 64
    value_heads: int = 2
    sees_controls: bool = True
    pessimism: float = 0.0
    horizon: int = 1
    planning_horizon: int = 4
    repeat: int = 2
    width: int = 64
    epsilon: float = 1.0
    final_epsilon: float = 0.05
    epsilon_steps: int = 3000
    epsilon_hold: int = 1
    quantile: float = 0.9
    margin: float = 0.05
    curiosity: float = 0.0
    curiosity_gamma: float = 0.97
    slow_rate: float = 0.01

    def __post_init__(self) -> None:
        if self.signal not in SIGNALS:
            raise ValueError(f"RewardSettings.signal={self.signal!r}: expected one of {SIGNALS}")
        if self.bootstrap not in BOOTSTRAPS:
            raise ValueError(f"RewardSettings.bootstrap={self.bootstrap!r}: expected one of {BOOTSTRAPS}")
        if not 0.0 <= self.gamma < 1.0:
            raise ValueError(f"RewardSettings.gamma={self.gamma}: expected [0, 1); values are normalised by 1 - gamma")
        counts = ("value_heads", "horizon", "planning_horizon", "repeat", "width", "epsilon_hold", "bootstrap_options")
        for field in counts:
            if getattr(self, field) < 1:
                raise ValueError(f"RewardSettings.{field}={getattr(self, field)}: expected at least 1")
