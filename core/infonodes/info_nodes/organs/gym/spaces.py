"""From an environment's specs to sensors and actuators."""
from __future__ import annotations

import re
from typing import Any, Optional

import numpy as np
import tensorflow as tf
import tree
from tf_agents.specs import array_spec, tensor_spec

from infonodes.info_nodes.organs.gym.base import GymSpaceNode, spec_bounds
from infonodes.info_nodes.organs.gym.box import BoxNode
from infonodes.info_nodes.organs.gym.discrete import DiscreteNode
from infonodes.info_nodes.organs.gym.multi_binary import MultiBinaryNode
from infonodes.info_nodes.organs.gym.multi_discrete import MultiDiscreteNode
from infonodes.types import GraphError, Spec, leaf_key


def sensors(
    observation_spec: Spec, prefix: str = "obs", normalize: Optional[str] = "auto"
) -> list[GymSpaceNode]:
    """Returns a sensor for each leaf of an observation nest, in the nest's order.

    Args:
      observation_spec: Nest of array or tensor specs, without outer dimensions.
      prefix: Name of a bare leaf's node, and start of the others': `obs_a_0`.
      normalize: What `BoxNode`s do with floats.

    Raises:
      GraphError: naming the leaf that no node can see.
    """
    return _nodes(observation_spec, prefix, "sensor", normalize)


def actuators(action_spec: Spec, prefix: str = "act") -> list[GymSpaceNode]:
    """Returns an actuator for each leaf of an action nest, in the nest's order.

    Args:
      action_spec: Nest of bounded array or tensor specs, without outer dimensions.
      prefix: Name of a bare leaf's node, and start of the others': `act_a_0`.

    Raises:
      GraphError: naming the leaf that no node can do.
    """
    return _nodes(action_spec, prefix, "actuator", None)


def _nodes(spec: Spec, prefix: str, type_: str, normalize: Optional[str]) -> list[GymSpaceNode]:
    nodes: list[GymSpaceNode] = []
    taken: set[str] = set()
    for path, leaf in tree.flatten_with_path(spec):
        key = leaf_key(path)
        words = [re.sub(r"\W", "_", str(p), flags=re.ASCII) for p in path]
        name = _unique("_".join([prefix, *words]), taken)
        taken.add(name)
        nodes.append(_node(_tensor_spec(leaf, key), type_, key, name, normalize))
    return nodes


def _unique(name: str, taken: set[str]) -> str:
    number, unique = 2, name
    while unique in taken:
        number, unique = number + 1, f"{name}_{number}"
    return unique


def _tensor_spec(leaf: Any, key: str) -> tf.TensorSpec:
    fits = isinstance(leaf, (tf.TensorSpec, array_spec.ArraySpec))
    dtype = tf.as_dtype(leaf.dtype) if fits else None
    if not fits or not (dtype.is_floating or dtype.is_integer or dtype.is_bool):
        raise GraphError(
            f"leaf {key!r} is {leaf}: expected a spec of floats, integers or booleans; leave it "
            "out with observation_to_dict, or turn it into numbers there or in a wrapper"
        )
    spec = leaf if isinstance(leaf, tf.TensorSpec) else tensor_spec.from_spec(leaf)
    if not spec.shape.is_fully_defined():
        raise GraphError(f"leaf {key!r} has shape {spec.shape}: expected all sizes known; pad it")
    return spec


def _node(
    spec: tf.TensorSpec, type_: str, key: str, name: str, normalize: Optional[str]
) -> GymSpaceNode:
    """Chooses the class by dtype, shape and bounds."""
    low, high = spec_bounds(spec)
    binary = np.all(low == 0) and np.all(high == 1)
    if spec.dtype.is_bool or (spec.dtype.is_integer and spec.shape.rank and binary):
        return MultiBinaryNode(spec, type_, key, name)
    image = spec.dtype == tf.uint8 and spec.shape.rank and np.all(high - low == 255)
    if spec.dtype.is_floating or image:
        return BoxNode(spec, type_, key, name, normalize)
    if spec.shape.rank == 0:
        return DiscreteNode(spec, type_, key, name)
    return MultiDiscreteNode(spec, type_, key, name)
