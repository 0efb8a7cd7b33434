"""Our agents beside their peers.

  python -m experiments.benchmarks --suite=short                    # a seed of 2 tasks, 3000 and 4000 steps
  python -m experiments.benchmarks --suite=all --seeds=5            # days of CPU; goes on where it was stopped
  python -m experiments.benchmarks --suite=cartpole --agents=random,predictive,tfa_dqn --docs=runs/docs
  python -m experiments.benchmarks --suite=all --report             # only writes the tables
  python -m experiments.benchmarks --suite=cartpole --seeds=10 --restore  # adds seeds to the committed five

Cells are kept under runs/benchmarks-SUITE/cells/, tables, curves and raw CSVs under docs/results/benchmarks/SUITE/.
Stable-Baselines3's cells run with --peer_python, see docs/benchmarks.md.
"""
from __future__ import annotations

import dataclasses
import functools
import json
import os
import shutil
import sys
import time
from typing import Optional

from absl import app, flags

from experiments import command_line, sweep, sweep_flags
from experiments.benchmarks import cells as cells_lib
from experiments.benchmarks import raw_results, reports
from experiments.benchmarks.cells import AGENTS, Cell

_SUITE = flags.DEFINE_string("suite", "short", "short, classic, all, or a task.")
_AGENTS = flags.DEFINE_list("agents", None, "Agents to run; all that fit by default, but for variants of presets.")
_PEER = flags.DEFINE_string("peer_python", None, "A Python with Stable-Baselines3; without it, its cells are left out.")
_DEADLINE = flags.DEFINE_float("cell_deadline_s", 4 * 3600.0, "A cell that takes longer is killed.")
_REPORT = flags.DEFINE_boolean("report", False, "Only write the tables of the cells that are there.")
_RESTORE = flags.DEFINE_boolean(
    "restore", False, "Take runs whose raw CSVs are under --docs as finished; all of them stay in the table."
)
_RUNS = flags.DEFINE_string("runs", "runs", "Folder of the cells.")
_DOCS = flags.DEFINE_string("docs", os.path.join("docs", "results", "benchmarks"), "Folder of the results.")
sweep_flags.adopt("seeds", "steps", "workers")
_SEEDS = {"short": 1}


def run_cell(home: str, name: str, cell: Cell, deadline_s: float, peer_python: Optional[str]) -> Optional[str]:
    """Runs one cell in a process of its own; returns why it failed, or None."""
    cell = dataclasses.replace(cell, out=os.path.join(home, f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"))
    peer = AGENTS[cell.agent][0] == "sb3"
    module = "experiments.benchmarks." + ("sb3_cell" if peer else "tf_cell")
    python = peer_python if peer and peer_python else sys.executable
    command = [python, "-m", module, json.dumps(cell.to_json()), sweep.cell_path(home, name)]
    return sweep.run_process(command, os.path.join(home, f"{name}.log"), deadline_s)


def main(argv: list) -> None:
    """Runs what is missing, writes the tables, and exits with 1 if cells failed."""
    command_line.check(argv)
    seeds = range(sweep_flags.SEEDS.value or _SEEDS.get(_SUITE.value, 5))
    home = os.path.join(os.path.realpath(_RUNS.value), f"benchmarks-{_SUITE.value}")
    docs = os.path.join(_DOCS.value, _SUITE.value)
    raw = os.path.join(docs, "raw")
    try:
        shown = asked = cells_lib.cells(_SUITE.value, seeds, _AGENTS.value, sweep_flags.STEPS.value)
        if _RESTORE.value:
            names = {*asked, *raw_results.published(raw)}
            shown = cells_lib.named(_SUITE.value, names, sweep_flags.STEPS.value)
            print(f"{len(raw_results.restore(raw, home, shown))} cells restored from {docs}")
        runnable = {} if _REPORT.value else _runnable(asked)
        raw_results.refuse_loss(raw, {**reports.there(home, shown), **runnable})
        run_one = functools.partial(run_cell, deadline_s=_DEADLINE.value, peer_python=_PEER.value)
        failures = sweep.run_missing(home, runnable, run_one, sweep_flags.WORKERS.value) if runnable else {}
        for name, failure in failures.items():
            print(f"--- {name}: {failure}", file=sys.stderr)
        print(reports.write(home, shown, docs))
    except ValueError as error:
        raise SystemExit(f"error: {error}") from error
    if failures:
        raise SystemExit(f"error: {len(failures)} cells failed; run it again to retry them")


def _runnable(asked: dict[str, Cell]) -> dict[str, Cell]:
    if _PEER.value and not shutil.which(_PEER.value):
        raise ValueError(
            f"--peer_python={_PEER.value!r}: no such program; docs/benchmarks.md says how to make an environment with "
            "Stable-Baselines3"
        )
    runnable = {name: c for name, c in asked.items() if AGENTS[c.agent][0] != "sb3" or _PEER.value}
    if len(runnable) < len(asked):
        print(f"{len(asked) - len(runnable)} cells of Stable-Baselines3 are left out: pass --peer_python")
    return runnable


if __name__ == "__main__":
    app.run(main)
