"""Does the SynapticNode learn, grow, heal and shrink? One task, variants by seeds, in the graph.

  python -m experiments.synaptic --task=cartpole
  python -m experiments.synaptic --task=cartpole --only=td,lesion --growth=runs/growth.gif

Cells (a variant and a seed) are JSON files under runs/synaptic/ and are not run again. Tables go
to docs/results/synaptic/. `experiments.synaptic_neat` adds its rows to them.
"""
from __future__ import annotations

import dataclasses
import os
import time
from typing import Optional

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
import tqdm
from absl import app, flags

from experiments import command_line, in_graph, sweep_flags, synaptic_cells, synaptic_variants
from experiments.errors import RunError
from experiments.synaptic_variants import Variant
from experiments.tf_tasks import TASKS, TfTask
from infonodes import presets
from infonodes.agent import InfoNodeAgent
from infonodes.info_nodes import synaptic_drawing
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.pred_node import PredNode, PredSettings
from infonodes.info_nodes.synaptic_node import SynapticNode, SynapticSettings

_RUNS = flags.DEFINE_string("runs", os.path.join("runs", "synaptic"), "Folder of the cells.")
_DOCS = flags.DEFINE_string("docs", os.path.join("docs", "results", "synaptic"), "Folder of the tables.")
_GROWTH = flags.DEFINE_string("growth", None, "A GIF file: film one seed that grows from nothing, and do no more.")
sweep_flags.adopt("seeds", "task", "only")

_RATE = 1e-3  # Of what is below a SynapticNode.


def build(
    task: TfTask, variant: Variant, optimizer: Optional[tf.keras.optimizers.legacy.Optimizer] = None
) -> InfoNodeAgent:
    """Returns the agent of a variant; `synaptic` is its node, and `optimizer` teaches what is below it."""
    changes = dict(variant.changes)
    if variant.by_hand and variant.below == "raw":
        changes["ranges"] = task.ranges
    settings, specs = SynapticSettings(**changes), in_graph.specs(task)
    if variant.below == "raw":
        agent = presets.synaptic(*specs, synaptic=settings, train_sequence_length=2)
    else:
        sizes = {"pred": {"latent_size": 64}, "small_pred": {"latent_size": 8, "norm": "layernorm"}}
        pred = PredSettings(unroll=1, **sizes[variant.below])
        nodes = [
            *gym.sensors(specs[0].observation),
            *gym.actuators(specs[1]),
            PredNode("pred", ("obs", "act"), ("act",), settings=pred),
            SynapticNode("synaptic", ("pred",), "act", settings),
        ]
        agent = InfoNodeAgent(
            *specs, nodes, optimizer, train_sequence_length=2, modes=presets.REWIRING, gradient_clipping=1.0
        )
    agent.initialize()
    return agent


class Trial:
    """One variant, compiled once, run for several seeds."""

    def __init__(self, task: TfTask, variant: Variant):
        """Builds agent and loop."""
        self._variant = variant
        self._optimizer = tf.keras.optimizers.legacy.Adam(_RATE)
        self._agent = build(task, variant, self._optimizer)
        self._variables = [*self._agent.variables, *self._optimizer.variables()]
        self._first = [tf.identity(v) for v in self._variables]
        self._loop = in_graph.Loop(self._agent, task, variant.shaped, variant.learns)

    @property
    def node(self) -> SynapticNode:
        """The node."""
        return self._agent.graph["synaptic"]

    def run(self, seed: int) -> dict:
        """Returns what a seed came to, as JSON can hold it."""
        began, variant = time.monotonic(), self._variant
        self._begin(seed)
        first = variant.episodes // 2 if variant.lesion else variant.episodes
        returns, found = self._loop.train(first), {}
        if variant.lesion:
            found["greedy_before"] = self._loop.evaluate(seed)
            found["killed"] = self.node.lesion(variant.lesion, seed)
            found["greedy_hurt"] = self._loop.evaluate(seed)
            returns += self._loop.train(variant.episodes - first)
        return {
            **found,
            "seed": seed,
            "returns": returns,
            "steps": self._loop.steps,
            "greedy": self._loop.evaluate(seed),
            "edges": float(tf.reduce_sum(self.node.edges.alive)),
            "slots": self.node.edges.weight.shape[0],
            "seconds": round(time.monotonic() - began, 2),
        }

    def film(self, path: str, seed: int, chunk: int = 5) -> None:
        """Writes the growth of one seed as a GIF, a frame every `chunk` episodes."""
        self._begin(seed)
        moments = [synaptic_drawing.snapshot(self.node, "episode 0")]
        for done in tqdm.trange(chunk, self._variant.episodes + 1, chunk, unit=" episodes"):
            self._loop.train(chunk)
            moments.append(synaptic_drawing.snapshot(self.node, f"episode {done}"))
        synaptic_drawing.save_growth(self.node.layout, moments, path)

    def _begin(self, seed: int) -> None:
        """Makes agent and environment new; only the SynapticNode's first weights differ by seed."""
        for variable, value in zip(self._variables, self._first):
            variable.assign(value)
        self._loop.start(seed)
        if self._variant.wander:
            self._optimizer.learning_rate = _RATE
            self._loop.wander(self._variant.wander)
            self._optimizer.learning_rate = 0.0
        self.node.reset(seed)
        self._loop.start(seed)


def main(argv: list) -> None:
    """Runs what is missing, writes and prints the table."""
    command_line.check(argv)
    name = sweep_flags.task(TASKS, "cartpole")
    task = TASKS[name]
    if _GROWTH.value:
        Trial(task, Variant({"start": "empty", "grow": 10})).film(_GROWTH.value, seed=0)
        return
    try:
        variants = synaptic_variants.chosen(name, sweep_flags.ONLY.value)
        for label, variant in variants.items():
            if sweep_flags.SEEDS.value is not None:
                variant = dataclasses.replace(variant, seeds=sweep_flags.SEEDS.value)
            missing = synaptic_cells.missing(_RUNS.value, name, label, variant)
            if not missing:
                continue
            trial = Trial(task, variant)
            for seed in tqdm.tqdm(missing, desc=f"{name} {label}", unit="seed"):
                synaptic_cells.write(_RUNS.value, name, label, variant, trial.run(seed))
            tf.keras.backend.clear_session()
    except RunError as error:
        raise SystemExit(f"error: {error}") from error
    print(synaptic_cells.tables(_RUNS.value, _DOCS.value, name))


if __name__ == "__main__":
    app.run(main)
