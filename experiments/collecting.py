"""The inner loop of a run: one step of the environment, one update."""
from __future__ import annotations

import math
from typing import Any, Iterator, Optional, Union

import numpy as np
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.environments import py_environment
from tf_agents.policies import random_tf_policy, tf_policy
from tf_agents.trajectories import trajectory

from experiments.baselines import StockObserver, UniformReplay
from experiments.errors import RunError
from experiments.run_config import REPLAY, RunConfig
from infonodes.agent import InfoNodeAgent
from infonodes.eager_leak import plug
from infonodes.environments import snapshots
from infonodes.modes import Modes
from infonodes.py_policy import PackedPyPolicy
from infonodes.replay import CostPrioritizedReplay, FifoReplay, LocalReplay
from infonodes.replay.observer import ReplayObserver

Replay = Union[CostPrioritizedReplay, FifoReplay, LocalReplay, UniformReplay]

# What a run may set of a queue.
_QUEUE = ("max_size", "pad")


def make_replay(agent: tf_agent.TFAgent, config: RunConfig) -> Replay:
    """Returns the replay an agent learns from: by cost, in order for one on policy, uniform for a stock one.

    Raises:
      RunError: for settings of the replay that a queue does not have.
    """
    length = agent.train_sequence_length or 2
    if config.replay_kind == "local":
        return _local_replay(agent, length, config)
    if not isinstance(agent, InfoNodeAgent):
        return UniformReplay(agent.collect_data_spec, length, config.replay.get("max_size", REPLAY["max_size"]))
    if on_policy(agent):
        _refuse_foreign(config)
        # Windows share one frame, so that each move is in one window, with what it led to.
        return FifoReplay(agent.collect_data_spec, length, stride=max(length - 1, 1), **config.replay)
    return CostPrioritizedReplay(agent.collect_data_spec, length, **{**REPLAY, **config.replay})


def _local_replay(agent: tf_agent.TFAgent, length: int, config: RunConfig) -> LocalReplay:
    """Returns the like in this process."""
    spec, seed = agent.collect_data_spec, config.seed
    if not isinstance(agent, InfoNodeAgent):
        size = config.replay.get("max_size", REPLAY["max_size"])
        return LocalReplay(spec, length, size, draws="uniform", seed=seed)
    if on_policy(agent):
        _refuse_foreign(config)
        arguments = {"max_size": 10_000, "stride": max(length - 1, 1), **config.replay}
        return LocalReplay(spec, length, draws="in_order", seed=seed, **arguments)
    return LocalReplay(spec, length, seed=seed, **{**REPLAY, **config.replay})


def _refuse_foreign(config: RunConfig) -> None:
    foreign = sorted(set(config.replay) - set(_QUEUE))
    if foreign:
        raise RunError(f"replay settings {foreign}: preset {config.preset!r} learns in order; expected {_QUEUE}")


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
        self._policy: Optional[PackedPyPolicy] = None
        self._time_step = env.reset()
        self._state: Any = ()
        self._return, self._length = 0.0, 0

    def use(self, policy: tf_policy.TFPolicy) -> None:
        """Goes on with another policy over the same nodes."""
        self._policy = PackedPyPolicy(policy)
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

    def get_state(self) -> dict[str, Any]:
        """Returns the episode under way, the environment's part of it where the environment gives it."""
        leaves = lambda nest: [np.array(leaf) for leaf in tf.nest.flatten(nest)]
        return {
            "environment": snapshots.get_state(self._env),
            "time_step": leaves(self._time_step),
            "policy_state": leaves(self._state),
            "return": self._return,
            "length": self._length,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on with the episode; with a new one if the environment did not give its state."""
        assert self._policy is not None
        self._state = tf.nest.pack_sequence_as(self._policy.get_initial_state(1), state["policy_state"])
        if state["environment"] is None:
            self._observer.discard()
            return
        snapshots.set_state(self._env, state["environment"])
        self._time_step = tf.nest.pack_sequence_as(self._time_step, state["time_step"])
        self._return, self._length = state["return"], state["length"]

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
        """Prepares; the dataset is opened by the first update.

        Args:
          agent: Whom to train.
          replay: What it learns from.
          batch_size: Windows an update.
          observer: Who fills the queue, if the replay is one.
        """
        self._agent, self._replay, self._batch_size = agent, replay, batch_size
        self._observer = observer
        self._taken: Optional[int] = None
        self._batches: Optional[Iterator] = None
        self._names: list[str] = []
        self._found: Any = None
        # One vector comes out: a nest of thirty scalars costs as much as the rest of the call.
        self._step = tf.function(self._update, autograph=False)
        self._learn_once = tf.function(self._learn, autograph=False)

    def step(self) -> None:
        """Makes one update, or as many as there are new windows in a queue."""
        if self._observer is None:
            self._update_once()
            return
        if self._taken is None or self._observer.written > self._taken:
            self._observer.flush()
        if self._taken is None:
            self._taken = self._observer.written - self._replay.size  # What a checkpoint brought counts too.
        while self._taken < self._observer.written:
            self._update_once()
            self._taken += 1

    def metrics(self) -> dict[str, float]:
        """Returns the last update's loss and metrics by name.

        Raises:
          RunError: if one is not finite.
        """
        if self._found is None:
            return {}
        found = dict(zip(self._names, map(float, np.asarray(self._found))))
        wrong = [name for name, value in found.items() if not math.isfinite(value)]
        if wrong:
            raise RunError(
                f"after {int(self._agent.train_step_counter)} updates, {wrong} are not finite; resume from the last "
                "checkpoint with a lower learning_rate, or less gradient_clipping"
            )
        return found

    def priorities(self) -> Optional[np.ndarray]:
        """Returns the costs that the last update gave back to the replay, `[B]`; None where it gave none."""
        return None if self._found is None else np.asarray(self._found)[len(self._names):]

    def get_state(self) -> dict[str, Any]:
        """Returns the last update's metrics."""
        return {"names": self._names, "found": None if self._found is None else np.array(self._found)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Puts them back."""
        self._names, self._found = state["names"], state["found"]

    def _update_once(self) -> None:
        if isinstance(self._replay, LocalReplay):
            experience, info = self._replay.sample(self._batch_size)
            self._found, cost = plug(self._learn_once(experience))
            if self._observer is None and cost is not None:
                self._replay.update_priorities(info, cost.numpy())
            return
        if self._batches is None:
            self._batches = iter(self._replay.dataset(self._batch_size))
        self._found = plug(self._step())

    def _update(self) -> tf.Tensor:
        assert self._batches is not None
        experience, info = next(self._batches)
        found, cost = self._learn(experience)
        if cost is not None and not isinstance(self._replay, FifoReplay):
            self._replay.update_priorities(info, cost)
        return found

    def _learn(self, experience: Any) -> tuple[tf.Tensor, Optional[tf.Tensor]]:
        found, cost = self._agent.train(experience), None
        scalars = {"loss": tf.reduce_mean(tf.cast(found.loss, tf.float32))}
        if isinstance(self._agent, InfoNodeAgent):
            cost = found.extra["cost"]
            scalars.update(self._agent.scalars(found))
        self._names = list(scalars)
        means = tf.stack(list(scalars.values()))
        returned = cost is not None and not isinstance(self._replay, FifoReplay)
        return (tf.concat([means, cost], axis=0) if returned else means), cost
