"""Smoke: TF-Agents' PyDriver feeds an observer, one environment and batched."""
import numpy as np
import pytest
import tensorflow as tf
from tf_agents.drivers import py_driver
from tf_agents.environments import batched_py_environment, random_py_environment
from tf_agents.policies import random_py_policy
from tf_agents.specs import array_spec, tensor_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory as trajectory_lib

from infonodes.replay import CostPrioritizedReplay

_INFO = {
    "cost": array_spec.BoundedArraySpec([], np.float32, 0.0, 1e3),
    "packed": {"float32": array_spec.BoundedArraySpec([3], np.float32, -1.0, 1.0)},
}


def _environment(seed):
    return random_py_environment.RandomPyEnvironment(
        array_spec.BoundedArraySpec([2], np.float32, -1.0, 1.0),
        array_spec.BoundedArraySpec([], np.int64, 0, 1),
        episode_end_probability=0.2,
        seed=seed,
    )


def _data_spec(environment):
    """As an agent holds it: in a `tf.Module`, which wraps its dicts."""
    holder = tf.Module()
    step = environment.time_step_spec()
    holder.spec = tensor_spec.from_spec(trajectory_lib.Trajectory(
        step.step_type, step.observation, environment.action_spec(), dict(_INFO),
        step.step_type, step.reward, step.discount,
    ))
    return holder.spec


@pytest.mark.parametrize("batch_size", [None, 3])
def test_driver_to_dataset(batch_size):
    if batch_size is None:
        environment = _environment(0)
    else:
        environment = batched_py_environment.BatchedPyEnvironment(
            [_environment(i) for i in range(batch_size)]
        )
    policy = random_py_policy.RandomPyPolicy(
        environment.time_step_spec(), environment.action_spec(), info_spec=_INFO
    )
    with CostPrioritizedReplay(_data_spec(environment), 3) as replay:
        observer = replay.observer(batch_size=batch_size)
        driver = py_driver.PyDriver(environment, policy, [observer], max_steps=200)
        driver.run(environment.reset())
        observer.flush()
        trajectory, _ = next(iter(replay.dataset(64)))
        ends = trajectory.step_type.numpy() == ts.StepType.LAST
        # A LAST frame is followed by nothing but its own repetition.
        np.testing.assert_array_equal(ends, np.maximum.accumulate(ends, axis=1))
        assert ends.any()
        assert type(trajectory) is trajectory_lib.Trajectory
