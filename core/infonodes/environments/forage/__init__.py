"""Forage: stay alive on a torus with two foods, poison, a cold night and a shelter.

`world` is the world as pure functions, for numpy and TensorFlow alike; `ForagePyEnvironment` and
`ForageTFEnvironment` are thin around it.
"""
from infonodes.environments.forage.py_form import ForagePyEnvironment
from infonodes.environments.forage.tf_form import ForageTFEnvironment
from infonodes.environments.forage.world import ACTIONS, ForageSettings

__all__ = ["ACTIONS", "ForagePyEnvironment", "ForageSettings", "ForageTFEnvironment"]
