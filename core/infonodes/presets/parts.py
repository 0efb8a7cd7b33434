"""What presets have in common."""
from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf
from tf_agents.trajectories import time_step as ts

from infonodes.agent import InfoNodeAgent
from infonodes.info_nodes.info_node import InfoNode
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.rl_node import AgentFn, RLNode
from infonodes.presets.makers import LEARNING_RATE, dqn, sac
from infonodes.types import Spec

# Frames of a replayed window: five moves, for five-step value targets.
WINDOW = 6


def shell(time_step_spec: ts.TimeStep, action_spec: Spec) -> tuple[list[InfoNode], list[InfoNode]]:
    """Returns the sensors (the reward's last) and the actuators of an environment."""
    sensors = [*gym.sensors(time_step_spec.observation), gym.RewardSensor("reward")]
    return sensors, gym.actuators(action_spec)


def names(nodes: list[InfoNode]) -> tuple[str, ...]:
    """Returns the nodes' names."""
    return tuple(node.name for node in nodes)


def decider(actuator: InfoNode, senses: tuple[str, ...], agent_fn: Optional[AgentFn], **kwargs: Any) -> RLNode:
    """Returns the RLNode of an actuator: DQN for a discrete one, SAC for a continuous one, unless told."""
    maker = agent_fn or (dqn() if actuator.blocks else sac())
    return RLNode(actuator.name.replace("act", "rl", 1), senses, actuator.name, maker, **kwargs)


def model_agent(
    time_step_spec: ts.TimeStep, action_spec: Spec, nodes: list[InfoNode], kwargs: dict[str, Any]
) -> InfoNodeAgent:
    """Returns an agent that learns from windows, with an optimiser of ours unless one is given."""
    kwargs.setdefault("train_sequence_length", WINDOW)
    kwargs.setdefault("gradient_clipping", 1.0)
    kwargs.setdefault("optimizer", tf.keras.optimizers.legacy.Adam(LEARNING_RATE))
    return InfoNodeAgent(time_step_spec, action_spec, nodes, **kwargs)
