"""Pictures of a graph: text, Mermaid, DOT, and PNG."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, BinaryIO, Callable, Iterable, Mapping, NamedTuple, Optional, Union

from infonodes.types import ENVIRONMENT

if TYPE_CHECKING:
    from infonodes.graph import NodeGraph

# What each kind of edge means, its drawing, and the arrow's way.
_MERMAID = {"parent": "-->", "control": "-.->", "neighbor": "-.-", "energy": "==>"}
_DOT = {
    "parent": "",
    "control": 'style=dashed, constraint=false, color="#1f5fa8"',
    "neighbor": "style=dotted, dir=none, constraint=false",
    "energy": 'style=bold, color="#d98200", constraint=false',
}
_PLOT = {
    "parent": ("-", "#333333"),
    "control": ("--", "#1f5fa8"),
    "neighbor": (":", "#777777"),
    "energy": ("-", "#d98200"),
}


_BENDS = (0.2, -0.2, 0.35, -0.35, 0.5, -0.5)

Place = tuple[float, float]


class Edge(NamedTuple):
    """One edge of the picture.

    Attributes:
      kind: `parent` (read by the other), `control` (asked by the other), `neighbor`, or
        `energy` (from the supplier).
      tail: Name where the arrow starts.
      head: Name where it ends.
    """

    kind: str
    tail: str
    head: str


def edges(graph: NodeGraph) -> list[Edge]:
    """Returns all edges; a pair of mutual neighbours has one."""
    found = []
    for node in graph.nodes:
        found += [Edge("parent", p, node.name) for p in node.parent_names]
        found += [Edge("control", node.name, c) for c in node.control_names]
        for other in node.neighbor_names:
            if Edge("neighbor", other, node.name) not in found:
                found.append(Edge("neighbor", node.name, other))
        if node.energy_node_name:
            found.append(Edge("energy", node.energy_node_name, node.name))
    return found


def depths(graph: NodeGraph) -> dict[str, int]:
    """Returns the longest way of parents from the environment, by name; its own is 0.

    Nodes without parents, actuators for one, stand at 1.
    """
    depth = {ENVIRONMENT: 0}
    for node in graph.nodes:
        depth[node.name] = 1 + max((depth[p] for p in node.parent_names), default=0)
    return depth


def draw(graph: NodeGraph, form: str, costs: Mapping[str, float]) -> str:
    """Returns a picture of the graph as text.

    Args:
      graph: The bound graph.
      form: `text`, `mermaid` or `graphviz` (DOT source).
      costs: Cost by node name, drawn as white (0) to red (the greatest).

    Raises:
      ValueError: for an unknown form, or the cost of a node that is not there.
    """
    if form not in _FORMS:
        raise ValueError(f"draw: form={form!r}, expected one of {tuple(_FORMS)}")
    _check_costs(graph, costs)
    return _FORMS[form](graph, costs)


def save_png(
    graph: NodeGraph, path: Union[str, BinaryIO], costs: Optional[Mapping[str, float]] = None
) -> None:
    """Writes a picture of the graph, the environment lowest; needs no Graphviz.

    Args:
      graph: The bound graph.
      path: File to write, or a stream.
      costs: As for `draw`.

    Raises:
      ValueError: for the cost of a node that is not there.
    """
    # pylint: disable=g-import-not-at-top
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    costs = costs or {}
    _check_costs(graph, costs)
    place, colours = _layered(graph), _colours(graph, costs)
    across = 1 + max(x for x, _ in place.values()) - min(x for x, _ in place.values())
    figure = Figure(figsize=(2.0 + 1.9 * across, 1.5 * len({y for _, y in place.values()})))
    FigureCanvasAgg(figure)  # No window, whatever matplotlib is set to.
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.plot(*zip(*place.values()), linestyle="none")
    axes.margins(0.15)
    boxes = {}
    for name, (x, y) in place.items():
        look = {"boxstyle": "round,pad=0.5", "facecolor": colours[name], "edgecolor": "#333333"}
        label = _label(graph, name, costs, "\n")
        text = axes.text(x, y, label, size=9, ha="center", va="center", bbox=look, zorder=3)
        boxes[name] = text.get_bbox_patch()
    for edge in edges(graph):
        _plot_edge(axes, edge, place, boxes)
    for kind, (line, colour) in _PLOT.items():
        axes.plot([], [], line, color=colour, label=kind)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    figure.canvas.draw()  # Sizes the boxes, at which the edges end.
    figure.savefig(path, dpi=120, bbox_inches="tight", facecolor="white")


def _text(graph: NodeGraph, costs: Mapping[str, float]) -> str:
    depth = depths(graph)
    rows = [("depth", "node", "type", "cost", "edges"), ("0", ENVIRONMENT, "", "", "")]
    for node in sorted(graph.nodes, key=lambda n: depth[n.name]):
        roles = {
            "reads": node.parent_names,
            "controls": node.control_names,
            "beside": node.neighbor_names,
            "fed by": (node.energy_node_name,) if node.energy_node_name else (),
        }
        said = "; ".join(f"{role} {', '.join(names)}" for role, names in roles.items() if names)
        cost = f"{costs[node.name]:.3g}" if node.name in costs else ""
        rows.append((str(depth[node.name]), node.name, type(node).__name__, cost, said))
    keep = [i for i in range(5) if i != 3 or costs]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return "\n".join("  ".join(row[i].ljust(widths[i]) for i in keep).rstrip() for row in rows)


def _mermaid(graph: NodeGraph, costs: Mapping[str, float]) -> str:
    # `end` and the like are words of Mermaid's, so that ids are numbered.
    ids = {name: f"n{i}" for i, name in enumerate([ENVIRONMENT, *graph.names])}
    lines = ["flowchart BT"]
    lines += [f'  {ids[n]}["{_label(graph, n, costs, "<br/>")}"]' for n in ids]
    for kind, tail, head in edges(graph):
        lines.append(f"  {ids[tail]} {_MERMAID[kind]} {ids[head]}")
    colours = _colours(graph, costs)
    lines += [f"  style {ids[n]} fill:{colours[n]},stroke:#333,color:#000" for n in ids]
    return "\n".join(lines)


def _graphviz(graph: NodeGraph, costs: Mapping[str, float]) -> str:
    colours = _colours(graph, costs)
    lines = ["digraph infonodes {", "  rankdir=BT;", '  node [shape=box, style="rounded,filled"];']
    for name in [ENVIRONMENT, *graph.names]:
        label = _label(graph, name, costs, "\\n")
        lines.append(f'  "{name}" [label="{label}", fillcolor="{colours[name]}"];')
    for kind, tail, head in edges(graph):
        look = f" [{_DOT[kind]}]" if _DOT[kind] else ""
        lines.append(f'  "{tail}" -> "{head}"{look};')
    return "\n".join([*lines, "}"])


_FORMS: dict[str, Callable[[NodeGraph, Mapping[str, float]], str]] = {
    "text": _text,
    "mermaid": _mermaid,
    "graphviz": _graphviz,
}


def _label(graph: NodeGraph, name: str, costs: Mapping[str, float], newline: str) -> str:
    if name == ENVIRONMENT:
        return name
    lines = [name, type(graph[name]).__name__]
    if name in costs:
        lines.append(f"cost {costs[name]:.3g}")
    return newline.join(lines)


def _colours(graph: NodeGraph, costs: Mapping[str, float]) -> dict[str, str]:
    """Returns white for no cost to red for the greatest, by name."""
    greatest = max([float(c) for c in costs.values()], default=0.0)
    colours = {ENVIRONMENT: "#dddddd"}
    for name in graph.names:
        share = max(0.0, float(costs.get(name, 0.0))) / greatest if greatest > 0 else 0.0
        other = round(255 * (1 - share))
        colours[name] = f"#ff{other:02x}{other:02x}"
    return colours


def _check_costs(graph: NodeGraph, costs: Mapping[str, float]) -> None:
    strangers = sorted(set(costs) - set(graph.names))
    if strangers:
        raise ValueError(
            f"draw: costs of {strangers}, which are no nodes; the graph has {list(graph.names)}"
        )


def _layered(graph: NodeGraph) -> dict[str, Place]:
    """Returns places: height by depth, each layer ordered by where its parents stand."""
    depth = depths(graph)
    place = {ENVIRONMENT: (0.0, 0.0)}
    for level in range(1, max(depth.values()) + 1):
        layer = [n for n in graph.nodes if depth[n.name] == level]

        def middle(node) -> float:
            at = [place[p][0] for p in node.parent_names]
            return sum(at) / len(at) if at else float("inf")

        layer.sort(key=middle)
        # Every second layer is shifted, so that fewer edges over a layer meet a node.
        for i, node in enumerate(layer):
            x = i - (len(layer) - 1) / 2 + (0.23 if level % 2 == 0 else 0.0)
            place[node.name] = (x, float(level))
    return place


def _plot_edge(axes: Any, edge: Edge, place: Mapping[str, Place], boxes: Mapping[str, Any]) -> None:
    """Draws one edge, bent where it would run through a node or over its opposite."""
    line, colour = _PLOT[edge.kind]
    others = [at for name, at in place.items() if name not in (edge.tail, edge.head)]
    start, end = place[edge.tail], place[edge.head]
    bends = (0.0, *_BENDS) if edge.kind == "parent" else _BENDS
    # The first that stays clear of all nodes, else the one that stays clearest.
    bend = max(bends, key=lambda b: min(0.45, _clearance(start, end, b, others)))
    arrow = {
        "arrowstyle": "-" if edge.kind == "neighbor" else "-|>",
        "connectionstyle": f"arc3,rad={bend}",
        "patchA": boxes[edge.tail],
        "patchB": boxes[edge.head],
        "linestyle": line,
        "linewidth": 2.2 if edge.kind == "energy" else 1.2,
        "color": colour,
    }
    axes.annotate("", xy=end, xytext=start, arrowprops=arrow)


def _clearance(start: Place, end: Place, bend: float, others: Iterable[Place]) -> float:
    """Returns how near matplotlib's `arc3` curve comes to any of `others`."""
    (x0, y0), (x1, y1) = start, end
    x2, y2 = (x0 + x1) / 2 + bend * (y1 - y0), (y0 + y1) / 2 - bend * (x1 - x0)
    nearest = float("inf")
    for t in (i / 16 for i in range(17)):
        x = (1 - t) ** 2 * x0 + 2 * t * (1 - t) * x2 + t**2 * x1
        y = (1 - t) ** 2 * y0 + 2 * t * (1 - t) * y2 + t**2 * y1
        nearest = min([nearest, *(math.hypot(x - a, y - b) for a, b in others)])
    return nearest
