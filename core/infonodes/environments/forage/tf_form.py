"""Forage as a TensorFlow environment: many bodies in one graph."""
from __future__ import annotations

import types
from typing import Any, Optional

import numpy as np
import tensorflow as tf
from tf_agents.environments import tf_environment
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from infonodes.environments.forage import py_form, world
from infonodes.environments.forage.world import ForageSettings

# What `world` needs of an array library besides operators.
TENSORS = types.SimpleNamespace(
    argmin=lambda x: tf.argmin(x, axis=-1, output_type=tf.int32),
    cast=lambda x, dtype: tf.cast(x, tf.as_dtype(dtype)),
    concat=lambda xs: tf.concat(xs, axis=-1),
    cos=tf.cos,
    matmul=lambda a, b: tf.matmul(a, tf.constant(b)),
    pick=lambda x, i: tf.gather(x, i, axis=1, batch_dims=1),
    sin=tf.sin,
    take=lambda table, i: tf.gather(tf.constant(table), i),
    where=tf.where,
)


class ForageTFEnvironment(tf_environment.TFEnvironment):
    """A batch of bodies, each in a world of its own; a step after an end starts an episode.

    The state is kept in variables, so that TF-Agents' in-graph drivers can run it; `advance` is
    the same step as a pure function.

    Attributes:
      settings: Of the world.
    """

    def __init__(
        self, settings: ForageSettings = ForageSettings(), batch_size: int = 1, seed: Optional[int] = None
    ):
        """Builds the environment.

        Args:
          settings: Of the world.
          batch_size: B.
          seed: Fixes all it draws; None draws one.
        """
        observation = tensor_spec.from_spec(py_form.observation_spec())
        super().__init__(ts.time_step_spec(observation), tensor_spec.from_spec(py_form.action_spec()), batch_size)
        self.settings = settings
        self._cells = world.item_count(settings)
        number = int(np.random.default_rng(seed).integers(2**31))
        self._key = tf.Variable([number, 0], dtype=tf.int32, trainable=False, name="forage_key")
        keep = lambda x: tf.Variable(x, trainable=False)
        self._state = tf.nest.map_structure(keep, self._fresh(tf.constant([number, 0])))
        self._time_step = tf.nest.map_structure(keep, ts.restart(self._seen(self._state), batch_size))

    # -- pure ----------------------------------------------------------------------------

    def advance(
        self, state: world.WorldState, over: tf.Tensor, action: tf.Tensor, key: tf.Tensor
    ) -> tuple[world.WorldState, ts.TimeStep, tf.Tensor]:
        """Makes one step of all bodies; those whose episode is over start anew instead.

        Args:
          state: Before it, `[B, ...]`.
          over: Whether the last step ended the episode, bool `[B]`.
          action: int32 `[B]`.
          key: int32 `[2]`, seed of what is drawn.

        Returns:
          The state, the time step, and the price of the actions by the list, `[B]`.
        """
        keys = tf.random.experimental.stateless_split(key, 2)
        shape = [self.batch_size, self._cells, 2]
        cells = tf.random.stateless_uniform(shape, keys[0], 0, self.settings.size, tf.int32)
        found = world.step(TENSORS, self.settings, state, tf.cast(action, tf.int32), cells)
        either = lambda f, s: tf.where(tf.reshape(over, [-1] + [1] * (f.shape.rank - 1)), f, s)
        after = tf.nest.map_structure(either, self._fresh(keys[1]), found.state)
        alive = tf.cast(~found.starved & ~over, tf.float32)
        ended = tf.where(found.starved | found.cut, ts.StepType.LAST, ts.StepType.MID)
        time_step = ts.TimeStep(
            tf.where(over, ts.StepType.FIRST, tf.cast(ended, tf.int32)),
            alive,
            tf.where(found.starved & ~over, 0.0, 1.0),
            self._seen(after),
        )
        return after, time_step, tf.where(over, 0.0, found.spent)

    def _fresh(self, key: tf.Tensor) -> world.WorldState:
        shape = [self.batch_size, 2 + self._cells, 2]
        cells = tf.random.stateless_uniform(shape, key, 0, self.settings.size, tf.int32)
        return world.restart(TENSORS, self.settings, cells)

    def _seen(self, state: Any) -> dict[str, tf.Tensor]:
        state = world.WorldState(*(tf.convert_to_tensor(leaf) for leaf in state))
        return world.observe(TENSORS, self.settings, state)

    # -- TFEnvironment ---------------------------------------------------------------------

    def _current_time_step(self) -> ts.TimeStep:
        return tf.nest.map_structure(tf.identity, self._time_step)

    def _reset(self) -> ts.TimeStep:
        self._store(self._fresh(self._next_key()))
        return self._stamp(ts.restart(self._seen(self._state), self.batch_size))

    def _step(self, action: tf.Tensor) -> ts.TimeStep:
        over = tf.equal(self._time_step.step_type, ts.StepType.LAST)
        state = world.WorldState(*(tf.identity(leaf) for leaf in self._state))
        after, time_step, _ = self.advance(state, over, action, self._next_key())
        self._store(after)
        return self._stamp(time_step)

    def _next_key(self) -> tf.Tensor:
        self._key.assign_add([0, 1])
        return tf.identity(self._key)

    def _store(self, state: world.WorldState) -> None:
        tf.nest.map_structure(lambda variable, value: variable.assign(value), self._state, state)

    def _stamp(self, time_step: ts.TimeStep) -> ts.TimeStep:
        tf.nest.map_structure(lambda variable, value: variable.assign(value), self._time_step, time_step)
        return tf.nest.map_structure(tf.identity, self._time_step)
