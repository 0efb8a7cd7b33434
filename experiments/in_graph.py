"""Acts and learns in loops that never leave the graph: agent, environment and learner in one function.

The collect policy acts, the environment answers, and `agent.train` learns from each move as soon
as it is made: a window of two frames, the second of which is only looked at.
"""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory

from experiments.tf_tasks import TfTask
from infonodes.agent import InfoNodeAgent
from infonodes.modes import Modes

# Most episodes of one call.
_ROOM = 1000


class Place(NamedTuple):
    """Where a loop stands.

    Attributes:
      time_step: What the policy sees next, `[1, ...]`.
      policy_state: Of the collect policy.
      world: The task's state `[X]`.
      moves: int32, of the episode.
      total: The episode's return so far.
      seed: int32 `[2]`.
    """

    time_step: ts.TimeStep
    policy_state: Any
    world: tf.Tensor
    moves: tf.Tensor
    total: tf.Tensor
    seed: tf.Tensor


def specs(task: TfTask) -> tuple[ts.TimeStep, tensor_spec.BoundedTensorSpec]:
    """Returns the time step and action specs of a task."""
    size = task.observe(task.start(tf.constant([0, 0]))).shape[0]
    action = tensor_spec.BoundedTensorSpec([], tf.int64, 0, task.actions - 1, "action")
    return ts.time_step_spec(tf.TensorSpec([size], tf.float32, "observation")), action


class Loop:
    """Trains and evaluates one agent on one task.

    Attributes:
      agent: The agent.
      steps: Moves made in training so far.
    """

    def __init__(self, agent: InfoNodeAgent, task: TfTask, shaped: bool = False, learns: bool = True,
                 jit_compile: bool = True):
        """Compiles nothing yet.

        Args:
          agent: Over `specs(task)`, with windows of two frames.
          task: The environment.
          shaped: Pay 0 a move and `task.failure` at a termination instead of the task's reward.
          learns: Whether to train at all.
          jit_compile: Compile with XLA.
        """
        self.agent, self.steps = agent, 0
        self._task, self._shaped, self._learns = task, shaped, learns
        make = lambda f: tf.function(f, jit_compile=jit_compile, autograph=False)
        self._train, self._greedy = make(self._train_loop), make(self._greedy_loop)
        self._wander = make(self._wander_loop)
        self._place: Any = None

    def start(self, seed: int) -> None:
        """Goes back to the start; the agent is left as it is."""
        tf.keras.utils.set_random_seed(seed)
        self.steps = 0
        self._place = self._begin(tf.constant([seed, 17]))

    def train(self, episodes: int) -> list[float]:
        """Returns the returns of the next `episodes` training episodes, exploration included."""
        self._place, returns, steps = self._train(self._place, tf.constant(episodes))
        self.steps += int(steps)
        return [float(r) for r in returns.numpy()[:episodes]]

    def wander(self, moves: int) -> None:
        """Trains on random moves, which do not count; nodes that learn on policy take no step from them."""
        self._place = self._wander(self._place, tf.constant(moves))

    def evaluate(self, seed: int, episodes: int = 20) -> float:
        """Returns the greedy policy's mean return over episodes that training never saw."""
        place = self._begin(tf.constant([seed, 9973]))
        return float(np.mean(self._greedy(place, tf.constant(episodes)).numpy()[:episodes]))

    # -- the loops -------------------------------------------------------------------------

    def _begin(self, seed: tf.Tensor) -> Place:
        world = self._task.start(seed)
        time_step = self._look(world, tf.constant(0), tf.constant(0.0), tf.constant(1.0))
        state = self.agent.collect_policy.get_initial_state(1)
        return Place(time_step, state, world, tf.constant(0), tf.constant(0.0), seed)

    def _look(self, world: tf.Tensor, step_type: tf.Tensor, reward: tf.Tensor, discount: tf.Tensor) -> ts.TimeStep:
        return ts.TimeStep(step_type[None], reward[None], discount[None], self._task.observe(world)[None])

    def _advance(self, place: Place, policy: Any) -> tuple[Place, Any, ts.TimeStep, tf.Tensor, tf.Tensor]:
        """One move; returns where it led (reset if it ended), what was chosen, seen, ended, and the return."""
        chosen = policy.action(place.time_step, place.policy_state)
        world, reward, terminated = self._task.step(place.world, tf.cast(chosen.action[0], tf.int32))
        moves = place.moves + 1
        ended = terminated | (moves >= self._task.limit)
        total = place.total + reward
        if self._shaped:
            reward = tf.where(terminated, self._task.failure, 0.0)
        step_type = tf.where(ended, ts.StepType.LAST, ts.StepType.MID)
        after = self._look(world, step_type, reward, tf.where(terminated, 0.0, 1.0))
        seed = tf.random.experimental.stateless_fold_in(place.seed, 1)
        fresh = self._task.start(seed)
        first = self._look(fresh, tf.constant(0), tf.constant(0.0), tf.constant(1.0))
        following = Place(
            tf.nest.map_structure(lambda a, b: tf.where(ended, a, b), first, after),
            chosen.state,
            tf.where(ended, fresh, world),
            tf.where(ended, 0, moves),
            tf.where(ended, 0.0, total),
            tf.where(ended, seed, place.seed),
        )
        return following, chosen, after, ended, total

    def _train_loop(self, place: Place, episodes: tf.Tensor) -> tuple[Place, tf.Tensor, tf.Tensor]:
        def body(place: Place, returns: tf.Tensor, done: tf.Tensor, steps: tf.Tensor) -> tuple:
            following, chosen, after, ended, total = self._advance(place, self.agent.collect_policy)
            if self._learns:
                self._learn(place, chosen, after)
            return following, _noted(returns, done, ended, total), done + tf.cast(ended, tf.int32), steps + 1

        place, returns, _, steps = tf.while_loop(
            lambda p, r, done, s: done < episodes, body, (place, tf.zeros([_ROOM]), tf.constant(0), tf.constant(0))
        )
        return place, returns, steps

    def _learn(self, place: Place, chosen: Any, after: ts.TimeStep) -> None:
        frame = trajectory.from_transition(place.time_step, chosen, after)
        looked_at = frame._replace(step_type=after.step_type, observation=after.observation)
        self.agent.train(tf.nest.map_structure(lambda a, b: tf.stack([a, b], axis=1), frame, looked_at))

    def _wander_loop(self, place: Place, moves: tf.Tensor) -> Place:
        policy = self.agent.make_policy(Modes(collect="random"))

        def body(place: Place, done: tf.Tensor) -> tuple:
            following, chosen, after, _, _ = self._advance(place, policy)
            self._learn(place, chosen, after)
            return following, done + 1

        return tf.while_loop(lambda p, done: done < moves, body, (place, tf.constant(0)))[0]

    def _greedy_loop(self, place: Place, episodes: tf.Tensor) -> tf.Tensor:
        def body(place: Place, returns: tf.Tensor, done: tf.Tensor) -> tuple:
            following, _, _, ended, total = self._advance(place, self.agent.policy)
            return following, _noted(returns, done, ended, total), done + tf.cast(ended, tf.int32)

        start = (place, tf.zeros([_ROOM]), tf.constant(0))
        return tf.while_loop(lambda p, r, done: done < episodes, body, start)[1]


def _noted(returns: tf.Tensor, done: tf.Tensor, ended: tf.Tensor, total: tf.Tensor) -> tf.Tensor:
    return tf.where((tf.range(_ROOM) == done) & ended, total, returns)
