"""Gymnasium's environments as TF-Agents': one, or a batch of them."""
from infonodes.environments.gymnasium.batched import GymnasiumBatch
from infonodes.environments.gymnasium.single import GymnasiumEnvironment

__all__ = ["GymnasiumBatch", "GymnasiumEnvironment"]
