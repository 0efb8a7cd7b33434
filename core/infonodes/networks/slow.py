"""Slow copies: networks that follow others by an exponential moving average."""
from __future__ import annotations

import copy
from typing import Any, Callable

import tensorflow as tf
from tf_agents.utils import common

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

    def follow(self) -> None:
        """Moves the copy towards the network by `rate`."""
        source, copied = _variables(self.fast), _variables(self.slow)
        if source:
            common.soft_variables_update(source, copied, tau=self.rate)

    def learned(self) -> list[tf.Variable]:
        """Returns the variables that the optimiser may step: the network's, not the copy's."""
        return [v for v in _variables(self.fast) if v.trainable]


def _clone(network: Callable[..., Any]) -> Callable[..., Any]:
    if isinstance(network, tf.keras.layers.Layer):
        return type(network).from_config(network.get_config())
    return copy.deepcopy(network) if isinstance(network, tf.Module) else network


def _variables(network: Callable[..., Any]) -> list[tf.Variable]:
    return list(getattr(network, "variables", ()))
