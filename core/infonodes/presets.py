"""Ready agents from an environment's specs alone."""
from __future__ import annotations

from typing import Any, Callable, Optional

import gin
import tensorflow as tf
from tf_agents.agents.ddpg import critic_network
from tf_agents.agents.dqn import dqn_agent
from tf_agents.agents.sac import sac_agent, tanh_normal_projection_network
from tf_agents.networks import actor_distribution_network, q_network
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.utils import common

from infonodes.agent import InfoNodeAgent
from infonodes.info_nodes.info_node import InfoNode
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.organs.navigable_modality.page import PageSettings, page
from infonodes.info_nodes.pred_node import PredNode, PredSettings
from infonodes.info_nodes.reward_node import RewardNode, RewardSettings
from infonodes.info_nodes.rl_node import AgentFn, RLNode
from infonodes.modes import Modes
from infonodes.types import GraphError, Spec

# Frames of a replayed window: five moves, for five-step value targets.
WINDOW = 6
LEARNING_RATE = 1e-3
# Latents with memory: predictions start from all frames that leave room for them, so that
# what a late frame needs reaches back to an early one. Simplex latents forgot the cue of the
# T-maze probe; layer-normalised ones keep it.
MEMORY = PredSettings(norm="layernorm", starts=8)


def dqn(
    fc_layers: tuple[int, ...] = (100, 50),
    learning_rate: float = LEARNING_RATE,
    epsilon_greedy: float = 0.1,
    decay: int = 0,
    **kwargs: Any,
) -> AgentFn:
    """Returns a maker of TF-Agents' DqnAgent: its own defaults, but for squared errors and what is given.

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

        return dqn_agent.DqnAgent(
            time_step_spec,
            action_spec,
            q_network=q_network.QNetwork(time_step_spec.observation, action_spec, fc_layer_params=fc_layers),
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


def _shell(time_step_spec: ts.TimeStep, action_spec: Spec) -> tuple[list[InfoNode], list[InfoNode]]:
    """Returns the sensors (the reward's last) and the actuators of an environment."""
    sensors = [*gym.sensors(time_step_spec.observation), gym.RewardSensor("reward")]
    return sensors, gym.actuators(action_spec)


def _names(nodes: list[InfoNode]) -> tuple[str, ...]:
    return tuple(node.name for node in nodes)


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
    sensors, actuators = _shell(time_step_spec, action_spec)
    deciders = [
        RLNode(
            actuator.name.replace("act", "rl", 1),
            _names(sensors[:-1]),
            actuator.name,
            agent_fn or (dqn() if actuator.blocks else sac()),
        )
        for actuator in actuators
    ]
    agent_kwargs.setdefault("train_sequence_length", 2)
    return InfoNodeAgent(time_step_spec, action_spec, [*sensors, *actuators, *deciders], **agent_kwargs)


@gin.configurable(module="infonodes")
def predictive(
    time_step_spec: ts.TimeStep,
    action_spec: Spec,
    pred: PredSettings = PredSettings(),
    reward: RewardSettings = RewardSettings(),
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
    sensors, actuators = _shell(time_step_spec, action_spec)
    nodes = [
        *sensors,
        *actuators,
        PredNode(
            "pred",
            _names(sensors[:-1]) + _names(actuators),
            _names(actuators),
            settings=pred,
            recurrent=recurrent,
        ),
        RewardNode("value", "reward", "pred", settings=reward),
    ]
    return _model_agent(time_step_spec, action_spec, nodes, agent_kwargs)


@gin.configurable(module="infonodes")
def planning(
    time_step_spec: ts.TimeStep,
    action_spec: Spec,
    pred: PredSettings = PredSettings(),
    reward: RewardSettings = RewardSettings(),
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
    high: PredSettings = PredSettings(hold=2, unroll=2, options=8),
    reward: RewardSettings = RewardSettings(),
    **agent_kwargs: Any,
) -> InfoNodeAgent:
    """Sensors → PredNode `low` → PredNode `high` → RewardNode.

    `high` asks `low` for latents that `low` can reach in `high.hold` ticks, and holds them
    for as long.
    """
    sensors, actuators = _shell(time_step_spec, action_spec)
    nodes = [
        *sensors,
        *actuators,
        PredNode("low", _names(sensors[:-1]) + _names(actuators), _names(actuators), settings=low),
        PredNode("high", ("low",), ("low",), settings=high),
        RewardNode("value", "reward", "high", settings=reward),
    ]
    return _model_agent(time_step_spec, action_spec, nodes, agent_kwargs)


# How the reader's nodes learn by default: where to look, looking ahead; what to answer, at once.
EYE = dict(gamma=0.9, n_step_update=3, target_update_tau=0.1, epsilon_greedy=0.1, decay=3000)
ANSWER = dict(gamma=0.0, epsilon_greedy=0.05, decay=3000)


@gin.configurable(module="infonodes")
def reader(
    time_step_spec: ts.TimeStep,
    action_spec: Spec,
    page_settings: PageSettings = PageSettings(),
    eye_fn: Optional[AgentFn] = None,
    answer_fn: Optional[AgentFn] = None,
    data: str = "data",
    **agent_kwargs: Any,
) -> InfoNodeAgent:
    """A window that an RLNode moves over large data, and RLNodes that act on what it shows.

    ```
    observation[data] → page → page_data → eye → page_loc → page     where to look
    other leaves → obs…   ↘                ↗
                            answer… → act…                           what to do
    ```

    Args:
      time_step_spec: The environment's; its observation is a dict.
      action_spec: The same.
      page_settings: Window and cursor.
      eye_fn: What moves the cursor; by default DQN, SAC for moves `velocity`.
      answer_fn: What acts; by default DQN without foresight for a discrete leaf, SAC for a
        continuous one.
      data: Key of the leaf that is looked at through the window: a text, a sound or an image.
      **agent_kwargs: Passed on to `InfoNodeAgent`.

    Returns:
      The agent. Nodes: `page`, `page_data`, `page_loc`, `obs…`, `act…`, `eye`, `answer…`.

    Raises:
      GraphError: if the observation has no leaf `data`, or it cannot be looked at.
    """
    seen = time_step_spec.observation
    if not isinstance(seen, dict) or data not in seen:
        raise GraphError(f"preset reader: expected an observation dict with the key {data!r}, got {seen}; set data")
    sheet = page("page", tensor_spec.from_spec(seen[data]), data, page_settings)
    sensors = gym.sensors({k: v for k, v in seen.items() if k != data})
    actuators = gym.actuators(action_spec)
    looks = ("page_data", *_names(sensors))
    steps = page_settings.moves == "steps"
    eye_fn = eye_fn or (dqn((128, 64), **EYE) if steps else sac())
    nodes = [
        *sheet.info_nodes,
        *sensors,
        *actuators,
        RLNode("eye", (*looks, "page_loc"), "page_loc", eye_fn),
        *[
            RLNode(
                act.name.replace("act", "answer", 1),
                looks,
                act.name,
                answer_fn or (dqn((128, 64), **ANSWER) if act.blocks else sac()),
            )
            for act in actuators
        ],
    ]
    agent_kwargs.setdefault("train_sequence_length", WINDOW)
    return InfoNodeAgent(time_step_spec, action_spec, nodes, **agent_kwargs)


def _model_agent(
    time_step_spec: ts.TimeStep, action_spec: Spec, nodes: list[InfoNode], kwargs: dict[str, Any]
) -> InfoNodeAgent:
    kwargs.setdefault("train_sequence_length", WINDOW)
    kwargs.setdefault("gradient_clipping", 1.0)
    kwargs.setdefault("optimizer", tf.keras.optimizers.legacy.Adam(LEARNING_RATE))
    return InfoNodeAgent(time_step_spec, action_spec, nodes, **kwargs)


PRESETS: dict[str, Callable[..., InfoNodeAgent]] = {
    "reactive": reactive,
    "predictive": predictive,
    "hierarchical": hierarchical,
    "planning": planning,
    "reader": reader,
}
