"""What users test their own nodes with: a contract, fake nodes, fake environments.

```
from infonodes import testing

class TestMyNode(testing.NodeContract):
    node_name = "mine"

    def make_nodes(self):
        return [testing.FakeSensorNode("obs"), MyNode("mine", ("obs",))]
```
"""
from infonodes.testing.contract import NodeContract
from infonodes.testing.fakes import (
    FakeActuatorNode,
    FakeEnvironment,
    FakeSensorNode,
    moderate,
    random_tf_environment,
)
from infonodes.testing.trajectories import trajectory_of

__all__ = [
    "FakeActuatorNode",
    "FakeEnvironment",
    "FakeSensorNode",
    "NodeContract",
    "moderate",
    "random_tf_environment",
    "trajectory_of",
]
