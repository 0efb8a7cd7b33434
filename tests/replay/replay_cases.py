"""A hand-made data spec and episodes as a PyDriver would show them."""
import numpy as np
import tensorflow as tf
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import trajectory as trajectory_lib

_FIRST, _MID, _LAST = 0, 1, 2


def _scalar(dtype):
    return tf.TensorSpec([], dtype)


DATA_SPEC = trajectory_lib.Trajectory(
    step_type=_scalar(tf.int32),
    observation=tf.TensorSpec([2], tf.float32),
    action=_scalar(tf.int64),
    policy_info={
        "cost": tensor_spec.BoundedTensorSpec([], tf.float32, 0.0, 1e6),
        "packed": {"float32": tf.TensorSpec([3], tf.float32)},
    },
    next_step_type=_scalar(tf.int32),
    reward=_scalar(tf.float32),
    discount=_scalar(tf.float32),
)


def _frame(episode, index, step_type, next_step_type, cost):
    return trajectory_lib.Trajectory(
        step_type=np.int32(step_type),
        observation=np.array([episode, index], np.float32),
        action=np.int64(0),
        policy_info={
            "cost": np.float32(cost),
            "packed": {"float32": np.zeros(3, np.float32)},
        },
        next_step_type=np.int32(next_step_type),
        reward=np.float32(1.0),
        discount=np.float32(1.0),
    )


def make_episode(moves, episode=0, costs=None):
    """Returns an episode of `moves` moves: `moves` frames and the boundary frame.

    The observation holds (episode, index of the frame).
    """
    costs = [1.0] * (moves + 1) if costs is None else costs
    frames = []
    for i in range(moves):
        step_type = _FIRST if i == 0 else _MID
        next_step_type = _LAST if i == moves - 1 else _MID
        frames.append(_frame(episode, i, step_type, next_step_type, costs[i]))
    return [*frames, _frame(episode, moves, _LAST, _FIRST, costs[moves])]
