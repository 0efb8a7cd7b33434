"""Grids with a window that a cursor moves: text, sound, image, or any number of axes."""
from infonodes.info_nodes.organs.navigable_modality.grid.audio import NavigableAudio
from infonodes.info_nodes.organs.navigable_modality.grid.base import NavigableGrid
from infonodes.info_nodes.organs.navigable_modality.grid.image import NavigableImage
from infonodes.info_nodes.organs.navigable_modality.grid.text import NavigableText

__all__ = ["NavigableAudio", "NavigableGrid", "NavigableImage", "NavigableText"]
