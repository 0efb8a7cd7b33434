"""Random bodies: trees of organs that draw on each other, over-asked and fed at random."""
from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from infonodes import graph as graph_lib
from infonodes.graph import NodeGraph
from infonodes.info_nodes.lambda_node import LambdaNode
from infonodes.info_nodes.organs.energetics import (
    EnergyConversion,
    EnergyStorage,
    EnergyTransport,
    Organ,
    OrganSettings,
    ledger,
)
from infonodes.info_nodes.rows import where_row
from infonodes.modes import Modes
from infonodes.types import Target, Tick


@dataclasses.dataclass(frozen=True)
class Plan:
    """A body to draw from a seed: at most `organs` organs, at most `depth` deep."""

    seed: int
    organs: int
    depth: int
    components: int


def body(plan: Plan) -> NodeGraph:
    rng = np.random.default_rng(plan.seed)
    nodes, depth, size = [], {}, {}
    for i in range(plan.organs):
        name = f"organ{i}"
        roots = [n for n in depth if depth[n] < plan.depth]
        supplier = str(rng.choice(roots)) if roots and rng.random() < 0.85 else None
        taken_in = size[supplier] if supplier else int(rng.integers(1, plan.components + 1))
        node = one(rng, name, supplier, taken_in, plan.components)
        nodes.append(node)
        depth[name], size[name] = 1 + (depth[supplier] if supplier else 0), node.energy_size
    for i in range(int(rng.integers(0, 4))):
        payer = str(rng.choice(list(size)))
        nodes.append(LambdaNode(f"deed{i}").charge(payer, per_tick=float(rng.uniform(0.01, 0.6))))
    return NodeGraph([*nodes, wishes(nodes)])


def one(rng, name, supplier, taken_in, most):
    """Returns an organ of any kind that takes in `taken_in` components."""
    kind = rng.choice(["organ", "storage", "storage", "transport", "conversion"])
    if supplier is None and kind == "transport":
        kind = "storage"
    size = taken_in if kind in ("organ", "transport") else int(rng.integers(1, most + 1))
    matrix = rng.uniform(-0.3, 1.0, (size, taken_in))
    matrix /= np.maximum(np.maximum(matrix, 0).sum(0), 1.0)
    common = dict(
        components=size,
        capacity=rng.uniform(0.5, 3.0, size).tolist(),
        start=rng.uniform(0.0, 0.5, size).tolist(),
        basal=rng.uniform(0.0, 0.05, size).tolist(),
        intake=None if supplier else f"food{taken_in}",
    )
    if kind == "transport":
        return EnergyTransport(name, supplier, OrganSettings(**common), float(rng.uniform(0.5, 1.0)), 0.7)
    if kind == "conversion":
        return EnergyConversion(name, supplier, np.maximum(matrix, 0).tolist(), OrganSettings(**common), 0.7)
    settings = OrganSettings(**common, usefulness=matrix.tolist())
    return {"organ": Organ, "storage": EnergyStorage}[kind](name, settings, supplier)


def wishes(nodes):
    """Asks every organ for a target of noise, in some rows."""
    organs = [n for n in nodes if n.energy_size]

    def ask(targets, parents, state):
        noise = parents["environment"]["observation"]["noise"]
        asked = {}
        for i, organ in enumerate(organs):
            code = tf.math.floormod(noise[:, : organ.energy_size] * (i + 1.7), 2.0) - 1.0
            asked[organ.name] = Target(organ.decode(code), noise[:, 0] > 0.3)
        return asked, state

    names = tuple(n.name for n in organs)
    return LambdaNode("wishes", (*names, "environment"), top_down=ask, control_names=names)


def live(graph, batch, ticks, seed, reset_chance=0.0):
    """Lives `ticks` ticks; returns start + Σ gained and the accounts' sum, `[ticks, B]` each, and all ledgers."""
    rng = np.random.default_rng(seed)
    nodes = {n.name: n for n in graph.nodes}
    fresh = graph.initial_state(batch)
    start = ledger(nodes, fresh).stored.numpy()

    def tick(states, observation, number, first):
        states = tf.nest.map_structure(lambda f, s: where_row(first, f, s), fresh, states)
        world = {"observation": observation, "step_type": tf.cast(~first, tf.int32)}
        one = Tick(tf.stack([seed, number]), Modes())
        _, states = graph_lib.run_tick(graph, world, states, one)
        return states, ledger(nodes, states)

    run = tf.function(tick, autograph=False)
    states, running = fresh, np.zeros([3, batch])
    right, left, ledgers = [], [], []
    for number in range(ticks):
        meal = (rng.random((batch, 1)) < 0.3) * 0.5
        observation = {f"food{i}": tf.constant(meal * rng.random((batch, i)), tf.float32) for i in range(1, 7)}
        observation["noise"] = tf.constant(rng.random((batch, 6)), tf.float32)
        first = rng.random(batch) < (1.0 if number == 0 else reset_chance)
        states, found = run(states, observation, tf.constant(number), tf.constant(first))
        running[:, first] = 0.0
        running += np.stack([found.spent, found.lost, found.gained]).astype(np.float64)
        right.append(start + running[2])
        left.append(found.stored.numpy() + found.owed.numpy() + running[0] + running[1])
        ledgers.append(tf.nest.map_structure(lambda x: x.numpy(), found))
    return np.array(right), np.array(left), ledgers
