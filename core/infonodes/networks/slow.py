"""Slow copies: networks that follow others by an exponential moving average."""
from __future__ import annotations

import copy
from typing import Any, Callable

import tensorflow as tf
from tf_agents.utils import common

from infonodes.networks.flat import FlatLayer, join
from infonodes.networks.rowwise import rowwise


class Slow(tf.Module):
    """A network and the copy that follows it.

    Attributes:
      fast: The network that is trained.
      slow: Its copy; the same object if the network is a plain function.
    """

    def __init__(self, network: Callable[..., Any], rate: float, *example: tf.Tensor, name: str = "slow"):
        """Copies `network` after building it on `example` inputs.

        Args:
          network: A Keras layer, a tf.Module or a function, `[N, F]...` to `[N, ...]`.
          rate: Share of the distance the copy moves an update, in (0, 1].
          *example: Inputs of the right width.
          name: Name of the module.
        """
        super().__init__(name=name)
        self.fast = network
        self.rate = rate
        network(*example)
        self.slow = _clone(network)
        self.slow(*example)
        self.reset()

    def __call__(self, *inputs: tf.Tensor, slow: bool = False) -> Any:
        return rowwise(self.slow if slow else self.fast, *inputs)

    def reset(self) -> None:
        """Makes the copy equal to the network."""
        for source, copied in zip(_variables(self.fast), _variables(self.slow)):
            copied.assign(source)


class Followed(tf.Module):
    """Networks that one optimiser step trains alike, and whose copies follow them at one rate.

    The perceptrons among them lie in one variable, their copies in another: each variable
    costs a compiled tick 4 µs, and a train step 10.
    """

    def __init__(self, *members: Slow, name: str = "followed"):
        """Joins the weights of `members`, all of one rate."""
        super().__init__(name=name)
        self._members = members
        for side in ("fast", "slow"):
            layers = {id(layer): layer for member in members for layer in _perceptrons(getattr(member, side))}
            if len(layers) > 1:
                join(list(layers.values()))

    def reset(self) -> None:
        """Makes the copies equal to the networks."""
        for source, copied in zip(self._side("fast"), self._side("slow")):
            copied.assign(source)

    def follow(self) -> None:
        """Moves the copies towards the networks by their rate."""
        source, copied = self._side("fast"), self._side("slow")
        if source:
            common.soft_variables_update(source, copied, tau=self._members[0].rate)

    def learned(self) -> list[tf.Variable]:
        """Returns the variables that the optimiser may step: the networks', not the copies'."""
        return [v for v in self._side("fast") if v.trainable]

    def _side(self, side: str) -> list[tf.Variable]:
        found = [v for member in self._members for v in _variables(getattr(member, side))]
        return list({id(v): v for v in found}.values())


def _clone(network: Callable[..., Any]) -> Callable[..., Any]:
    if isinstance(network, tf.keras.layers.Layer):
        return type(network).from_config(network.get_config())
    return copy.deepcopy(network) if isinstance(network, tf.Module) else network


def _variables(network: Callable[..., Any]) -> list[tf.Variable]:
    return list(getattr(network, "variables", ()))


def _perceptrons(network: Callable[..., Any]) -> list[FlatLayer]:
    """Returns those of a network of ours that are joined to no others; Keras keeps account of its layers itself."""
    if isinstance(network, tf.keras.layers.Layer) or not isinstance(network, tf.Module):
        return []
    return [m for m in (network, *network.submodules) if isinstance(m, FlatLayer) and m.is_alone]
