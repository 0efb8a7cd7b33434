"""Environments by name."""
from infonodes.environments.loading import KINDS, load

__all__ = ["KINDS", "load"]
