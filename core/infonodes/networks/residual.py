"""Networks that say what changes, not what is."""
from __future__ import annotations

from typing import Callable, Optional

import tensorflow as tf

from infonodes.networks.mlp import layer_norm, simnorm, simplex_size

# A feature below this is at 0 for a simplex; its logarithm would be as good as minus infinity.
_FLOOR = 1e-4


class Residual(tf.Module):
    """Moves a latent by what a network makes of it and of further inputs, and normalises the result.

    ```
    layernorm   layer_norm(z + change)
    simnorm     simnorm(log z + change)     on simplices: the same, in their logarithms
    ```

    With no change a normalised latent stays as it is, so that a model need not learn to copy what a move leaves alone.
    """

    def __init__(self, network: Callable[..., tf.Tensor], norm: str, name: Optional[str] = None):
        """Wraps.

        Args:
          network: z and the further inputs to the change `[..., D]`.
          norm: `simnorm` or `layernorm`, as z is normalised.
          name: Name of the module.
        """
        super().__init__(name)
        self.network, self._norm = network, norm

    def __call__(self, z: tf.Tensor, *inputs: tf.Tensor) -> tf.Tensor:
        """Returns z' `[..., D]` from z `[..., D]` and inputs `[..., U]`."""
        change = self.network(z, *inputs)
        if self._norm == "layernorm":
            return layer_norm(z + change)
        return simnorm(tf.math.log(z + _FLOOR) + change, simplex_size(z.shape[-1]))
