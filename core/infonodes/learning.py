"""What a train step makes of a batch, as pure functions over (graph, experience)."""
from __future__ import annotations

from typing import Any, Callable, Mapping, NamedTuple, Optional

import tensorflow as tf
from tf_agents.utils import common

from infonodes.graph import NodeGraph, seed_index
from infonodes.info_nodes.info_node import InfoNode
from infonodes.rewards import CostTree
from infonodes.types import ENVIRONMENT, SUPPLIER, Experience, Nest, NodeLoss, State


class Update(NamedTuple):
    """What one update (or a loss) found.

    Attributes:
      loss: Scalar, importance-weighted.
      cost: `[B]` ≥ 0, weighted node costs with today's parameters.
      scalars: By `node/loss` and `node/metric`.
    """

    loss: tf.Tensor
    cost: tf.Tensor
    scalars: dict[str, tf.Tensor]


def perceive(
    graph: NodeGraph, seen: State, info: Nest, seed: tf.Tensor, shared: Mapping[str, Any]
) -> dict[str, Experience]:
    """Re-runs perception with today's parameters, parents first.

    Args:
      graph: The nodes.
      seen: What the environment showed, `[B, T, ...]`.
      info: The recorded state and decision of each node, by name.
      seed: `[2]`; each node gets one of its own.
      shared: The fields of `Experience` that are the same for all nodes.

    Returns:
      What each node would learn from, by name.
    """
    states: dict[str, State] = {ENVIRONMENT: seen}
    experiences: dict[str, Experience] = {}
    controls: dict[str, tf.Tensor] = {}
    for node in graph.nodes:
        parents = {p: states[p] for p in node.parent_names}
        if node.energy_size and node.energy_node_name is not None:
            # Physics has no parameters: what was recorded is what would be recomputed.
            parents[SUPPLIER] = info["state"][node.energy_node_name]
        partial = Experience(
            parents=parents,
            neighbors={},
            state=info["state"][node.name],
            decision=info["decision"][node.name],
            controls=dict(controls),
            seed=tf.random.experimental.stateless_fold_in(seed, seed_index(node.name)),
            **shared,
        )
        states[node.name] = node.perceive(parents, info["state"][node.name], partial)
        experiences[node.name] = partial._replace(state=states[node.name])
        if graph.senders[node.name]:
            controls[node.name] = node.replayed(experiences[node.name])
    return {
        node.name: experiences[node.name]._replace(neighbors={n: states[n] for n in node.neighbor_names})
        for node in graph.nodes
    }


def row_weights(
    like: tf.Tensor, importance: Optional[tf.Tensor] = None, weights: Optional[tf.Tensor] = None
) -> tf.Tensor:
    """Returns what each row of a batch counts, `[B]`.

    Args:
      like: `[B, ...]`.
      importance: `[B, T]`, the same along T, of a replay; or None.
      weights: `[B]` of the caller; or None.
    """
    total = tf.ones(tf.shape(like)[:1])
    if importance is not None:
        total *= importance[:, 0]
    if weights is not None:
        total *= tf.cast(weights, tf.float32)
    return total


def node_losses(graph: NodeGraph, experiences: Mapping[str, Experience]) -> dict[str, NodeLoss]:
    """Returns the losses, by name, of the nodes that share the agent's tape."""
    return gather(graph, lambda node: node.loss(experiences[node.name]) if node.trainable else None)


def gather(graph: NodeGraph, ask: Callable[[InfoNode], Optional[NodeLoss]]) -> dict[str, NodeLoss]:
    """Returns what `ask` says of each node, in graph order, by name; without those of which it says None."""
    found = {node.name: ask(node) for node in graph.nodes}
    return {name: result for name, result in found.items() if result is not None}


def aggregate(found: Mapping[str, NodeLoss], weights: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Returns the sum of the nodes' mean losses, and each by name; rows are weighted by `weights` `[B]`."""
    mean = lambda x: common.aggregate_losses(per_example_loss=x * weights).total_loss
    losses = {name: mean(result.loss) for name, result in found.items()}
    return (tf.add_n(list(losses.values())) if losses else tf.zeros([])), losses


def merge(
    cost_tree: CostTree,
    loss: tf.Tensor,
    losses: Mapping[str, tf.Tensor],
    found: Mapping[str, NodeLoss],
    trained: Mapping[str, NodeLoss],
    weights: tf.Tensor,
) -> Update:
    """Returns one account of the nodes on the tape and of those that trained themselves.

    Args:
      cost_tree: How node costs sum up.
      loss: Of the tape, scalar.
      losses: Of the tape, by node.
      found: Of the nodes on the tape.
      trained: Of the nodes that trained themselves; their losses are not weighted.
      weights: `[B]`, for its shape.
    """
    _, own_losses = aggregate(trained, tf.ones_like(weights))
    everything = {**found, **trained}
    costs = {name: tf.stop_gradient(result.cost) for name, result in everything.items()}
    scalars = {
        f"{name}/{key}": value for name, result in everything.items() for key, value in result.metrics.items()
    }
    scalars.update({f"{name}/loss": value for name, value in (*losses.items(), *own_losses.items())})
    scalars.update({f"{name}/cost": tf.reduce_mean(cost) for name, cost in costs.items()})
    return Update(
        loss=tf.add_n([loss, *own_losses.values()]),
        cost=cost_tree.total(costs) if costs else tf.zeros_like(weights),
        scalars=scalars,
    )
