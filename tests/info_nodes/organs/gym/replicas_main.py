"""A RunningNormaliser under two replicas; run by `test_gym_sensors.py`."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from infonodes.info_nodes.organs import gym
from infonodes.networks import statistic
from infonodes.types import ENVIRONMENT, Experience

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def learn(node, observation):
    empty = dict.fromkeys(Experience._fields)
    empty.update(parents={ENVIRONMENT: {"observation": observation}})
    node.after_update(Experience(**empty), tf.constant(0))


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("mean", [0.0, 1e5])
def test_replicas_share_the_statistics(mean, joined):
    """Two replicas with half a batch each end where one with the whole ends; others in the variable stay."""
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        node = gym.BoxNode(tf.TensorSpec([1], tf.float32), normalize="running")
        other = statistic.Statistic(tf.constant([7.0, 8.0]), "other")
        if joined:
            statistic.join([other, *[m for m in node.submodules if isinstance(m, statistic.Statistic)]])
    frames = mean + np.array([[1.0], [2.0], [30.0], [40.0]], np.float32).reshape(2, 2, 1)
    shares = strategy.experimental_distribute_values_from_function(
        lambda c: tf.constant(frames[c.replica_id_in_sync_group][None])
    )
    run = tf.function(lambda x: strategy.run(lambda y: learn(node, y), args=(x,)))
    for _ in range(2):
        run(shares)
    np.testing.assert_allclose(node.normaliser.mean.value, [frames.mean()], rtol=1e-5)
    np.testing.assert_allclose(node.normaliser.variance.value, [frames.var()], rtol=1e-5)
    np.testing.assert_array_equal(other.value, [7.0, 8.0])
