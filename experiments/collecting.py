"""The inner loop of a run: one step of the environment, one update."""
from __future__ import annotations

import math
from typing import Any, Optional, Union

import numpy as np
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.environments import py_environment
from tf_agents.policies import py_tf_eager_policy, random_tf_policy, tf_policy
from tf_agents.trajectories import trajectory

from experiments.baselines import StockObserver, UniformReplay
from experiments.errors import RunError
from experiments.run_config import REPLAY, RunConfig
from infonodes.agent import InfoNodeAgent
from infonodes.modes import Modes
from infonodes.replay import CostPrioritizedReplay, FifoReplay
from infonodes.replay.observer import ReplayObserver

Replay = Union[CostPrioritizedReplay, FifoReplay, UniformReplay]

# What a run may set of a queue.
_QUEUE = ("max_size", "pad")


def make_replay(agent: tf_agent.TFAgent, config: RunConfig) -> Replay:
    """Returns the replay an agent learns from: by cost, in order for one on policy, uniform for a stock one.

    Raises:
      RunError: for settings of the replay that a queue does not have.
    """
    length = agent.train_sequence_length or 2
    if not isinstance(agent, InfoNodeAgent):
        return UniformReplay(agent.collect_data_spec, length, config.replay.get("max_size", REPLAY["max_size"]))
    if on_policy(agent):
        foreign = sorted(set(config.replay) - set(_QUEUE))
        if foreign:
            raise RunError(f"replay settings {foreign}: preset {config.preset!r} learns in order; expected {_QUEUE}")
        # Windows share one frame, so that each move is in one window, with what it led to.
        return FifoReplay(agent.collect_data_spec, length, stride=max(length - 1, 1), **config.replay)
    return CostPrioritizedReplay(agent.collect_data_spec, length, **{**REPLAY, **config.replay})


def on_policy(agent: tf_agent.TFAgent) -> bool:
    """Returns whether an agent must learn from each move once, in order."""
    return isinstance(agent, InfoNodeAgent) and agent.on_policy


def random_policy(agent: tf_agent.TFAgent) -> tf_policy.TFPolicy:
    """Returns the warm-up policy."""
    if isinstance(agent, InfoNodeAgent):
        return agent.make_policy(Modes(collect="random"))
    return random_tf_policy.RandomTFPolicy(agent.time_step_spec, agent.action_spec)


class Collector:
    """Does what a `PyDriver` does, a step at a call and without its set-up at each call."""

    def __init__(self, env: py_environment.PyEnvironment, observer: Union[ReplayObserver, StockObserver]):
        """Starts an episode.

        Args:
          env: Without batch dimension.
          observer: Sees every transition, resets too.
        """
        self._env, self._observer = env, observer
        self._policy: Optional[py_tf_eager_policy.PyTFEagerPolicy] = None
        self._time_step = env.reset()
        self._state: Any = ()
        self._return, self._length = 0.0, 0

    def use(self, policy: tf_policy.TFPolicy) -> None:
        """Goes on with another policy over the same nodes."""
        self._policy = py_tf_eager_policy.PyTFEagerPolicy(policy, use_tf_function=True)
        if self._state == ():
            self._state = self._policy.get_initial_state(1)

    def step(self) -> Optional[tuple[float, int]]:
        """Makes one move; the reset that may come before it is not one.

        Returns:
          (return, length) of the episode that the move ended, or None.
        """
        if self._time_step.is_last():
            self._transit()
            self._return, self._length = 0.0, 0
        self._transit()
        self._return += float(self._time_step.reward)
        self._length += 1
        return (self._return, self._length) if self._time_step.is_last() else None

    def flush(self) -> None:
        """Makes what was collected available for sampling."""
        self._observer.flush()

    def _transit(self) -> None:
        assert self._policy is not None
        chosen = self._policy.action(self._time_step, self._state)
        after = self._env.step(chosen.action)
        self._observer(trajectory.from_transition(self._time_step, chosen, after))
        self._time_step, self._state = after, chosen.state


class Updater:
    """One batch, one update, new priorities: one compiled function.

    From a queue it takes what is there, a window at a time: in order, each once.
    """

    def __init__(
        self, agent: tf_agent.TFAgent, replay: Replay, batch_size: int, observer: Optional[ReplayObserver] = None
    ):
        """Opens the dataset.

        Args:
          agent: Whom to train.
          replay: With something in it, unless it is a queue.
          batch_size: Windows an update.
          observer: Who fills the queue, if the replay is one.
        """
        self._agent, self._replay = agent, replay
        self._observer, self._taken = observer, observer.written if observer else 0
        self._batches = iter(replay.dataset(batch_size))
        self._names: list[str] = []
        self._found: Optional[tf.Tensor] = None
        # One vector comes out: a nest of thirty scalars costs as much as the rest of the call.
        self._step = tf.function(self._update, autograph=False)

    def step(self) -> None:
        """Makes one update, or as many as there are new windows in a queue."""
        if self._observer is None:
            self._found = self._step()
            return
        if self._observer.written > self._taken:
            self._observer.flush()
        while self._taken < self._observer.written:
            self._found = self._step()
            self._taken += 1

    def metrics(self) -> dict[str, float]:
        """Returns the last update's loss and metrics by name.

        Raises:
          RunError: if one is not finite.
        """
        if self._found is None:
            return {}
        found = dict(zip(self._names, map(float, self._found.numpy())))
        wrong = [name for name, value in found.items() if not math.isfinite(value)]
        if wrong:
            raise RunError(
                f"after {int(self._agent.train_step_counter)} updates, {wrong} are not finite; resume from the last "
                "checkpoint with a lower learning_rate, or less gradient_clipping"
            )
        return found

    def priorities(self) -> Optional[np.ndarray]:
        """Returns the costs that the last update gave back to the replay, `[B]`; None where it gave none."""
        return None if self._found is None else self._found.numpy()[len(self._names):]

    def _update(self) -> tf.Tensor:
        experience, info = next(self._batches)
        found = self._agent.train(experience)
        scalars, costs = {"loss": found.loss}, tf.zeros([0])
        if isinstance(self._agent, InfoNodeAgent):
            if not isinstance(self._replay, FifoReplay):
                costs = found.extra["cost"]
                self._replay.update_priorities(info, costs)
            scalars.update({f"{node}/loss": loss for node, loss in found.extra["loss"].items()})
            scalars.update(found.extra["metrics"])
        self._names = list(scalars)
        means = tf.stack([tf.reduce_mean(tf.cast(value, tf.float32)) for value in scalars.values()])
        return tf.concat([means, costs], axis=0)
