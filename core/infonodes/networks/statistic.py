"""Running statistics: variables that no optimiser steps."""
from __future__ import annotations

import tensorflow as tf


def running_statistic(initial: tf.Tensor, name: str) -> tf.Variable:
    """Returns a variable that is not trained, and averaged over replicas when they write it."""
    return tf.Variable(
        initial,
        trainable=False,
        name=name,
        synchronization=tf.VariableSynchronization.ON_WRITE,
        aggregation=tf.VariableAggregation.MEAN,
    )
