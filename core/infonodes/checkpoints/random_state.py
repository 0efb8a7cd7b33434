"""The state of the process-wide random generators of Python and numpy."""
from __future__ import annotations

import random
from typing import Any

import numpy as np


class GlobalRandomness:
    """`random` and `numpy.random`: what code without a generator of its own draws from.

    TensorFlow's global generator has no state that could be put back; draw from stateless
    operations or a `tf.random.Generator` instead.
    """

    def get_state(self) -> dict[str, Any]:
        """Returns both states."""
        version, words, gauss = random.getstate()
        name, keys, position, has_gauss, cached = np.random.get_state()
        return {
            "python": [version, np.array(words, np.uint64), gauss],
            "numpy": [name, np.array(keys), int(position), int(has_gauss), float(cached)],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Puts both states back."""
        version, words, gauss = state["python"]
        random.setstate((version, tuple(int(word) for word in words), gauss))
        np.random.set_state(tuple(state["numpy"]))
