"""Nodes that predict, and act by what they foresee."""
from __future__ import annotations

from typing import Any

import gin
from tf_agents.trajectories import time_step as ts

from infonodes.agent import InfoNodeAgent
from infonodes.info_nodes.pred_node import PredNode, PredSettings
from infonodes.info_nodes.reward_node import RewardNode, RewardSettings
from infonodes.modes import Modes
from infonodes.presets.parts import WINDOW, model_agent, names, shell
from infonodes.types import Spec

# Latents with memory: predictions start from all frames that leave room for them, so that
# what a late frame needs reaches back to an early one. Simplex latents forgot the cue of the
# T-maze probe; layer-normalised ones keep it.
MEMORY = PredSettings(norm="layernorm", starts=8)
# Values of the best option after the three moves of a window, as what replay's policies did is worth less than what
# the one of now would do: docs/decisions/0025-values-of-the-best-option.md.
BEST = RewardSettings(bootstrap="best")
SHORT_WINDOW = 4


@gin.configurable(module="infonodes")
def predictive(
    time_step_spec: ts.TimeStep,
    action_spec: Spec,
    pred: PredSettings = PredSettings(),
    reward: RewardSettings = BEST,
    recurrent: bool = False,
    **agent_kwargs: Any,
) -> InfoNodeAgent:
    """Sensors → PredNode → RewardNode, which acts through the PredNode on the actuators.

    Args:
      time_step_spec: The environment's.
      action_spec: The same.
      pred: Settings of the PredNode `pred`; `MEMORY` instead of the default ones for a
        recurrent node.
      reward: Settings of the RewardNode `value`.
      recurrent: Give the PredNode memory; replay then wants longer windows.
      **agent_kwargs: Passed on to `InfoNodeAgent`.

    Returns:
      The agent. Nodes: `obs…`, `reward`, `act…`, `pred`, `value`.
    """
    if recurrent and pred == PredSettings():
        pred = MEMORY
    agent_kwargs.setdefault("train_sequence_length", WINDOW if recurrent else SHORT_WINDOW)
    sensors, actuators = shell(time_step_spec, action_spec)
    nodes = [
        *sensors,
        *actuators,
        PredNode(
            "pred",
            names(sensors[:-1]) + names(actuators),
            names(actuators),
            settings=pred,
            recurrent=recurrent,
        ),
        RewardNode("value", "reward", "pred", settings=reward),
    ]
    return model_agent(time_step_spec, action_spec, nodes, agent_kwargs)


@gin.configurable(module="infonodes")
def planning(
    time_step_spec: ts.TimeStep,
    action_spec: Spec,
    pred: PredSettings = PredSettings(),
    reward: RewardSettings = BEST,
    **agent_kwargs: Any,
) -> InfoNodeAgent:
    """`predictive`, collecting and evaluating by day-dreaming `planning_horizon` controls ahead."""
    modes = agent_kwargs.pop("modes", Modes()).replace(collect="planning")
    return predictive(time_step_spec, action_spec, pred, reward, modes=modes, **agent_kwargs)


@gin.configurable(module="infonodes")
def hierarchical(
    time_step_spec: ts.TimeStep,
    action_spec: Spec,
    low: PredSettings = PredSettings(),
    high: PredSettings = PredSettings(hold=2, unroll=2),
    reward: RewardSettings = RewardSettings(),
    **agent_kwargs: Any,
) -> InfoNodeAgent:
    """Sensors → PredNode `low` → PredNode `high` → RewardNode.

    `high` asks `low` for latents that `low` can reach in `high.hold` ticks, and holds them
    for as long.
    """
    sensors, actuators = shell(time_step_spec, action_spec)
    nodes = [
        *sensors,
        *actuators,
        PredNode("low", names(sensors[:-1]) + names(actuators), names(actuators), settings=low),
        PredNode("high", ("low",), ("low",), settings=high),
        RewardNode("value", "reward", "high", settings=reward),
    ]
    return model_agent(time_step_spec, action_spec, nodes, agent_kwargs)
