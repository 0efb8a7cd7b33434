"""Three of gym's classic tasks as TensorFlow functions, for loops that never leave the graph.

Dynamics, rewards, ends and first states are those of gym 0.23 (`gym/envs/classic_control`);
tests compare them with gym step by step.
"""
from __future__ import annotations

import dataclasses
import math
from typing import Callable

import tensorflow as tf

Step = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class TfTask:
    """One environment; states and observations are single, without batch dimension.

    Attributes:
      gym_id: Whose dynamics it has.
      start: int32 `[2]` seed to first state `[X]`.
      step: state `[X]`, action int32 to (state, reward, whether it terminated).
      observe: state `[X]` to observation `[D]`.
      actions: How many there are.
      limit: Moves until an episode is cut off.
      ranges: (low, high) of each feature, by hand.
      failure: Reward of the alternative form: 0 a move and this at a termination.
    """

    gym_id: str
    start: Callable[[tf.Tensor], tf.Tensor]
    step: Step
    observe: Callable[[tf.Tensor], tf.Tensor]
    actions: int
    limit: int
    ranges: tuple[tuple[float, float], ...]
    failure: float = -1.0


def _uniform(size: int, low: float, high: float) -> Callable[[tf.Tensor], tf.Tensor]:
    return lambda seed: tf.random.stateless_uniform([size], seed, low, high)


def _cartpole_step(state: tf.Tensor, action: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    x, x_dot, theta, theta_dot = tf.unstack(state)
    force = tf.where(action > 0, 10.0, -10.0)
    cos, sin = tf.cos(theta), tf.sin(theta)
    pull = (force + 0.05 * theta_dot**2 * sin) / 1.1
    theta_acc = (9.8 * sin - cos * pull) / (0.5 * (4.0 / 3.0 - 0.1 * cos**2 / 1.1))
    x_acc = pull - 0.05 * theta_acc * cos / 1.1
    after = tf.stack([x + 0.02 * x_dot, x_dot + 0.02 * x_acc, theta + 0.02 * theta_dot, theta_dot + 0.02 * theta_acc])
    fell = (tf.abs(after[0]) > 2.4) | (tf.abs(after[2]) > 12 * 2 * math.pi / 360)
    return after, tf.constant(1.0), fell


def _mountain_car_step(state: tf.Tensor, action: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    place, speed = tf.unstack(state)
    speed += (tf.cast(action, tf.float32) - 1.0) * 0.001 - tf.cos(3.0 * place) * 0.0025
    speed = tf.clip_by_value(speed, -0.07, 0.07)
    place = tf.clip_by_value(place + speed, -1.2, 0.6)
    speed = tf.where((place <= -1.2) & (speed < 0.0), 0.0, speed)
    return tf.stack([place, speed]), tf.constant(-1.0), (place >= 0.5) & (speed >= 0.0)


def _acrobot_slope(state: tf.Tensor, torque: tf.Tensor) -> tf.Tensor:
    theta1, theta2, dtheta1, dtheta2 = tf.unstack(state)
    # Masses, lengths and moments of inertia are 1, centres of mass at 0.5, as in gym's "book" form.
    d1 = 0.25 + (1.0 + 0.25 + tf.cos(theta2)) + 2.0
    d2 = 0.25 + 0.5 * tf.cos(theta2) + 1.0
    phi2 = 0.5 * 9.8 * tf.cos(theta1 + theta2 - math.pi / 2)
    phi1 = -0.5 * dtheta2**2 * tf.sin(theta2) - dtheta2 * dtheta1 * tf.sin(theta2)
    phi1 += 1.5 * 9.8 * tf.cos(theta1 - math.pi / 2) + phi2
    ddtheta2 = torque + d2 / d1 * phi1 - 0.5 * dtheta1**2 * tf.sin(theta2) - phi2
    ddtheta2 /= 0.25 + 1.0 - d2**2 / d1
    ddtheta1 = -(d2 * ddtheta2 + phi1) / d1
    return tf.stack([dtheta1, dtheta2, ddtheta1, ddtheta2])


def _acrobot_step(state: tf.Tensor, action: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    torque, dt = tf.cast(action, tf.float32) - 1.0, 0.2
    k1 = _acrobot_slope(state, torque)
    k2 = _acrobot_slope(state + dt / 2 * k1, torque)
    k3 = _acrobot_slope(state + dt / 2 * k2, torque)
    k4 = _acrobot_slope(state + dt * k3, torque)
    theta1, theta2, dtheta1, dtheta2 = tf.unstack(state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    wrap = lambda x: tf.math.floormod(x + math.pi, 2 * math.pi) - math.pi
    dtheta1 = tf.clip_by_value(dtheta1, -4 * math.pi, 4 * math.pi)
    dtheta2 = tf.clip_by_value(dtheta2, -9 * math.pi, 9 * math.pi)
    after = tf.stack([wrap(theta1), wrap(theta2), dtheta1, dtheta2])
    up = -tf.cos(after[0]) - tf.cos(after[0] + after[1]) > 1.0
    return after, tf.where(up, 0.0, -1.0), up


def _acrobot_observe(state: tf.Tensor) -> tf.Tensor:
    cos, sin = tf.cos(state), tf.sin(state)
    return tf.stack([cos[0], sin[0], cos[1], sin[1], state[2], state[3]])


TASKS = {
    "cartpole": TfTask(
        "CartPole-v1", _uniform(4, -0.05, 0.05), _cartpole_step, lambda s: s, 2, 500,
        ((-2.4, 2.4), (-2.0, 2.0), (-0.21, 0.21), (-2.0, 2.0)),
    ),
    "acrobot": TfTask(
        "Acrobot-v1", _uniform(4, -0.1, 0.1), _acrobot_step, _acrobot_observe, 3, 500,
        ((-1.0, 1.0),) * 4 + ((-4 * math.pi, 4 * math.pi), (-9 * math.pi, 9 * math.pi)),
    ),
    "mountain_car": TfTask(
        "MountainCar-v0",
        lambda seed: tf.concat([tf.random.stateless_uniform([1], seed, -0.6, -0.4), tf.zeros([1])], 0),
        _mountain_car_step, lambda s: s, 3, 200, ((-1.2, 0.6), (-0.07, 0.07)),
    ),
}
