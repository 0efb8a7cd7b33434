"""LambdaNode: passes given as functions."""
from __future__ import annotations

from typing import Callable, Iterable, Mapping, Optional

import gin
import tensorflow as tf

from infonodes.info_nodes.info_node import SCALAR, InfoNode
from infonodes.types import Spec, State, Target, Tick

BottomUp = Callable[[Mapping[str, State], State], State]
Forward = Callable[[Mapping[str, State], State], tuple[Optional[Target], State]]
TopDown = Callable[[Mapping[str, Target], Mapping[str, State], State], tuple[dict[str, Target], State]]


@gin.configurable(module="infonodes")
class LambdaNode(InfoNode):
    """A node without parameters, for glue: a cost, a sum, a fixed wish.

    The functions take what the passes take, less the tick, and must be pure and made of
    TensorFlow operations. Anything that learns or that is used twice deserves a class.
    """

    def __init__(
        self,
        name: str,
        parent_names: Iterable[str] = (),
        bottom_up: Optional[BottomUp] = None,
        forward: Optional[Forward] = None,
        top_down: Optional[TopDown] = None,
        signal: Optional[Callable[[State], tf.Tensor]] = None,
        signal_size: int = 0,
        extra_state_spec: Optional[Mapping[str, Spec]] = None,
        neighbor_names: Iterable[str] = (),
        control_names: Iterable[str] = (),
    ):
        """Builds the node.

        Args:
          name: Name of the node.
          parent_names: Whom it reads.
          bottom_up: `(parent_states, state) -> state`; by default the state stays.
          forward: `(neighbor_states, state) -> (target for itself or None, state)`.
          top_down: `(targets, parent_states, state) -> (targets of controls, state)`.
          signal: `state -> [..., signal_size]`, what children read.
          signal_size: Width of the signal.
          extra_state_spec: Specs of the state besides `cost`.
          neighbor_names: Whom it reads sideways.
          control_names: Whom it may send targets.
        """
        super().__init__(name, parent_names, neighbor_names, control_names)
        self.state_spec = {"cost": SCALAR, **(extra_state_spec or {})}
        self.signal_size = signal_size
        self._passes = (bottom_up, forward, top_down)
        self._say = signal

    def _bottom_up(self, parent_states, state: State, tick: Tick) -> State:
        function = self._passes[0]
        return function(parent_states, state) if function else state

    def _forward(self, neighbor_states, state: State, tick: Tick):
        function = self._passes[1]
        return function(neighbor_states, state) if function else (None, state)

    def _top_down(self, targets, parent_states, state: State, tick: Tick):
        function = self._passes[2]
        return function(targets, parent_states, state) if function else ({}, state)

    def _signal(self, state: State) -> tf.Tensor:
        return self._say(state) if self._say else super()._signal(state)
