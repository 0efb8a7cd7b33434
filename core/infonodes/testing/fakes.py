"""Fake nodes and environments: the least that makes a graph run."""
from __future__ import annotations

from typing import Mapping, Optional

import numpy as np
import tensorflow as tf
import tree
from tf_agents.environments import py_environment
from tf_agents.environments import random_tf_environment as random_lib
from tf_agents.specs import array_spec, tensor_spec
from tf_agents.trajectories import time_step as ts

from infonodes.info_nodes.info_node import SCALAR, InfoNode
from infonodes.info_nodes.rows import pick_target, where_row
from infonodes.packing import outer_shape
from infonodes.types import ENVIRONMENT, Nest, Spec, State, Target, Tick


class FakeSensorNode(InfoNode):
    """Says a bare float observation as it comes, at a fixed cost a tick."""

    def __init__(self, name: str = "obs", size: int = 4, cost: float = 0.0):
        """Builds the node.

        Args:
          name: Name of the node.
          size: Features of the observation.
          cost: What each tick costs, ≥ 0.
        """
        super().__init__(name, parent_names=(ENVIRONMENT,))
        self._cost = cost
        self.state_spec = {"value": tf.TensorSpec([size], tf.float32), "cost": SCALAR}
        self.signal_size = size

    def _bottom_up(self, parent_states: Mapping[str, State], state: State, tick: Tick) -> State:
        seen = parent_states[ENVIRONMENT]["observation"]
        value = tf.reshape(tf.cast(seen, tf.float32), outer_shape(seen, 1) + [self.signal_size])
        return {"value": value, "cost": tf.fill(tf.shape(value)[:1], self._cost)}

    def _signal(self, state: State) -> tf.Tensor:
        return state["value"]


class FakeActuatorNode(InfoNode):
    """Does what it is asked within [-1, 1], else nothing; costs half of what it did squared.

    Attributes:
      key: Path of its leaf in the action nest.
    """

    def __init__(self, name: str = "act", size: int = 2, key: str = ""):
        """Builds the node.

        Args:
          name: Name of the node.
          size: Features of the action.
          key: Path of its leaf in the action nest.
        """
        super().__init__(name, control_names=(ENVIRONMENT,))
        self.key = key
        value = tf.TensorSpec([size], tf.float32)
        self.state_spec = {"value": value, "cost": SCALAR}
        self.decision_spec = {"value": value}
        self.target_spec = tensor_spec.BoundedTensorSpec([size], tf.float32, -1.0, 1.0, name)
        self.signal_size = self.control_size = size

    def _top_down(
        self,
        targets: Mapping[str, Target],
        parent_states: Mapping[str, State],
        state: State,
        tick: Tick,
    ) -> tuple[dict[str, Target], State]:
        picked = pick_target(targets, tick.seed)
        rest = tf.zeros_like(state["value"])
        value, valid = rest, tf.zeros(tf.shape(state["cost"]), tf.bool)
        if picked is not None:
            value, valid = where_row(picked.valid, self.decode(picked.value), rest), picked.valid
        if tick.modes.collect == "random" and not tick.modes.greedy:
            value = tf.random.stateless_uniform(tf.shape(value), tick.seed, -1.0, 1.0)
        cost = 0.5 * tf.reduce_sum(value**2, axis=-1)
        return {ENVIRONMENT: Target(value, valid)}, {"value": value, "cost": cost}

    def _decision(self, state: State) -> Nest:
        return {"value": state["value"]}

    def _signal(self, state: State) -> tf.Tensor:
        return state["value"]

    def _executed(self, state: State) -> tf.Tensor:
        return state["value"]

    def _encode(self, target: tf.Tensor) -> tf.Tensor:
        return target

    def _decode(self, control: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(control, -1.0, 1.0)

    def _candidates(self, state: State, count: int, seed: tf.Tensor) -> tf.Tensor:
        shape = outer_shape(state["cost"], 1) + [count, self.control_size]
        return tf.random.stateless_uniform(shape, seed, -1.0, 1.0)


class FakeEnvironment(py_environment.PyEnvironment):
    """Moderate random observations of any spec, and no mercy for actions that do not fit.

    Floats are standard normal, clipped into their bounds, and pushed a little by the
    action, so that there is something to predict; integers and booleans are uniform.
    Rewards are standard normal.
    """

    def __init__(
        self,
        observation_spec: Optional[Spec] = None,
        action_spec: Optional[Spec] = None,
        episode_length: int = 10,
        terminates: bool = True,
        seed: int = 0,
    ):
        """Builds the environment.

        Args:
          observation_spec: Nest of array specs; four unbounded floats by default.
          action_spec: Nest of bounded array specs; one of two by default.
          episode_length: Moves in an episode.
          terminates: End episodes truly (discount 0) rather than cut them off.
          seed: Fixes all that is drawn.
        """
        super().__init__(handle_auto_reset=True)
        one_of_two = array_spec.BoundedArraySpec([], np.int64, 0, 1, "action")
        self._seen = array_spec.ArraySpec([4], np.float32) if observation_spec is None else observation_spec
        self._done = one_of_two if action_spec is None else action_spec
        self._length, self._terminates = episode_length, terminates
        self._rng = np.random.default_rng(seed)
        self._tick, self._push = 0, 0.0

    @classmethod
    def continuous(cls, size: int = 1, features: int = 3, **kwargs) -> "FakeEnvironment":
        """Returns one with `size` continuous controls in [-2, 2] and `features` in [-8, 8]."""
        return cls(
            array_spec.BoundedArraySpec([features], np.float32, -8.0, 8.0, "observation"),
            array_spec.BoundedArraySpec([size], np.float32, -2.0, 2.0, "action"),
            **kwargs,
        )

    def observation_spec(self) -> Spec:
        """Returns the nest of array specs of an observation."""
        return self._seen

    def action_spec(self) -> Spec:
        """Returns the nest of array specs of an action."""
        return self._done

    def seed(self, seed: int) -> int:
        """Starts the random draws anew from `seed`."""
        self._rng = np.random.default_rng(seed)
        return seed

    def _reset(self) -> ts.TimeStep:
        self._tick, self._push = 0, 0.0
        return ts.restart(self._observe())

    def _step(self, action: Nest) -> ts.TimeStep:
        tree.assert_same_structure(self._done, action)
        tree.map_structure(_check_action, self._done, action)
        self._tick += 1
        self._push = float(sum(np.sum(np.asarray(a, np.float64)) for a in tree.flatten(action)))
        reward = np.float32(self._rng.normal())
        if self._tick < self._length:
            return ts.transition(self._observe(), reward)
        end = ts.termination if self._terminates else ts.truncation
        return end(self._observe(), reward)

    def _observe(self) -> Nest:
        return tree.map_structure(self._leaf, self._seen)

    def _leaf(self, spec: array_spec.ArraySpec) -> np.ndarray:
        low = np.broadcast_to(getattr(spec, "minimum", -np.inf), spec.shape)
        high = np.broadcast_to(getattr(spec, "maximum", np.inf), spec.shape)
        if np.issubdtype(spec.dtype, np.floating):
            value = self._rng.normal(size=spec.shape) + 0.1 * self._push
            return np.clip(value, low, high).astype(spec.dtype)
        if spec.dtype == np.bool_:
            return self._rng.integers(0, 2, size=spec.shape).astype(np.bool_)
        low, high = np.clip(low, -100, 100), np.clip(high, -100, 100)
        return np.asarray(self._rng.integers(low, high + 1), spec.dtype)


def _check_action(spec: array_spec.ArraySpec, action: np.ndarray) -> None:
    if not isinstance(action, (np.ndarray, np.generic)) or not spec.check_array(action):
        raise ValueError(f"FakeEnvironment: expected an action that fits {spec}, got {action!r}")


def moderate(spec: Spec, limit: float = 2.0) -> Spec:
    """Returns tensor specs whose samples are moderate: floats without bounds get ±`limit`.

    Samples of an unbounded float spec are ±1e38, which no agent survives.
    """

    def bound(leaf: tf.TensorSpec) -> tf.TensorSpec:
        if not leaf.dtype.is_floating:
            return leaf
        low = np.clip(getattr(leaf, "minimum", -limit), -limit, limit)
        high = np.clip(getattr(leaf, "maximum", limit), -limit, limit)
        return tensor_spec.BoundedTensorSpec(leaf.shape, leaf.dtype, low, high, leaf.name)

    return tf.nest.map_structure(bound, tensor_spec.from_spec(spec))


def random_tf_environment(
    observation_spec: Spec, action_spec: Spec, batch_size: int = 1, end_probability: float = 0.1
) -> random_lib.RandomTFEnvironment:
    """Returns TF-Agents' random environment over moderate forms of the specs."""
    return random_lib.RandomTFEnvironment(
        ts.time_step_spec(moderate(observation_spec)),
        tensor_spec.from_spec(action_spec),
        batch_size=batch_size,
        episode_end_probability=end_probability,
    )


