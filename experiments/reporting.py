"""What a run writes down while it trains: metrics, events, pictures, the progress bar."""
from __future__ import annotations

import dataclasses
import time
from typing import Any, Optional

import numpy as np
import tensorflow as tf
import tqdm
from tf_agents.agents import tf_agent

from experiments import node_summaries, plotting
from experiments.evaluation import Evaluation
from experiments.run_config import RunConfig
from experiments.run_folder import RunFolder
from infonodes import drawing
from infonodes.checkpoints import GrowingFiles


class Reporter:
    """Tells the folder, TensorBoard and the terminal.

    Attributes:
      evaluations: Those seen so far.
      episodes: (step, return) of the training episodes seen so far.
    """

    def __init__(self, config: RunConfig, folder: RunFolder, progress: bool):
        """Opens the bar; files are opened when there is something to write.

        Args:
          config: Of the run.
          folder: Of the run.
          progress: Whether to show the bar.
        """
        self._config, self._folder = config, folder
        self._events: Optional[tf.summary.SummaryWriter] = None
        self._began = time.monotonic()
        self.evaluations: list[Evaluation] = []
        self.episodes: list[tuple[int, float]] = []
        # The bar gives steps, steps a second and the time left.
        self._bar = tqdm.tqdm(
            total=config.steps, unit="step", smoothing=0.3, dynamic_ncols=True, disable=not progress
        )

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return round(time.monotonic() - self._began, 1)

    @property
    def _writer(self) -> tf.summary.SummaryWriter:
        if self._events is None:
            self._events = tf.summary.create_file_writer(self._folder.file("tensorboard"))
        return self._events

    def files(self) -> GrowingFiles:
        """Returns the files that only grow: a resumed run cuts them back to its checkpoint."""
        return GrowingFiles(self._folder.path, ("metrics.csv", "tensorboard"), self._flush, self._folder.close)

    def get_state(self) -> dict[str, Any]:
        """Returns what was seen so far."""
        evaluations = [dataclasses.asdict(e) for e in self.evaluations]
        return {"seconds": self.seconds, "episodes": self.episodes, "evaluations": evaluations}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on from there; the clock does not count the time between."""
        self._began = time.monotonic() - state["seconds"]
        self.episodes = [(step, total) for step, total in state["episodes"]]
        self.evaluations = [
            Evaluation(e["step"], tuple(e["returns"]), tuple(e["lengths"])) for e in state["evaluations"]
        ]

    def start_at(self, step: int) -> None:
        """Starts the bar at `step`."""
        self._bar.update(step)
        self._bar.unpause()

    def step(self, step: int, ended: Optional[tuple[float, int]]) -> None:
        """Records a step, and the (return, length) of the episode that it ended."""
        self._bar.update()
        if ended is None:
            return
        total, length = ended
        self.episodes.append((step, total))
        self._add(step, "episode", total, length=length)
        with self._writer.as_default():
            _scalar("episode/return", total, step)

    def evaluation(self, found: Evaluation, metrics: dict[str, float]) -> None:
        """Records an evaluation, and the last update's metrics."""
        self.evaluations.append(found)
        extra = {"loss": f"{metrics['loss']:.6g}"} if metrics else {}
        returns = " ".join(f"{r:.6g}" for r in found.returns)
        self._add(found.step, "eval", found.mean, length=f"{np.mean(found.lengths):.6g}", returns=returns, **extra)
        with self._writer.as_default():
            _scalar("evaluation/return", found.mean, found.step)
            for name, value in metrics.items():
                _scalar(f"train/{name}", value, found.step)
        self._writer.flush()
        self._bar.set_postfix({"return": f"{found.mean:.1f}", **extra})

    def draw(
        self, agent: tf_agent.TFAgent, metrics: dict[str, float], priorities: Optional[np.ndarray] = None
    ) -> None:
        """Draws the learning curve, and the graph with its costs; tells TensorBoard of the nodes.

        Args:
          agent: The agent.
          metrics: Of the last update.
          priorities: `[B]`, what that update gave back to the replay.
        """
        rows = self._folder.rows()
        plotting.learning_curve(
            [(int(r["step"]), float(r["return"])) for r in rows if r["kind"] == "episode"],
            [(int(r["step"]), [float(x) for x in r["returns"].split()]) for r in rows if r["kind"] == "eval"],
            self._folder.file("learning_curve.png"),
            f"{self._config.preset} on {self._config.env}, seed {self._config.seed}",
        )
        graph = getattr(agent, "graph", None)
        if graph is None:
            return  # A stock agent has no nodes to draw.
        costs = {n: metrics[f"{n}/cost"] for n in graph.names if f"{n}/cost" in metrics}
        drawing.save_png(graph, self._folder.file("graph.png"), costs)
        self._folder.write_text("graph.mmd", graph.draw("mermaid", costs) + "\n")
        with self._writer.as_default():
            step = self.evaluations[-1].step if self.evaluations else 0
            node_summaries.write(agent, costs, priorities, self._folder.file("graph.png"), step)
        self._writer.flush()

    def result(self, steps_per_s: float) -> None:
        """Writes `result.json`: all that a sweep reads."""
        self._folder.write_json("result.json", {
            "config": self._config.record(),
            "evaluations": [dataclasses.asdict(e) for e in self.evaluations],
            "seconds": self.seconds,
            "steps_per_s": round(steps_per_s, 1),
        })

    def close(self) -> None:
        """Closes files and bar."""
        self._bar.close()
        if self._events is not None:
            self._events.close()
        self._folder.close()

    def _flush(self) -> None:
        self._folder.flush()
        if self._events is not None:
            self._events.flush()

    def _add(self, step: int, kind: str, value: float, **more: Any) -> None:
        self._folder.add(step=step, kind=kind, seconds=self.seconds, **{"return": f"{value:.6g}"}, **more)


def _scalar(name: str, value: float, step: int) -> None:
    """Writes a scalar to TensorBoard, from arrays: TensorFlow keeps a tensor of each Python number it converted."""
    tf.summary.scalar(name, np.asarray(value, np.float32), step=np.asarray(step, np.int64))
