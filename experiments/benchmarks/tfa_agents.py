"""TF-Agents' own agents, with the settings that `agent_settings.py` gives both libraries."""
from __future__ import annotations

from typing import Any, Callable

import tensorflow as tf
from tf_agents.agents.categorical_dqn import categorical_dqn_agent
from tf_agents.agents.ddpg import critic_network
from tf_agents.agents.dqn import dqn_agent
from tf_agents.agents.ppo import ppo_actor_network, ppo_clip_agent
from tf_agents.agents.sac import sac_agent, tanh_normal_projection_network
from tf_agents.agents.tf_agent import TFAgent
from tf_agents.networks import actor_distribution_network, categorical_q_network, q_network, value_network
from tf_agents.trajectories import time_step as ts
from tf_agents.utils import common

from experiments.benchmarks.agent_settings import CATEGORICAL, DQN, GAMMA, PPO, SAC
from infonodes.types import Spec


def dqn(time_step_spec: ts.TimeStep, action_spec: Spec, value_range: tuple[float, float]) -> TFAgent:
    """Returns a DqnAgent with a target network."""
    del value_range
    net = q_network.QNetwork(time_step_spec.observation, action_spec, fc_layer_params=DQN["layers"])
    return dqn_agent.DqnAgent(
        time_step_spec, action_spec, net, _adam(DQN), **_values(DQN),
        td_errors_loss_fn=common.element_wise_huber_loss,
    )


def categorical_dqn(time_step_spec: ts.TimeStep, action_spec: Spec, value_range: tuple[float, float]) -> TFAgent:
    """Returns a CategoricalDqnAgent whose atoms span `value_range`."""
    net = categorical_q_network.CategoricalQNetwork(
        time_step_spec.observation, action_spec, num_atoms=CATEGORICAL["atoms"], fc_layer_params=CATEGORICAL["layers"]
    )
    return categorical_dqn_agent.CategoricalDqnAgent(
        time_step_spec, action_spec, net, _adam(CATEGORICAL), **_values(CATEGORICAL),
        min_q_value=value_range[0], max_q_value=value_range[1],
    )


def sac(time_step_spec: ts.TimeStep, action_spec: Spec, value_range: tuple[float, float]) -> TFAgent:
    """Returns a SacAgent with a learned temperature."""
    del value_range
    layers, observation = SAC["layers"], time_step_spec.observation
    actor = actor_distribution_network.ActorDistributionNetwork(
        observation, action_spec, fc_layer_params=layers,
        continuous_projection_net=tanh_normal_projection_network.TanhNormalProjectionNetwork,
    )
    return sac_agent.SacAgent(
        time_step_spec, action_spec,
        critic_network=critic_network.CriticNetwork((observation, action_spec), joint_fc_layer_params=layers),
        actor_network=actor, actor_optimizer=_adam(SAC), critic_optimizer=_adam(SAC), alpha_optimizer=_adam(SAC),
        target_update_tau=SAC["tau"], target_update_period=1, gamma=GAMMA,
        td_errors_loss_fn=tf.math.squared_difference,
    )


def ppo(time_step_spec: ts.TimeStep, action_spec: Spec, value_range: tuple[float, float]) -> TFAgent:
    """Returns a PPOClipAgent for updates by minibatch, as TF-Agents' own example of Schulman et al. (2017)."""
    del value_range
    observation = time_step_spec.observation
    if action_spec.dtype.is_integer:
        actor = actor_distribution_network.ActorDistributionNetwork(
            observation, action_spec, fc_layer_params=PPO["layers"], activation_fn=tf.keras.activations.tanh
        )
    else:
        actor = ppo_actor_network.PPOActorNetwork().create_sequential_actor_net(PPO["layers"], action_spec)
    return ppo_clip_agent.PPOClipAgent(
        time_step_spec, action_spec, _adam(PPO), actor_net=actor,
        value_net=value_network.ValueNetwork(
            observation, fc_layer_params=PPO["layers"], activation_fn=tf.keras.activations.tanh
        ),
        importance_ratio_clipping=PPO["clip"], lambda_value=PPO["gae_lambda"], discount_factor=GAMMA,
        num_epochs=1, use_gae=True, use_td_lambda_return=True, gradient_clipping=0.5,
        compute_value_and_advantage_in_train=False, update_normalizers_in_train=False,
    )


MAKERS: dict[str, Callable[..., TFAgent]] = {
    "tfa_dqn": dqn, "tfa_categorical_dqn": categorical_dqn, "tfa_sac": sac, "tfa_ppo": ppo,
}
BATCH = {"tfa_dqn": DQN["batch_size"], "tfa_categorical_dqn": CATEGORICAL["batch_size"], "tfa_sac": SAC["batch_size"]}


def _adam(values: dict[str, Any]) -> tf.keras.optimizers.Optimizer:
    return tf.keras.optimizers.legacy.Adam(values["learning_rate"])


def _values(values: dict[str, Any]) -> dict[str, Any]:
    shared = ("target_update_period",)
    return {"gamma": GAMMA, "epsilon_greedy": values["epsilon"], **{name: values[name] for name in shared}}
