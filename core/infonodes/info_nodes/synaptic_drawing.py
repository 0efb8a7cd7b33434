"""Pictures of a SynapticNode's graph: networkx, Graphviz, and growth as an animation."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Sequence

import numpy as np
import tensorflow as tf

from infonodes.rules import rewiring
from infonodes.rules.synapse import Edges, Layout

if TYPE_CHECKING:
    from infonodes.info_nodes.synaptic_node import SynapticNode

_SHORT = {"input": "in", "hidden": "hid", "output": "out"}
_COLOURS = {"input": "#9db7d5", "hidden": "#dddddd", "output": "#d98200"}


class Snapshot(NamedTuple):
    """The living edges at one moment.

    Attributes:
      title: What stands above the picture.
      source: int `[X]`.
      target: int `[X]`.
      weight: `[X]`.
    """

    title: str
    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray


def snapshot(node: SynapticNode, title: str = "", on_paths: bool = False) -> Snapshot:
    """Returns the node's living edges now.

    Args:
      node: A bound node.
      title: For `save_growth`.
      on_paths: Leave out edges on no way from an input to an output.
    """
    edges = Edges(*[tf.identity(v) for v in node.edges])
    keep = edges.alive > 0.5
    if on_paths:
        found = rewiring.reach(edges, node.layout, node.layout.hidden + 1)
        keep &= ~rewiring.off_path(edges, found, grace=-1)
    keep = keep.numpy()
    return Snapshot(title, edges.source.numpy()[keep], edges.target.numpy()[keep], edges.weight.numpy()[keep])


def unit_name(layout: Layout, unit: int) -> str:
    """Returns a unit's name: `in3`, `hid0`, `out1`."""
    kind = unit_kind(layout, unit)
    first = {"input": 0, "hidden": layout.inputs, "output": layout.inputs + layout.hidden}[kind]
    return f"{_SHORT[kind]}{unit - first}"


def unit_kind(layout: Layout, unit: int) -> str:
    """Returns `input`, `hidden` or `output`."""
    if unit < layout.inputs:
        return "input"
    return "hidden" if unit < layout.inputs + layout.hidden else "output"


def to_networkx(node: SynapticNode) -> Any:
    """Returns the living graph as a `networkx.DiGraph`.

    Nodes have `kind` (`input`, `hidden`, `output`), edges `weight` and `age`; all units are there,
    joined or not.

    Args:
      node: A bound node.

    Raises:
      ImportError: without the extra `graphs`.
    """
    try:
        import networkx  # pylint: disable=g-import-not-at-top
    except ImportError as error:
        raise ImportError("to_networkx needs networkx; install it with pip install 'infonodes[graphs]'") from error
    graph = networkx.DiGraph()
    for unit in range(node.layout.units):
        graph.add_node(unit_name(node.layout, unit), kind=unit_kind(node.layout, unit))
    columns = [v.numpy() for v in (node.edges.source, node.edges.target, node.edges.weight, node.edges.age)]
    for slot in np.flatnonzero(node.edges.alive.numpy() > 0.5):
        source, target, weight, age = (column[slot] for column in columns)
        ends = unit_name(node.layout, source), unit_name(node.layout, target)
        graph.add_edge(*ends, weight=float(weight), age=int(age))
    return graph


def to_dot(node: SynapticNode, widest: float = 6.0) -> str:
    """Returns Graphviz source of what lies on ways from inputs to outputs, edges as wide as they weigh.

    Args:
      node: A bound node.
      widest: Pen width of the heaviest edge.
    """
    seen, layout = snapshot(node, on_paths=True), node.layout
    heaviest = max(float(seen.weight.max(initial=0.0)), 1e-9)
    lines = [f'digraph "{node.name}" {{', "  rankdir=LR;", "  node [shape=circle, style=filled];"]
    for unit in sorted({*seen.source.tolist(), *seen.target.tolist()}):
        colour = _COLOURS[unit_kind(layout, unit)]
        lines.append(f'  "{unit_name(layout, unit)}" [fillcolor="{colour}"];')
    for source, target, weight in zip(seen.source, seen.target, seen.weight):
        ends = f'"{unit_name(layout, source)}" -> "{unit_name(layout, target)}"'
        lines.append(f'  {ends} [penwidth={widest * weight / heaviest:.3f}, label="{weight:.2f}"];')
    return "\n".join([*lines, "}"]) + "\n"


def save_growth(layout: Layout, moments: Sequence[Snapshot], path: str, frames_per_s: int = 5) -> None:
    """Writes an animated GIF of the graph over training, a frame a snapshot.

    Args:
      layout: Numbers of units.
      moments: In order; one or more.
      path: File to write, `….gif`.
      frames_per_s: Speed.

    Raises:
      ValueError: without snapshots.
    """
    if not moments:
        raise ValueError("save_growth: expected one snapshot or more, got none; take them with snapshot(node)")
    # pylint: disable=g-import-not-at-top
    from matplotlib import animation
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_axis_off()
    place = _places(layout)
    colours = [_COLOURS[unit_kind(layout, unit)] for unit in range(layout.units)]
    axes.scatter(place[:, 0], place[:, 1], s=30, c=colours, zorder=3)
    lines = LineCollection([], colors="#333333", zorder=1)
    axes.add_collection(lines)
    heaviest = max(float(m.weight.max(initial=0.0)) for m in moments) or 1.0

    def draw(index: int) -> tuple:
        moment = moments[index]
        lines.set_segments(np.stack([place[moment.source], place[moment.target]], axis=1))
        share = moment.weight / heaviest
        lines.set_linewidth((0.2 + 3.0 * share).tolist())
        lines.set_alpha(np.clip(0.15 + share, 0.0, 1.0).tolist() or None)
        axes.set_title(f"{moment.title}: {len(moment.weight)} edges")
        return (lines,)

    film = animation.FuncAnimation(figure, draw, frames=len(moments), blit=False)
    film.save(path, writer=animation.PillowWriter(fps=frames_per_s), dpi=80)


def _places(layout: Layout) -> np.ndarray:
    """Returns where units stand, inputs left, outputs right: `[N, 2]`."""
    columns = [np.arange(layout.inputs), np.arange(layout.hidden) + layout.inputs]
    columns.append(np.arange(layout.outputs) + layout.inputs + layout.hidden)
    place = np.zeros([layout.units, 2])
    for x, column in enumerate(columns):
        place[column, 0] = x
        place[column, 1] = (np.arange(len(column)) + 0.5) / max(len(column), 1)
    return place
