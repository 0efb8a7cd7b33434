"""Around a leak of TensorFlow's eager tensors."""
from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf

_LEAKS = sys.version_info >= (3, 11)
_SHARED: dict[str, Any] = {}


def plug(nest: Any) -> Any:
    """Keeps eager tensors from leaving memory behind when they are freed; leaves others as they are.

    From Python 3.11 on, an `EagerTensor` that dies does not free the table of its instance attributes, 16 to 64 bytes
    (https://github.com/tensorflow/tensorflow/issues/62551): at a few hundred calls a second, megabytes a minute. Those
    given one table that all share have none to leave behind.

    Args:
      nest: Of tensors that are made anew at each turn of a loop, and that nobody sets attributes on: one that is set
        on any of them is seen on all.

    Returns:
      `nest`.
    """
    if _LEAKS and tf.executing_eagerly():
        for leaf in tf.nest.flatten(nest):
            if isinstance(leaf, tf.Tensor):
                leaf.__dict__ = _SHARED
    return nest
