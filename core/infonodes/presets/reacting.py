"""Nodes that decide at once."""
from __future__ import annotations

from typing import Any, Optional

import gin
from tf_agents.trajectories import time_step as ts

from infonodes.agent import InfoNodeAgent
from infonodes.info_nodes.rl_node import AgentFn
from infonodes.presets.parts import decider, names, shell
from infonodes.types import Spec

# Frames of a window of one move.
PAIR = 2


@gin.configurable(module="infonodes")
def reactive(
    time_step_spec: ts.TimeStep,
    action_spec: Spec,
    agent_fn: Optional[AgentFn] = None,
    **agent_kwargs: Any,
) -> InfoNodeAgent:
    """Sensors → one RLNode an action leaf → actuators.

    Args:
      time_step_spec: The environment's.
      action_spec: The same.
      agent_fn: What the RLNodes wrap; by default DQN for a discrete leaf, SAC for a
        continuous one.
      **agent_kwargs: Passed on to `InfoNodeAgent`.

    Returns:
      The agent. Nodes: `obs…`, `reward`, `act…`, `rl…`.
    """
    sensors, actuators = shell(time_step_spec, action_spec)
    deciders = [decider(actuator, names(sensors[:-1]), agent_fn) for actuator in actuators]
    agent_kwargs.setdefault("train_sequence_length", PAIR)
    return InfoNodeAgent(time_step_spec, action_spec, [*sensors, *actuators, *deciders], **agent_kwargs)
