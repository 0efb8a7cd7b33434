"""A RunningNormaliser under two replicas; run by `test_gym_sensors.py`."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from infonodes.info_nodes.organs import gym
from infonodes.types import ENVIRONMENT, Experience

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def learn(node, observation):
    empty = dict.fromkeys(Experience._fields)
    empty.update(parents={ENVIRONMENT: {"observation": observation}})
    node.after_update(Experience(**empty), tf.constant(0))


@pytest.mark.parametrize("mean", [0.0, 1e5])
def test_replicas_share_the_statistics(mean):
    """Two replicas with half a batch each end where one with the whole ends."""
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        node = gym.BoxNode(tf.TensorSpec([1], tf.float32), normalize="running")
    frames = mean + np.array([[1.0], [2.0], [30.0], [40.0]], np.float32).reshape(2, 2, 1)
    shares = strategy.experimental_distribute_values_from_function(
        lambda c: tf.constant(frames[c.replica_id_in_sync_group][None])
    )
    run = tf.function(lambda x: strategy.run(lambda y: learn(node, y), args=(x,)))
    for _ in range(2):
        run(shares)
    np.testing.assert_allclose(node.normaliser.mean, [frames.mean()], rtol=1e-5)
    np.testing.assert_allclose(node.normaliser.variance, [frames.var()], rtol=1e-5)
