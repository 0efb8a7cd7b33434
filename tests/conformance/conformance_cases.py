"""The agents that TF-Agents' own machinery is tried with, small, and not compiled by XLA."""
from __future__ import annotations

import dataclasses
import functools

import numpy as np
import tensorflow as tf
from tf_agents.agents.ppo import ppo_clip_agent
from tf_agents.environments import batched_py_environment, tf_py_environment
from tf_agents.networks import actor_distribution_network, value_network
from tf_agents.policies import py_tf_eager_policy
from tf_agents.specs import array_spec, tensor_spec
from tf_agents.trajectories import time_step as ts

from infonodes import presets
from infonodes.agent import InfoNodeAgent
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.organs.energetics import BodySettings
from infonodes.info_nodes.organs.navigable_modality.page import PageSettings
from infonodes.info_nodes.pred_node import PredSettings
from infonodes.info_nodes.reward_node import RewardSettings
from infonodes.info_nodes.rl_node import RLNode
from infonodes.info_nodes.synaptic_node import SynapticSettings
from infonodes.testing import FakeEnvironment, trajectory_of

PRED = PredSettings(latent_size=8, hidden=(16,), unroll=2, options=4)
HIGH = PredSettings(latent_size=8, hidden=(16,), unroll=2, options=4, hold=2)
VALUE = RewardSettings(hidden=8, planning_horizon=2, width=16)
SMALL = {
    "reactive": dict(),
    "predictive": dict(pred=PRED, reward=VALUE),
    "planning": dict(pred=PRED, reward=VALUE),
    "hierarchical": dict(low=PRED, high=HIGH, reward=VALUE),
    "synaptic": dict(synaptic=SynapticSettings(cells=4)),
    "embodied": dict(
        body=BodySettings(act=0.01, think=0.001), pred=PRED, reward=dataclasses.replace(VALUE, signal="sensed")
    ),
    "reader": dict(page_settings=PageSettings(window=(5,), max_speed=4.0)),
}
# What a reader looks at; other presets see the fake environment's own observations.
PAGE = {
    "data": array_spec.BoundedArraySpec([60], np.int32, 0, 4, "data"),
    "question": array_spec.BoundedArraySpec([], np.int32, 0, 2, "question"),
}
FAST = ("reactive-discrete", "predictive-discrete", "hierarchical-discrete", "planning-continuous", "synaptic-discrete")
SLOW = ("reactive-continuous", "predictive-continuous", "hierarchical-continuous", "planning-discrete",
        "synaptic-continuous", "embodied-discrete", "embodied-continuous", "reader-discrete", "reader-continuous")


class Case:
    """A preset and the environments it is tried in.

    Attributes:
      name: `preset-kind`.
      reacts: Whether all that learns is within RLNodes.
      draws: Whether its updates draw at random without a seed, as SacAgent's do.
      agent: One agent for all tests of the case; tests that need fresh variables make their own.
    """

    def __init__(self, name: str):
        self.name = name
        self.preset, self.kind = name.split("-")
        self.reacts = self.preset in ("reactive", "reader")
        self.draws = self.reacts and self.kind == "continuous"

    def env(self, seed: int = 0, episode_length: int = 5) -> FakeEnvironment:
        """Returns a fresh environment of the case's kind."""
        make = FakeEnvironment if self.kind == "discrete" else FakeEnvironment.continuous
        env = make(episode_length=episode_length, seed=seed)
        if self.preset != "reader":
            return env
        return FakeEnvironment(PAGE, env.action_spec(), episode_length=episode_length, seed=seed)

    def batched_env(self, batch: int) -> batched_py_environment.BatchedPyEnvironment:
        """Returns `batch` of them."""
        rows = [self.env(seed, 4 + seed % 3) for seed in range(batch)]
        return batched_py_environment.BatchedPyEnvironment(rows, multithreading=False)

    def tf_env(self, batch: int) -> tf_py_environment.TFPyEnvironment:
        """Returns them as one TF environment."""
        return tf_py_environment.TFPyEnvironment(self.batched_env(batch))

    def specs(self) -> tuple:
        """Returns time step and action spec, of tensors."""
        env = self.env()
        return (
            tensor_spec.from_spec(env.time_step_spec()),
            tensor_spec.from_spec(env.action_spec()),
        )

    def make(self, **kwargs) -> InfoNodeAgent:
        """Returns a fresh, small agent."""
        small = dict(SMALL[self.preset])
        if self.preset == "reactive":
            discrete = self.kind == "discrete"
            small["agent_fn"] = presets.dqn((16,)) if discrete else presets.sac((16,))
        if self.preset == "reader":
            small["eye_fn"] = presets.dqn((16,))
            small["answer_fn"] = presets.dqn((16,)) if self.kind == "discrete" else presets.sac((16,))
        kwargs = {"jit_compile": False, **small, **kwargs}
        agent = presets.PRESETS[self.preset](*self.specs(), **kwargs)
        agent.initialize()
        return agent

    @functools.cached_property
    def agent(self) -> InfoNodeAgent:
        """The shared agent."""
        return self.make()

    @functools.cached_property
    def experience(self):
        """A trajectory of the shared agent, `[4, T]`."""
        return trajectory_of(self.agent, 4, self.agent.train_sequence_length)


@functools.cache
def case_of(name: str) -> Case:
    """Returns the case of this name, the same one to all tests."""
    return Case(name)


class NumpyPolicy(py_tf_eager_policy.PyTFEagerPolicy):
    """For batched Python environments, which refuse the tensors that the stock class returns."""

    def __init__(self, policy, **kwargs):
        super().__init__(policy, batch_time_steps=False, **kwargs)

    def _action(self, time_step, policy_state, seed=None):
        step = super()._action(time_step, policy_state, seed)
        to_numpy = functools.partial(tf.nest.map_structure, lambda x: x.numpy())
        return step._replace(action=to_numpy(step.action), info=to_numpy(step.info))


def ppo_agent(env: FakeEnvironment, time: int) -> InfoNodeAgent:
    """Returns sensors → RLNode(PPOClip) → actuators."""

    def ppo(spec, action_spec, counter):
        return ppo_clip_agent.PPOClipAgent(
            spec,
            action_spec,
            tf.keras.optimizers.legacy.Adam(1e-3),
            actor_net=actor_distribution_network.ActorDistributionNetwork(
                spec.observation, action_spec, fc_layer_params=(16,)
            ),
            value_net=value_network.ValueNetwork(spec.observation, fc_layer_params=(16,)),
            num_epochs=2,
            train_step_counter=counter,
        )

    time_step_spec = tensor_spec.from_spec(env.time_step_spec())
    action_spec = tensor_spec.from_spec(env.action_spec())
    sensors, actuators = gym.sensors(time_step_spec.observation), gym.actuators(action_spec)
    nodes = [*sensors, *actuators, RLNode("rl", (sensors[0].name,), actuators[0].name, ppo)]
    return InfoNodeAgent(time_step_spec, action_spec, nodes, train_sequence_length=time)


def greedy_actions(policy, time_steps, batch: int = 1) -> list:
    """Returns what a policy does over time steps, state carried, as arrays.

    All start from the same `rng`: even greedy, candidates for latents are drawn.
    """
    state, actions = dict(policy.get_initial_state(batch)), []
    state["rng"] = tf.zeros_like(state["rng"])
    for time_step in time_steps:
        step = policy.action(time_step, state)
        state = step.state
        actions.append(tf.nest.map_structure(lambda a: np.asarray(a), step.action))
    return actions


def some_steps(case: Case, count: int = 3, batch: int = 1) -> list[ts.TimeStep]:
    """Returns the first time steps of an episode, `[batch, ...]`."""
    env = case.tf_env(batch)
    steps = [env.reset()]
    action = tf.zeros([batch, *case.specs()[1].shape], case.specs()[1].dtype)
    while len(steps) < count:
        steps.append(env.step(action))
    return steps
