"""What came of runs, read from their folders, and the agents of their last checkpoints."""
from __future__ import annotations

import dataclasses
import json
import os
from typing import Any, Sequence

import numpy as np
from tf_agents.agents import tf_agent
from tf_agents.environments import py_environment
from tf_agents.specs import tensor_spec

from experiments import settings, tasks
from experiments.errors import RunError
from experiments.run_config import RunConfig
from experiments.run_folder import RunFolder
from infonodes.checkpoints import CheckpointFault, Checkpoints

CHECKPOINTS = "checkpoints"


@dataclasses.dataclass(frozen=True)
class Run:
    """One run as its folder tells it.

    Attributes:
      folder: Where its files are.
      config: What was asked.
      episodes: (step, return) of training episodes.
      evaluations: (step, returns) of greedy evaluations.
    """

    folder: RunFolder
    config: RunConfig
    episodes: list[tuple[int, float]]
    evaluations: list[tuple[int, list[float]]]

    @property
    def means(self) -> list[tuple[int, float]]:
        """(step, mean return) of the evaluations."""
        return [(step, float(np.mean(returns))) for step, returns in self.evaluations]

    def versions(self) -> dict[str, Any]:
        """Returns the versions it ran with; nothing if it did not write them."""
        path = self.folder.file("versions.json")
        if not os.path.exists(path):
            return {}
        with open(path, encoding="utf-8") as file:
            return json.load(file)

    def load_env(self) -> py_environment.PyEnvironment:
        """Returns a new environment of the run's kind."""
        return tasks.load(self.config.env)


def read(path: str) -> Run:
    """Returns the run in the folder `path`.

    Raises:
      RunError: if there is none, or it wrote no metrics.
    """
    if not os.path.isfile(os.path.join(path, "config.json")):
        raise RunError(f"run {path!r}: found no config.json; expected the folder of a run of experiments.train")
    folder = RunFolder.reopen(path)
    rows = folder.rows()
    evaluations = [(int(r["step"]), [float(x) for x in r["returns"].split()]) for r in rows if r["kind"] == "eval"]
    if not evaluations:
        raise RunError(f"run {path!r}: found no evaluation in metrics.csv; wait for the run's first")
    episodes = [(int(r["step"]), float(r["return"])) for r in rows if r["kind"] == "episode"]
    return Run(folder, folder.config(), episodes, evaluations)


def read_all(paths: Sequence[str]) -> list[Run]:
    """Returns several runs that differ by their seed alone.

    Raises:
      RunError: if they differ by more, or two have the same seed.
    """
    runs = [read(path) for path in paths]
    first = runs[0].config.to_json()
    for run in runs[1:]:
        other = run.config.to_json()
        differing = {k: (first[k], other[k]) for k in first if first[k] != other[k] and k not in ("seed", "out")}
        if differing:
            raise RunError(
                f"runs: {run.folder.path!r} differs from {runs[0].folder.path!r} in {differing} (first, other); "
                "an interval is over runs that differ by their seed alone: make a report of each kind"
            )
    seeds = [run.config.seed for run in runs]
    if len(set(seeds)) < len(seeds):
        raise RunError(f"runs: they have the seeds {seeds}; an interval is over different ones: leave one out")
    return runs


def load_agent(run: Run) -> tuple[tf_agent.TFAgent, int]:
    """Returns the run's agent as of its last checkpoint, and the steps it had trained.

    Raises:
      RunError: if there is no checkpoint, or it does not fit the run's config.
    """
    inside = run.folder.file(CHECKPOINTS)
    try:
        found = Checkpoints(inside, {}).newest() if os.path.isdir(inside) else None
        if found is None:
            raise RunError(
                f"run {run.folder.path!r}: found no checkpoint in {inside!r}; the run ended before its first"
            )
        env = run.load_env()
        specs = tensor_spec.from_spec((env.time_step_spec(), env.action_spec()))
        agent = settings.build_agent(run.config.preset, run.config.settings, *specs, run.config.seed)
        found.restore_one("agent", agent)
    except CheckpointFault as error:
        raise RunError(
            f"run {run.folder.path!r}: the checkpoint is damaged, or does not fit the agent of config.json: "
            f"{error}; use the version of infonodes that versions.json names"
        ) from error
    return agent, found.step
