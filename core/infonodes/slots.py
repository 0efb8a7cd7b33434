"""An optimiser's own variables, before its first step makes them."""
from __future__ import annotations

from typing import Any, Sequence

import tensorflow as tf

OPTIMIZERS = (tf.keras.optimizers.legacy.Optimizer, tf.keras.optimizers.Optimizer, tf.compat.v1.train.Optimizer)


def create(optimizer: Any, variables: Sequence[tf.Variable]) -> None:
    """Has `optimizer` make what it keeps for `variables`; those it has made before stay.

    A compiled function cannot make variables, and a checkpoint restores those that are there.
    """
    for name in ("_create_all_weights", "build", "_create_slots"):  # legacy, Keras, compat.v1
        if variables and hasattr(optimizer, name):
            getattr(optimizer, name)(list(variables))
            return
