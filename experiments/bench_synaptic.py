"""How fast is the edge list? Against a networkx loop and scipy's CSR, and a whole agent in the graph.

  python -m experiments.bench_synaptic

Writes docs/results/synaptic/speed.md. One thread; on busy machines trust ratios.
"""
from __future__ import annotations

import os
import time
from typing import Any, Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import networkx
import numpy as np
import scipy.sparse
import tensorflow as tf
import tqdm
from absl import app, flags

from experiments import command_line, in_graph
from experiments.tf_tasks import TASKS
from infonodes import presets
from infonodes.info_nodes import synaptic_learning as learning
from infonodes.info_nodes.synaptic_node import SynapticSettings
from infonodes.modes import Modes
from infonodes.rules import synapse

_SIZES = flags.DEFINE_list("edges", ["1000", "10000", "100000", "1000000"], "Numbers of edges.")
_OUT = flags.DEFINE_string("out", os.path.join("docs", "results", "synaptic", "speed.md"), "The report.")
_SECONDS = flags.DEFINE_float("seconds", 2.0, "How long to measure each, at least one call.")
_CALL = 20  # Steps of one call into the graph.


def seconds_a_call(call: Callable[[], Any]) -> float:
    """Returns the least seconds a call took, the first left out unless it alone is long."""
    began = time.perf_counter()
    call()
    first = time.perf_counter() - began
    if first > 5 * _SECONDS.value:
        return first
    best, until = float("inf"), time.perf_counter() + _SECONDS.value
    while time.perf_counter() < until:
        began = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - began)
    return best


class Random:
    """A random graph with ten edges a unit: half of the units inputs, four outputs, the rest hidden."""

    def __init__(self, edges: int):
        """Draws it."""
        units, rng = max(edges // 10, 20), np.random.default_rng(0)
        self.cfg = SynapticSettings(start="empty", hidden=units - units // 2 - 4)
        self.layout = synapse.Layout(units // 2, self.cfg.hidden, (4,))
        self.source = rng.integers(0, units - 4, edges).astype(np.int32)
        self.target = rng.integers(units // 2, units, edges).astype(np.int32)
        self.weight = rng.uniform(0.1, 0.9, edges).astype(np.float32)
        self.active = (rng.random(units) < 0.1).astype(np.float32)

    def by_networkx(self) -> Callable[[], Any]:
        """Returns a call of one sweep, an edge at a time."""
        graph = networkx.DiGraph()
        graph.add_nodes_from(range(self.layout.units))
        graph.add_weighted_edges_from(zip(self.source.tolist(), self.target.tolist(), self.weight.tolist()))
        active = self.active.tolist()

        def sweep() -> list[float]:
            pools = [0.0] * len(active)
            for source, target, weight in graph.edges(data="weight"):
                pools[target] += weight * active[source]
            return pools

        return sweep

    def by_scipy(self) -> Callable[[], Any]:
        """Returns a call of one sweep as a sparse product."""
        n = self.layout.units
        matrix = scipy.sparse.csr_matrix((self.weight, (self.target, self.source)), shape=(n, n))
        return lambda: matrix @ self.active

    def plastic(self) -> learning.Plastic:
        """Returns what learning changes, at its start: old enough to be pruned."""
        slots = len(self.weight)
        ones, zeros = tf.ones([slots]), tf.zeros([self.layout.inputs])
        ages = tf.fill([slots], self.cfg.grace + 1)
        edges = synapse.Edges(*map(tf.constant, (self.source, self.target, self.weight)), ones, ages, ones, ones)
        return learning.Plastic(edges, zeros, zeros, tf.constant(0.0))

    def rewired(self) -> Callable[[], Any]:
        """Returns a call of one change of structure, as at an episode's end, compiled by XLA."""
        plastic, one, seed = self.plastic(), tf.constant(1), tf.constant([0, 1])
        run = tf.function(learning.rewire, jit_compile=True, autograph=False)
        return lambda: run(plastic, one, seed, self.layout, self.cfg)[1].numpy()

    def in_graph(self, jit_compile: bool, learns: bool) -> Callable[[], Any]:
        """Returns a call of `_CALL` forward sweeps, or of as many whole steps of learning, in one function."""
        layout, cfg, slots, plastic = self.layout, self.cfg, len(self.weight), self.plastic()
        traces = learning.Traces(tf.zeros([slots, 1]), tf.zeros([layout.inputs, 1]))
        one, x = tf.ones([1]), tf.constant(self.active[: layout.inputs, None])

        def sweeps(plastic: learning.Plastic, traces: learning.Traces) -> Any:
            def body(t: tf.Tensor, units: tf.Tensor) -> tuple:
                sent = plastic.edges.weight[:, None] * tf.gather(units, plastic.edges.source)
                return t + 1, synapse.gathered(sent, plastic.edges.target, layout.units)

            start = (0, tf.constant(self.active[:, None]))
            return tf.while_loop(lambda t, *_: t < _CALL, body, start)[1]

        def steps(plastic: learning.Plastic, traces: learning.Traces) -> Any:
            def body(t: tf.Tensor, plastic: learning.Plastic, traces: learning.Traces) -> tuple:
                choice = tf.reshape(t % 4, [1, 1])
                move = learning.Move(x, x, choice, one, one, one, one, 0.0 * one, 0.0 * one)
                plastic, traces, _ = learning.learn(plastic, traces, move, layout, cfg)
                return t + 1, plastic, traces

            return tf.while_loop(lambda t, *_: t < _CALL, body, (0, plastic, traces))[1].edges.weight

        run = tf.function(steps if learns else sweeps, jit_compile=jit_compile, autograph=False)
        return lambda: run(plastic, traces).numpy()


def edge_table() -> list[str]:
    """Returns rows of million edges · steps a second, and ms a step."""
    rows = []
    for text in tqdm.tqdm(_SIZES.value, unit="size"):
        graph = Random(int(text))
        found = {
            "networkx": seconds_a_call(graph.by_networkx()),
            "scipy": seconds_a_call(graph.by_scipy()),
            **{
                f"{'learn' if learns else 'sweep'}-{jit}": seconds_a_call(graph.in_graph(jit, learns)) / _CALL
                for learns in (False, True) for jit in (False, True)
            },
        }
        cells = [f"{int(text) / s / 1e6:.3g} ({s * 1e3:.3g} ms)" for s in found.values()]
        cells.append(f"{seconds_a_call(graph.rewired()) * 1e3:.3g} ms")
        rows.append(f"| {int(text):,} | {' | '.join(cells)} |")
        tqdm.tqdm.write(rows[-1])
    return rows


def agent_rows() -> list[str]:
    """Returns what a step of the whole agent costs, environment, acting and learning in one function."""
    rows, task = [], TASKS["cartpole"]
    sizes = {"96 edges": {}, "100,096 edges": {"start": "both", "hidden": 2000, "fan_in": 48, "capacity": 100_096}}
    for label, changes in sizes.items():
        for jit in (True, False):
            settings = SynapticSettings(ranges=task.ranges, **changes)
            # At 10⁵ edges a change of structure takes as long as twenty steps: it is in the table above.
            modes = presets.REWIRING if label == "96 edges" else Modes()
            agent = presets.synaptic(
                *in_graph.specs(task), synaptic=settings, train_sequence_length=2, jit_compile=jit, modes=modes
            )
            agent.initialize()
            loop = in_graph.Loop(agent, task, jit_compile=jit)
            loop.start(0)
            loop.train(1)
            began, before = time.perf_counter(), loop.steps
            loop.train(3)
            cost = (time.perf_counter() - began) / (loop.steps - before)
            bar = 200e-6 if label == "96 edges" else 8e-3
            verdict, how = "pass" if cost <= bar else "miss", "XLA" if jit else "plain"
            rows.append(f"| {label} | {how} | {cost * 1e6:,.0f} µs | ≤ {bar * 1e6:,.0f} µs | {verdict} |")
            tqdm.tqdm.write(rows[-1])
    return rows


def main(argv: list) -> None:
    """Measures, prints and writes the report."""
    command_line.check(argv)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    lines = [
        "# Speed of the SynapticNode\n",
        "Million edges · steps a second (and ms a step); random graphs of ten edges a unit, one thread, one run. A",
        "sweep is one product of the edges with the units' activity; a step of learning is two sweeps forward, one",
        "back, traces, critic and weights. networkx walks its edges in a Python loop.",
        "The last column is a change of structure, once an episode: subtract, prune, search what is reached, grow.\n",
        "| edges | networkx sweep | scipy CSR sweep | our sweep | our sweep, XLA | our step | our step, XLA "
        "| structure, XLA |",
        "| --- " * 8 + "|",
        *edge_table(),
        "\nA step of a whole agent in one function: CartPole's dynamics, collect policy, `agent.train`; at 96 edges\n"
        "the structure's changes too.\n",
        "| edges | compiled by | a step | bar | |",
        "| --- " * 5 + "|",
        *agent_rows(),
    ]
    text = "\n".join(lines) + "\n"
    os.makedirs(os.path.dirname(_OUT.value), exist_ok=True)
    with open(_OUT.value, "w", encoding="utf-8") as file:
        file.write(text)
    print(text)


if __name__ == "__main__":
    app.run(main)
