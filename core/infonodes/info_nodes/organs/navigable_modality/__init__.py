"""Data too large to see at once, and a cursor that looks at a part: text, sound, image, graph.

```
text = NavigableText("text", length=240, vocabulary=12, window=9, max_speed=8)
nodes = [*text.info_nodes, RLNode("eye", ("text_data", "text_loc"), "text_loc", presets.dqn()), …]
```
"""
from infonodes.info_nodes.organs.navigable_modality.base import SymbolWorkspaceNode
from infonodes.info_nodes.organs.navigable_modality.graph import NavigableGraph
from infonodes.info_nodes.organs.navigable_modality.grid import (
    NavigableAudio,
    NavigableGrid,
    NavigableImage,
    NavigableText,
)
from infonodes.info_nodes.organs.navigable_modality.settings import WorkspaceSettings

__all__ = [
    "NavigableAudio",
    "NavigableGraph",
    "NavigableGrid",
    "NavigableImage",
    "NavigableText",
    "SymbolWorkspaceNode",
    "WorkspaceSettings",
]
