"""Pictures say what the graph is."""
from __future__ import annotations

import re

import pytest
import tensorflow as tf

from infonodes import drawing
from infonodes.graph import NodeGraph
from infonodes.info_nodes.info_node import InfoNode
from infonodes.info_nodes.organs.organ import Organ


class Plain(InfoNode):
    """A node with edges and nothing else, that takes targets."""

    def __init__(self, name, *args, **kwargs):
        super().__init__(name, *args, **kwargs)
        self.target_spec = tf.TensorSpec([1], tf.float32)


def small_graph() -> NodeGraph:
    return NodeGraph([
        Plain("eye", ["environment"]),
        Plain("hand", control_names=["environment"]),
        Organ("battery", parent_names=["environment"]),
        Plain("low", ["eye", "hand"], ["side"], ["hand"]).charge("battery", per_tick=0.1),
        Plain("side", ["eye"], ["low"]),
        Plain("end", ["low", "eye"], control_names=["low"]),
    ])


EDGES = {
    ("parent", "environment", "eye"),
    ("parent", "environment", "battery"),
    ("parent", "eye", "low"),
    ("parent", "hand", "low"),
    ("parent", "eye", "side"),
    ("parent", "low", "end"),
    ("parent", "eye", "end"),
    ("control", "hand", "environment"),
    ("control", "low", "hand"),
    ("control", "end", "low"),
    ("neighbor", "low", "side"),
    ("energy", "battery", "low"),
}


def test_edges_and_depths():
    """Each declared edge once, mutual neighbours once; depth is the longest way up."""
    graph = small_graph()
    found = drawing.edges(graph)
    assert len(found) == len(set(found)) and set(found) == EDGES
    assert drawing.depths(graph) == {
        "environment": 0, "eye": 1, "hand": 1, "battery": 1, "low": 2, "side": 2, "end": 3
    }


def test_text_has_a_line_a_node():
    text = small_graph().draw("text", {"low": 0.25})
    lines = {line.split()[1]: line for line in text.splitlines()[1:]}
    assert set(lines) == {"environment", "eye", "hand", "battery", "low", "side", "end"}
    said = "reads eye, hand; controls hand; beside side; fed by battery"
    assert lines["low"].split(maxsplit=4) == ["2", "low", "Plain", "0.25", said]


@pytest.mark.parametrize("form", ["mermaid", "graphviz"])
def test_each_edge_is_drawn_in_its_line(form):
    """Read back from the source: names by label, arrows by their marks."""
    source = small_graph().draw(form)
    if form == "mermaid":
        names = dict(re.findall(r'(n\d+)\["(\w+)', source))
        arrows = {"-->": "parent", "-.->": "control", "-.-": "neighbor", "==>": "energy"}
        drawn = re.findall(r"(n\d+) (\S+) (n\d+)$", source, re.M)
        found = {(arrows[a], names[t], names[h]) for t, a, h in drawn}
    else:
        looks = {"": "parent", "dashed": "control", "dotted": "neighbor", "bold": "energy"}
        drawn = re.findall(r'"(\w+)" -> "(\w+)"(?: \[style=(\w+))?', source)
        found = {(looks[look], t, h) for t, h, look in drawn}
        assert source.count("{") == source.count("}")
    assert found == EDGES


def test_colour_runs_from_white_to_red():
    """The dearest node is red, one that costs half of it half red, one that costs nothing white."""
    source = small_graph().draw("graphviz", {"low": 4.0, "eye": 2.0, "end": 0.0})
    colour = dict(re.findall(r'"(\w+)" \[label=.*fillcolor="(#\w+)"', source))
    assert (colour["low"], colour["eye"], colour["end"]) == ("#ff0000", "#ff8080", "#ffffff")


def test_bad_input_is_named():
    graph = small_graph()
    with pytest.raises(ValueError, match="form='svg'.*'text', 'mermaid', 'graphviz'"):
        graph.draw("svg")
    with pytest.raises(ValueError, match=r"costs of \['ear'\].*'eye'"):
        graph.draw("text", {"ear": 1.0})


def test_png_is_written(tmp_path):
    """A smoke test."""
    path = tmp_path / "graph.png"
    drawing.save_png(small_graph(), str(path), {"low": 0.3, "end": 0.1})
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5000
