"""Makers of the agents of TF-Agents that RLNodes wrap."""
from __future__ import annotations

from typing import Any

import tensorflow as tf
from tf_agents.agents.ddpg import critic_network
from tf_agents.agents.dqn import dqn_agent
from tf_agents.agents.sac import sac_agent, tanh_normal_projection_network
from tf_agents.networks import actor_distribution_network, q_network
from tf_agents.trajectories import time_step as ts
from tf_agents.utils import common

from infonodes.info_nodes.rl_node import AgentFn
from infonodes.types import Nest, Spec

LEARNING_RATE = 1e-3


def dqn(
    fc_layers: tuple[int, ...] = (100, 50),
    learning_rate: float = LEARNING_RATE,
    epsilon_greedy: float = 0.1,
    decay: int = 0,
    **kwargs: Any,
) -> AgentFn:
    """Returns a maker of TF-Agents' DqnAgent: its own defaults, but for squared errors and what is given.

    Of an observation of several leaves, all vectors, it sees them joined.

    Args:
      fc_layers: Widths of the Q-network's hidden layers.
      learning_rate: Adam's.
      epsilon_greedy: Share of random choices while it collects.
      decay: Updates over which that share falls to it, from 1; 0 starts there.
      **kwargs: Passed on to `DqnAgent`.
    """

    def make(time_step_spec: ts.TimeStep, action_spec: Spec, counter: tf.Variable) -> dqn_agent.DqnAgent:
        def falling() -> tf.Tensor:
            left = tf.maximum(0.0, 1.0 - tf.cast(counter, tf.float32) / decay)
            return epsilon_greedy + (1.0 - epsilon_greedy) * left

        leaves = tf.nest.flatten(time_step_spec.observation)
        return dqn_agent.DqnAgent(
            time_step_spec,
            action_spec,
            q_network=q_network.QNetwork(
                time_step_spec.observation, action_spec, fc_layer_params=fc_layers,
                preprocessing_combiner=None if len(leaves) == 1 else tf.keras.layers.Lambda(_joined),
            ),
            optimizer=tf.keras.optimizers.legacy.Adam(learning_rate),
            epsilon_greedy=falling if decay else epsilon_greedy,
            td_errors_loss_fn=common.element_wise_squared_loss,
            train_step_counter=counter,
            **kwargs,
        )

    return make


def sac(
    fc_layers: tuple[int, ...] = (128, 128), learning_rate: float = LEARNING_RATE, **kwargs: Any
) -> AgentFn:
    """Returns a maker of TF-Agents' SacAgent."""

    def make(time_step_spec: ts.TimeStep, action_spec: Spec, counter: tf.Variable) -> sac_agent.SacAgent:
        adam = lambda: tf.keras.optimizers.legacy.Adam(learning_rate)
        return sac_agent.SacAgent(
            time_step_spec,
            action_spec,
            critic_network=critic_network.CriticNetwork(
                (time_step_spec.observation, action_spec), joint_fc_layer_params=fc_layers
            ),
            actor_network=actor_distribution_network.ActorDistributionNetwork(
                time_step_spec.observation,
                action_spec,
                fc_layer_params=fc_layers,
                continuous_projection_net=tanh_normal_projection_network.TanhNormalProjectionNetwork,
            ),
            actor_optimizer=adam(),
            critic_optimizer=adam(),
            alpha_optimizer=adam(),
            target_update_tau=0.005,
            train_step_counter=counter,
            **kwargs,
        )

    return make


def _joined(leaves: Nest) -> tf.Tensor:
    return tf.concat([tf.cast(leaf, tf.float32) for leaf in tf.nest.flatten(leaves)], axis=-1)
