"""The graph: binds nodes by name and runs the three passes over their states."""
from __future__ import annotations

import zlib
from typing import Iterable, Mapping

import tensorflow as tf

from infonodes.info_nodes.info_node import InfoNode
from infonodes.networks import statistic
from infonodes.types import ENVIRONMENT, SUPPLIER, GraphError, Nest, NodeError, Spec, State, Target, Tick

States = dict[str, State]


class NodeGraph(tf.Module):
    """Nodes in parent order, bound to each other.

    Attributes:
      nodes: The nodes, every parent before its children.
      children: Names of the nodes that read each node.
      senders: Names of the nodes that may send targets to each control, actuators'
        control `environment` included.
      suppliers: Names of the nodes that others draw energy from, clients before suppliers.
      state_spec: Spec of the states of all nodes, by name.
      decision_spec: Spec of what the nodes record of a tick, by name.
    """

    def __init__(self, nodes: Iterable[InfoNode], name: str = "graph"):
        """Binds `nodes`.

        Args:
          nodes: In any order.
          name: Name of the module.

        Raises:
          GraphError: for duplicate or unknown names, a cycle of parents, a control that
            takes no targets, a node that stands in another graph, or a node whose parents
            do not fit it. The message names the node and the fix.
        """
        super().__init__(name=name)
        nodes = list(nodes)
        _check_names(nodes)
        self.nodes = tuple(parent_order(nodes))
        self._by_name = {node.name: node for node in self.nodes}
        self._bind()
        self.children = {
            n.name: tuple(c.name for c in self.nodes if n.name in c.parent_names) for n in self.nodes
        }
        self.senders = {
            control: tuple(s.name for s in self.nodes if control in s.control_names)
            for control in (*self._by_name, ENVIRONMENT)
        }
        self.state_spec = {node.name: node.state_spec for node in self.nodes}
        self.decision_spec = {node.name: node.decision_spec for node in self.nodes}

    def __getitem__(self, name: str) -> InfoNode:
        return self._by_name[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the nodes, parents first."""
        return tuple(node.name for node in self.nodes)

    @property
    def stateless(self) -> bool:
        """Whether all nodes draw from the seeds they are given alone."""
        return all(node.stateless for node in self.nodes)

    @property
    def controls(self) -> tuple[InfoNode, ...]:
        """The nodes that some node controls."""
        return tuple(node for node in self.nodes if self.senders[node.name])

    def initial_state(self, batch_size: int | tf.Tensor) -> States:
        """Returns the states of all nodes before the first tick, `[B, ...]`."""
        return {node.name: node.initial_state(batch_size) for node in self.nodes}

    def draw(self, form: str = "text", costs: Mapping[str, float] | None = None) -> str:
        """Returns a picture of the graph.

        Args:
          form: `text`, `mermaid` or `graphviz` (DOT source).
          costs: Cost by node name, drawn as colour (and in text as numbers).

        Raises:
          ValueError: for an unknown form.
        """
        from infonodes import drawing  # pylint: disable=g-import-not-at-top

        return drawing.draw(self, form, costs or {})

    def _bind(self) -> None:
        for node in self.nodes:
            node.bind({p: self._by_name[p] for p in node.parent_names if p != ENVIRONMENT})
            for control in node.control_names:
                if control != ENVIRONMENT and self._by_name[control].target_spec is None:
                    raise GraphError(
                        f"node {node.name!r} controls {control!r}, which takes no targets (its "
                        f"target_spec is None); drop it from control_names of {node.name!r}"
                    )
        for node in self.nodes:
            node.bind_neighbors({n: self._by_name[n] for n in node.neighbor_names})
        self.suppliers = tuple(supply_order(self.nodes))
        for name in self.suppliers:
            self._by_name[name].bind_clients({n.name: n for n in self.nodes if n.energy_node_name == name})
        for node in self.nodes:
            if node.energy_node_name is not None:
                node.bind_supplier(self._by_name[node.energy_node_name])
        by_name = sorted(self.nodes, key=lambda node: node.name)  # However they were listed.
        statistic.join(m for node in by_name for m in node.submodules if isinstance(m, statistic.Statistic))


def _check_names(nodes: list[InfoNode]) -> None:
    names = [node.name for node in nodes]
    if not names:
        raise GraphError("a graph needs at least one node; got none")
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise GraphError(f"duplicate node names {twice}: rename all but one of each")
    for node in nodes:
        for role in ("parent_names", "neighbor_names", "energy_node_name"):
            asked = getattr(node, role)
            asked = (asked,) if isinstance(asked, str) else asked or ()
            for name in asked:
                if name not in names and not (name == ENVIRONMENT and role == "parent_names"):
                    raise GraphError(
                        f"node {node.name!r}: {role} has {name!r}, which no node is called; "
                        f"the graph has {sorted(names)}"
                    )


def parent_order(nodes: list[InfoNode]) -> list[InfoNode]:
    """Returns `nodes` with parents before children, else in the order given.

    Raises:
      GraphError: naming the nodes of a cycle.
    """
    ordered: list[InfoNode] = []
    placed = {ENVIRONMENT}
    waiting = list(nodes)
    while waiting:
        ready = next((n for n in waiting if placed.issuperset(n.parent_names)), None)
        if ready is None:
            raise GraphError(
                f"parents form a cycle among {sorted(n.name for n in waiting)}: edges to parents "
                "must lead to the senses; make one of them a neighbour (neighbor_names)"
            )
        waiting.remove(ready)
        ordered.append(ready)
        placed.add(ready.name)
    return ordered


def supply_order(nodes: Iterable[InfoNode]) -> list[str]:
    """Returns the names of all suppliers, each after those that draw on it.

    Raises:
      GraphError: naming suppliers that feed each other in a circle.
    """
    supplier = {node.name: node.energy_node_name for node in nodes}
    waiting = {name for name in supplier.values() if name is not None}
    ordered: list[str] = []
    while waiting:
        ready = sorted(name for name in waiting if not any(supplier[other] == name for other in waiting))
        if not ready:
            raise GraphError(
                f"suppliers feed each other in a circle: {sorted(waiting)}; energy must come from outside: "
                "give one of them an intake and no energy_node_name"
            )
        ordered += ready
        waiting -= set(ready)
    return ordered


# -- the passes: pure functions over (graph, states) --------------------------------


def bottom_up(graph: NodeGraph, environment: State, states: States, tick: Tick) -> States:
    """Perceives, parents before children.

    Args:
      graph: The bound graph.
      environment: What sensors read: `observation`, `reward`, `discount`, `step_type`.
      states: States after the last tick, `[B, ...]`.
      tick: Seed and modes.

    Returns:
      The states after the pass.
    """
    before, states = states, dict(states)
    for node in graph.nodes:
        parents = _parents(node, states, environment)
        if node.energy_size and node.energy_node_name is not None:
            parents[SUPPLIER] = before[node.energy_node_name]
        states[node.name] = node.bottom_up(parents, states[node.name], tick.fold(seed_index(node.name)))
    return states


def forward(graph: NodeGraph, states: States, tick: Tick) -> tuple[dict[str, Target], States]:
    """Lets neighbours interact; all read the states from before the pass.

    Returns:
      Each node's target for itself, if it has one, and the states after the pass.
    """
    own_targets, after = {}, {}
    for node in graph.nodes:
        neighbors = {n: states[n] for n in node.neighbor_names}
        target, after[node.name] = node.forward(neighbors, states[node.name], tick.fold(seed_index(node.name)))
        if target is not None:
            own_targets[node.name] = target
    return own_targets, after


def top_down(
    graph: NodeGraph,
    environment: State,
    states: States,
    own_targets: Mapping[str, Target],
    tick: Tick,
) -> tuple[dict[str, Nest], States]:
    """Acts, children before parents.

    Returns:
      What the actuators ask of the environment, by actuator name, and the final states.
    """
    states = dict(states)
    slots: dict[str, dict[str, Target]] = {name: {} for name in (*graph.names, ENVIRONMENT)}
    for name, target in own_targets.items():
        slots[name][name] = target
    for node in reversed(graph.nodes):
        parents = _parents(node, states, environment)
        asked, states[node.name] = node.top_down(
            slots[node.name], parents, states[node.name], tick.fold(seed_index(node.name))
        )
        for control, target in asked.items():
            if control != ENVIRONMENT:
                _check_target(node, graph[control], target)
            slots[control][node.name] = target
    return {name: target.value for name, target in slots[ENVIRONMENT].items()}, states


def send_bills(graph: NodeGraph, states: States) -> States:
    """Books what each node owes or asks of its supplier, clients before suppliers."""
    states = dict(states)
    for name in graph.suppliers:
        states[name] = graph[name].take_bills(states, states[name])
    return states


def run_tick(
    graph: NodeGraph, environment: State, states: States, tick: Tick
) -> tuple[dict[str, Nest], States]:
    """Runs the three passes and sends the bills.

    Returns:
      The actuators' actions by name, and the final states.
    """
    states = bottom_up(graph, environment, states, tick.fold(0))
    own_targets, states = forward(graph, states, tick.fold(1))
    actions, states = top_down(graph, environment, states, own_targets, tick.fold(2))
    return actions, send_bills(graph, states)


def seed_index(name: str) -> int:
    """Returns which part of a seed belongs to node `name`, in whatever order nodes are listed."""
    return zlib.crc32(name.encode()) & 0x7FFFFFFF


def _parents(node: InfoNode, states: States, environment: State) -> States:
    return {p: environment if p == ENVIRONMENT else states[p] for p in node.parent_names}


def _check_target(sender: InfoNode, control: InfoNode, target: Target) -> None:
    spec: Spec = control.target_spec
    fits = isinstance(target, Target)
    if fits:
        try:
            tf.nest.assert_same_structure(spec, target.value)
            fits = all(
                v.dtype == s.dtype and v.shape[1:].is_compatible_with(s.shape)
                for s, v in zip(tf.nest.flatten(spec), tf.nest.flatten(target.value))
            )
        except (ValueError, TypeError):
            fits = False
    if not fits:
        raise NodeError(
            f"node {sender.name!r}, top_down: asks of {control.name!r} what does not fit its "
            f"target_spec. Expected Target(value={spec}, valid=bool [B]), got {target}"
        )
