"""infonodes: TF-Agents agents made of a graph of small predictive nodes."""
from infonodes import presets, replay
from infonodes.agent import InfoNodeAgent
from infonodes.graph import NodeGraph
from infonodes.modes import Modes
from infonodes.policy import InfoNodePolicy

__all__ = ["InfoNodeAgent", "InfoNodePolicy", "Modes", "NodeGraph", "presets", "replay"]
__version__ = "0.1.0"
