"""The environment's reward as a sense."""
from __future__ import annotations

from typing import Mapping

import tensorflow as tf

from infonodes.info_nodes.info_node import SCALAR, InfoNode
from infonodes.packing import outer_shape
from infonodes.types import ENVIRONMENT, State, Tick


class RewardSensor(InfoNode):
    """Sees the reward of the last move, says it, and costs nothing.

    ```
    state  {'value': reward [], 'discount': [], 'first': [] 1 at an episode's start else 0,
            'cost': []}
    ```
    """

    def __init__(self, name: str = "reward"):
        """Builds the node.

        Args:
          name: Name of the node.
        """
        super().__init__(name, parent_names=(ENVIRONMENT,))
        self.state_spec = {"value": SCALAR, "discount": SCALAR, "first": SCALAR, "cost": SCALAR}
        self.signal_size = 1

    def _bottom_up(self, parent_states: Mapping[str, State], state: State, tick: Tick) -> State:
        seen = parent_states[ENVIRONMENT]
        reward = tf.cast(seen["reward"], tf.float32)
        return {
            "value": reward,
            "discount": tf.cast(seen["discount"], tf.float32),
            "first": tf.cast(tf.equal(seen["step_type"], 0), tf.float32),
            "cost": tf.zeros(outer_shape(reward, 1)),
        }

    def _signal(self, state: State) -> tf.Tensor:
        return state["value"][..., None]
