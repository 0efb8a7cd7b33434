"""Nouns shared by every module.

Shape legend, used in every docstring of the package:

  B batch   T time (ticks)   D latent features   S signal features
  U control features   A actions   N candidates   K ensemble heads or unroll
  E energy components  C clients of a supplier
"""
from __future__ import annotations

import dataclasses
import re
from typing import Any, NamedTuple, Union

import tensorflow as tf

from infonodes.modes import Modes

Nest = Any  # A nest (dict, tuple, namedtuple) of tensors.
Spec = Any  # A nest of tf.TensorSpec.
State = dict[str, Nest]

# The reserved parent of sensors and the reserved control of actuators.
ENVIRONMENT = "environment"
# What replays that weigh their samples add to `policy_info`, and `agent.train` applies.
IMPORTANCE_WEIGHT = "importance_weight"
# The reserved parent of organs: their supplier as it was before the pass. No node can have this name.
SUPPLIER = "supplier:"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class GraphError(ValueError):
    """A graph that cannot be built: names the node, the finding and the fix."""


class NodeError(ValueError):
    """A node that broke its contract: names the node and the pass."""


class Target(NamedTuple):
    """What a child asks of a control: "be this".

    Attributes:
      value: Nest that fits the control's `target_spec`, `[B, ...]`.
      valid: bool `[B]`; rows where False ask for nothing.
    """

    value: Nest
    valid: tf.Tensor


@dataclasses.dataclass(frozen=True)
class Tick:
    """What a node may know of the tick it takes part in besides its states.

    Attributes:
      seed: int32 `[2]`, the node's own stateless seed for this tick.
      modes: The switches of the policy that runs the tick.
    """

    seed: tf.Tensor
    modes: Modes

    def fold(self, index: Union[int, tf.Tensor]) -> "Tick":
        """Returns the same tick with a seed of its own for part `index`."""
        seed = tf.random.experimental.stateless_fold_in(self.seed, index)
        return dataclasses.replace(self, seed=seed)


@dataclasses.dataclass(frozen=True)
class Tariff:
    """What a node that is no organ is billed for at each tick, in units of its supplier's energy.

    ```
    price = per_tick + |executed| · per_control + max(signal, 0) · per_signal        [B, E]
            computing  acting                     sensing
    ```

    Both codes are what the node makes of its leaf. A bounded box is encoded to [-1, 1], a bit to
    -1 or 1: of a leaf in [0, 1] the upper half alone is billed as signal, and as control its 0,
    which is -1, costs as much as its 1. Only rest that is encoded as 0 is free.

    Attributes:
      per_tick: `[E]`, or one number for each component.
      per_control: `[control_size, E]`, of what the node did, encoded; None for nothing.
      per_signal: `[signal_size, E]`, of what the node says; None for nothing.
    """

    per_tick: Any = 0.0
    per_control: Any = None
    per_signal: Any = None


class Experience(NamedTuple):
    """What one node trains on: perception re-run with today's parameters.

    ```
    frame t:  observation_t -> parents_t, state_t -> controls_t
              reward_t, discount_t, intrinsic_t: of the move from t to t+1
    ```

    Attributes:
      parents: States of the node's parents by name, `[B, T, ...]`.
      neighbors: The same of its neighbours; empty while perception runs.
      state: The node's own states, `[B, T, ...]`.
      decision: What the node recorded of its own tick (`decision_spec`).
      controls: What the controls that stand before it in the graph did at t, encoded as
        floats, by name, `[B, T, U]`.
      step_type: int32 `[B, T]`; frame t with LAST starts a boundary, not a move.
      next_step_type: int32 `[B, T]`.
      reward: `[B, T]`.
      discount: `[B, T]`, 0 where the move t -> t+1 ended in a true termination.
      intrinsic: `[B, T]`, minus the weighted costs met at t+1; frame T-1 holds 0.
      seed: int32 `[2]`.
      modes: The agent's switches.
    """

    parents: dict[str, State]
    neighbors: dict[str, State]
    state: State
    decision: Nest
    controls: dict[str, tf.Tensor]
    step_type: tf.Tensor
    next_step_type: tf.Tensor
    reward: tf.Tensor
    discount: tf.Tensor
    intrinsic: tf.Tensor
    seed: tf.Tensor
    modes: Modes


class NodeLoss(NamedTuple):
    """What a node returns from `loss` and `train`.

    Attributes:
      loss: `[B]`, what the optimiser minimises, before importance weights.
      cost: `[B]` ≥ 0, the node's cost with today's parameters: its share of the
        sequence's replay priority.
      metrics: Scalars for summaries, by name.
    """

    loss: tf.Tensor
    cost: tf.Tensor
    metrics: dict[str, tf.Tensor]


def check_name(name: str) -> str:
    """Returns `name` if it can name a node.

    Raises:
      GraphError: if it could not survive as a nest key, a Reverb column and a
        SavedModel signature.
    """
    if not isinstance(name, str) or not _NAME.match(name) or name == ENVIRONMENT:
        raise GraphError(
            f"node name {name!r}: expected letters, digits and '_', not starting "
            f"with a digit, and not the reserved {ENVIRONMENT!r}; rename the node"
        )
    return name


def leaf_key(path: tuple) -> str:
    """Returns a leaf's path in its nest, as dm-tree gives it, as text: `()` is `''`, `('a', 0)` is `'a/0'`."""
    return "/".join(str(p) for p in path)
