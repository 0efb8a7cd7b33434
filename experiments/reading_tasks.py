"""The reading figures as data: tasks, windows, how long to learn, and the readers compared."""
from __future__ import annotations

import dataclasses
from typing import Any, Mapping

import tensorflow as tf
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from infonodes import presets
from infonodes.agent import InfoNodeAgent
from infonodes.environments import reading
from infonodes.info_nodes.info_node import InfoNode
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.organs.navigable_modality.page import PageSettings, page
from infonodes.info_nodes.rl_node import RLNode
from infonodes.types import Target

VARIANTS = ("reader", "fixed_window", "random_cursor")


@dataclasses.dataclass(frozen=True)
class ReadingConfig:
    """What fixes a cell.

    Attributes:
      task: Name of a reading task.
      variant: One of `VARIANTS`.
      seed: Of TensorFlow and of the tasks drawn.
      rounds: Times that `rows` episodes are played and learned from.
      rows: Episodes a round.
      updates: Updates a round.
      batch_size: Episodes an update.
      memory: Rounds that are kept to learn from.
      eval_every: Rounds from one evaluation to the next.
      eval_rows: Episodes an evaluation.
      task_settings: Arguments of the task.
      page: Fields of `PageSettings` that differ from its defaults.
      eye: Arguments of the cursor's DQN that differ from the preset's.
      answer: The same of the answer's.
    """

    task: str
    variant: str = "reader"
    seed: int = 0
    rounds: int = 200
    rows: int = 128
    updates: int = 24
    batch_size: int = 16
    memory: int = 40
    eval_every: int = 20
    eval_rows: int = 256
    task_settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    page: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    eye: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    answer: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def page_settings(self) -> PageSettings:
        """Returns the record of the page's settings."""
        fields = {k: tuple(v) if isinstance(v, list) else v for k, v in self.page.items()}
        return PageSettings(**fields)

    def load(self, rows: int, seed: int) -> reading.ReadingTask:
        """Returns the task, batched.

        Args:
          rows: Episodes at a time.
          seed: Of what it draws.
        """
        return reading.load(self.task, rows=rows, seed=seed, **self.task_settings)


CONFIGS = {
    "read_text": ReadingConfig("read_text", page=dict(window=(11,), max_speed=24.0)),
    "find_in_image": ReadingConfig(
        "find_in_image",
        task_settings=dict(size=64),
        page=dict(window=(14, 14), max_speed=16.0),
        # The answer must know the marks before the eye can learn where they are, so its ε falls first.
        eye=dict(epsilon_greedy=0.2, decay=1800, learning_rate=2e-3),
        answer=dict(epsilon_greedy=0.05, decay=900, learning_rate=3e-3),
        rounds=180, updates=16, batch_size=64,
    ),
    "hear_tone": ReadingConfig("hear_tone", page=dict(window=(96,), max_speed=256.0)),
}


class RandomEyeNode(InfoNode):
    """Moves a cursor at random, and goes on doing so in greedy ticks, whose seed is fixed."""

    def __init__(self, control: str):
        super().__init__("eye", (control,), control_names=(control,))
        self.stateless = False
        self.state_spec = {"cost": self.state_spec["cost"], "ticks": tf.TensorSpec([], tf.int32)}

    def _top_down(self, targets, parent_states, state, tick):
        (control,) = self.control_names
        seed = tick.fold(state["ticks"][0]).seed
        options = self.peer(control).candidates(parent_states[control], 64, seed)  # [B, N, U]
        pick = tf.random.stateless_uniform(tf.shape(options)[:1], seed, 0, options.shape[1], tf.int32)
        code = tf.gather(options, pick, axis=1, batch_dims=1)
        valid = tf.ones(tf.shape(pick), tf.bool)
        return {control: Target(self.peer(control).decode(code), valid)}, {**state, "ticks": state["ticks"] + 1}


def build_agent(config: ReadingConfig, env: reading.ReadingTask) -> InfoNodeAgent:
    """Returns the reader, or a baseline that learns to answer with a cursor it does not steer."""
    specs = tensor_spec.from_spec((ts.time_step_spec(env.observation_spec()), env.action_spec()))
    answer = presets.dqn((128, 64), **{**presets.ANSWER, **config.answer})
    shared: dict[str, Any] = dict(train_sequence_length=env.ticks + 1, seed=config.seed)
    if config.variant == "reader":
        eye = presets.dqn((128, 64), **{**presets.EYE, **config.eye})
        agent = presets.reader(*specs, config.page_settings(), eye, answer, **shared)
    else:
        time_step_spec, action_spec = specs
        seen = time_step_spec.observation
        sheet = page("page", seen["data"], "data", config.page_settings())
        nodes = [
            *sheet.info_nodes,
            *gym.sensors({"question": seen["question"]}),
            *gym.actuators(action_spec),
            RLNode("answer", ("page_data", "obs_question"), "act", answer),
        ]
        if config.variant == "random_cursor":
            nodes.append(RandomEyeNode("page_loc"))
        agent = InfoNodeAgent(*specs, nodes, **shared)
    agent.initialize()
    return agent
