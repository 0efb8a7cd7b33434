"""Gymnasium's spaces as TF-Agents' specs, and values from the one to the other."""
from __future__ import annotations

from typing import Any, Callable

import numpy as np
from gymnasium import spaces
from tf_agents.specs import array_spec

from infonodes.types import Nest, Spec


def spec_of(space: spaces.Space, path: str) -> Spec:
    """Returns the spec of a space; a dict or a tuple of specs for a `Dict` or a `Tuple`.

    Discrete values are counted from 0, whatever the space's `start`, as TF-Agents' networks
    want them.

    Args:
      space: The space.
      path: What errors call it, such as `observation`.

    Raises:
      TypeError: naming the path, for a space without a fixed shape (Text, Sequence, Graph, OneOf).
    """
    if isinstance(space, spaces.Dict):
        return {key: spec_of(part, f"{path}/{key}") for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(spec_of(part, f"{path}/{i}") for i, part in enumerate(space.spaces))
    bounded = lambda dtype, low, high: array_spec.BoundedArraySpec(space.shape, dtype, low, high, name=path)
    if isinstance(space, spaces.Box):
        return bounded(space.dtype, space.low, space.high)
    if isinstance(space, spaces.Discrete):
        return bounded(np.int64, 0, np.asarray(space.n) - 1)
    if isinstance(space, spaces.MultiDiscrete):
        return bounded(space.dtype, np.zeros_like(space.nvec), space.nvec - 1)
    if isinstance(space, spaces.MultiBinary):
        return bounded(np.int8, 0, 1)
    raise TypeError(
        f"{path}: {space} has no fixed shape and dtype; expected Box, Discrete, MultiDiscrete, MultiBinary, or a Dict "
        "or Tuple of them. Wrap the environment: gymnasium.wrappers.TransformObservation, TransformAction"
    )


def seen(space: spaces.Space, spec: Spec, value: Any) -> Nest:
    """Returns an observation of a space, one or a batch, as its spec has it."""
    return _matched(space, spec, value, lambda part, leaf, x: np.asarray(x - _start(part), leaf.dtype))


def asked(space: spaces.Space, spec: Spec, value: Nest) -> Any:
    """Returns an action that fits a spec, one or a batch, as its space has it."""
    return _matched(space, spec, value, lambda part, leaf, x: np.asarray(x, leaf.dtype) + _start(part))


def _start(space: spaces.Space) -> Any:
    start = getattr(space, "start", None)
    return 0 if start is None else start


def _matched(
    space: spaces.Space, spec: Spec, value: Any, convert: Callable[[spaces.Space, Any, Any], Any]
) -> Any:
    if isinstance(space, spaces.Dict):
        return {k: _matched(part, spec[k], value[k], convert) for k, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(_matched(*parts, convert) for parts in zip(space.spaces, spec, value))
    return convert(space, spec, value)

