"""TF-Agents' PPO by minibatches, as its `PPOLearner` does them, from what one collector saw."""
from __future__ import annotations

import math
from typing import Optional

import numpy as np
import tensorflow as tf
from tf_agents.agents.ppo import ppo_agent
from tf_agents.trajectories import trajectory

from experiments.benchmarks.agent_settings import PPO
from experiments.errors import RunError


class PpoUpdater:
    """An observer that keeps `horizon` frames, and trains on them when they are there."""

    def __init__(self, agent: ppo_agent.PPOAgent, seed: int):
        """Starts empty.

        Args:
          agent: With one epoch a call, and its values not computed in `train`.
          seed: Of the shuffling.
        """
        self._agent, self._rng = agent, np.random.default_rng(seed)
        self._frames: list[trajectory.Trajectory] = []
        self._loss: Optional[tf.Tensor] = None
        self._train = tf.function(lambda batch: agent.train(batch).loss, autograph=False)
        self._preprocess = tf.function(agent.preprocess_sequence, autograph=False)

    def __call__(self, frame: trajectory.Trajectory) -> None:
        """Keeps a frame."""
        self._frames.append(tf.nest.map_structure(np.asarray, frame))

    def flush(self) -> None:
        """Does nothing: what was seen is here."""

    def step(self) -> None:
        """Trains if there are frames enough: some epochs of shuffled minibatches."""
        if len(self._frames) < PPO["horizon"]:
            return
        whole = tf.nest.map_structure(lambda *parts: tf.constant(np.stack(parts))[None], *self._frames)  # [1, T]
        self._frames = []
        self._agent.update_observation_normalizer(whole.observation)
        self._agent.update_reward_normalizer(whole.reward)
        ready = tf.nest.map_structure(lambda x: x[0].numpy(), self._preprocess(whole))  # [T]
        size, count = PPO["batch_size"], len(ready.reward)
        for _ in range(PPO["epochs"]):
            order = self._rng.permutation(count)
            for i in range(0, count - size + 1, size):
                self._loss = self._train(_rows(ready, order[i : i + size]))

    def metrics(self) -> dict[str, float]:
        """Returns the last minibatch's loss.

        Raises:
          RunError: if it is not finite.
        """
        if self._loss is None:
            return {}
        if not math.isfinite(float(self._loss)):
            raise RunError("PPO's loss is not finite; lower its learning rate in agent_settings.py")
        return {"loss": float(self._loss)}


def _rows(frames: trajectory.Trajectory, chosen: np.ndarray) -> trajectory.Trajectory:
    """Returns `[N, 1, ...]` of frames `[T, ...]`."""
    return tf.nest.map_structure(lambda x: tf.constant(x[chosen][:, None]), frames)
