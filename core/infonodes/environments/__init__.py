"""Environments by name."""
from infonodes.environments.loading import KINDS, load, untimed

__all__ = ["KINDS", "load", "untimed"]
