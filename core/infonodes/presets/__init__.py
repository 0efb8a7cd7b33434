"""Ready agents from an environment's specs alone."""
from __future__ import annotations

from typing import Callable

from infonodes.agent import InfoNodeAgent
from infonodes.presets.growing import QUEUE_WINDOW, REWIRING, synaptic
from infonodes.presets.living import MINDS, embodied
from infonodes.presets.makers import LEARNING_RATE, dqn, sac
from infonodes.presets.parts import WINDOW
from infonodes.presets.predicting import BEST, MEMORY, SHORT_WINDOW, hierarchical, planning, predictive
from infonodes.presets.reacting import PAIR, reactive
from infonodes.presets.reading import ANSWER, EYE, reader

PRESETS: dict[str, Callable[..., InfoNodeAgent]] = {
    "reactive": reactive,
    "predictive": predictive,
    "hierarchical": hierarchical,
    "planning": planning,
    "synaptic": synaptic,
    "embodied": embodied,
    "reader": reader,
}

# Frames of a replayed window, where none are named; a mind with memory, and one that reacts, have their own.
WINDOWS = {
    **dict.fromkeys(PRESETS, WINDOW), "reactive": PAIR, "predictive": SHORT_WINDOW, "planning": SHORT_WINDOW,
    "synaptic": QUEUE_WINDOW,
}

__all__ = [
    "ANSWER", "BEST", "EYE", "LEARNING_RATE", "MEMORY", "MINDS", "PRESETS", "REWIRING", "WINDOW", "WINDOWS", "dqn",
    "embodied", "hierarchical", "planning", "predictive", "reactive", "reader", "sac", "synaptic",
]
