"""Sensors and actuators for gym's spaces: one node for each leaf of a spec.

```
nodes = [*gym.sensors(time_step_spec.observation), *gym.actuators(action_spec)]
```

| leaf | node | sensor says | actuator's code |
| --- | --- | --- | --- |
| floats | `BoxNode` | bounds as [-1, 1]; scaled by the greatest met where a range exceeds 100 | bounds as [-1, 1] |
| uint8, 0 to 255, rank 1 or more | `BoxNode` | value / 255, flat | bounds as [-1, 1], rounded |
| integer | `DiscreteNode` | one-hot | one-hot |
| integers of bounds 0 and 1, booleans | `MultiBinaryNode` | -1 or 1 | -1 or 1 |
| other integers | `MultiDiscreteNode` | joined one-hots | joined one-hots |
"""
from infonodes.info_nodes.organs.gym.base import GymSpaceNode
from infonodes.info_nodes.organs.gym.box import BoxNode
from infonodes.info_nodes.organs.gym.discrete import DiscreteNode
from infonodes.info_nodes.organs.gym.multi_binary import MultiBinaryNode
from infonodes.info_nodes.organs.gym.multi_discrete import MultiDiscreteNode
from infonodes.info_nodes.organs.gym.reward import RewardSensor
from infonodes.info_nodes.organs.gym.spaces import actuators, sensors

__all__ = [
    "BoxNode",
    "DiscreteNode",
    "GymSpaceNode",
    "MultiBinaryNode",
    "MultiDiscreteNode",
    "RewardSensor",
    "actuators",
    "sensors",
]
