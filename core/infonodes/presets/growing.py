"""Nodes whose edges grow and fall."""
from __future__ import annotations

from typing import Any

import gin
from tf_agents.trajectories import time_step as ts

from infonodes.agent import InfoNodeAgent
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.synaptic_node import SynapticNode, SynapticSettings
from infonodes.modes import Modes
from infonodes.presets.parts import names
from infonodes.types import Spec

# Frames of a window that is read once, in order: seven moves.
QUEUE_WINDOW = 8
# What nodes that grow and prune are run with.
REWIRING = Modes(self_modification=True)


@gin.configurable(module="infonodes")
def synaptic(
    time_step_spec: ts.TimeStep,
    action_spec: Spec,
    synaptic: SynapticSettings = SynapticSettings(),  # pylint: disable=redefined-outer-name
    **agent_kwargs: Any,
) -> InfoNodeAgent:
    """Sensors → one SynapticNode an action leaf → actuators; it learns in order, from `FifoReplay`.

    Args:
      time_step_spec: The environment's.
      action_spec: The same.
      synaptic: Settings of the SynapticNodes.
      **agent_kwargs: Passed on to `InfoNodeAgent`.

    Returns:
      The agent. Nodes: `obs…`, `act…`, `synaptic…`.
    """
    sensors = gym.sensors(time_step_spec.observation, normalize=None)
    actuators = gym.actuators(action_spec)
    seed = agent_kwargs.get("seed", 0)
    deciders = [
        SynapticNode(a.name.replace("act", "synaptic", 1), names([*sensors]), a.name, synaptic, seed=seed)
        for a in actuators
    ]
    agent_kwargs.setdefault("train_sequence_length", QUEUE_WINDOW)
    agent_kwargs.setdefault("modes", REWIRING)
    return InfoNodeAgent(time_step_spec, action_spec, [*sensors, *actuators, *deciders], **agent_kwargs)
