"""Networks on rows: any outer dimensions around layers that know one."""
from __future__ import annotations

from typing import Callable

import tensorflow as tf

from infonodes.packing import outer_shape


def rowwise(network: Callable[..., tf.Tensor], *inputs: tf.Tensor) -> tf.Tensor:
    """Applies `network` (`[N, F]...` to `[N, ...]`) to inputs `[..., F]` of the same outer shape.

    Built Keras layers fix the rank that they first saw.
    """
    rank = inputs[0].shape.rank - 1
    if rank == 1:
        return network(*inputs)
    outer = outer_shape(inputs[0], rank)
    out = network(*[tf.reshape(x, [-1, x.shape[-1]]) for x in inputs])
    return tf.reshape(out, outer + out.shape[1:].as_list())
