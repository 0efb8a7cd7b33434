"""From cells to tables, curves by steps and by wall-clock, and a CSV a seed."""
from __future__ import annotations

import dataclasses
import json
import os
from typing import Any, Mapping

import numpy as np

from experiments import plotting, results, sweep
from experiments.benchmarks import raw_results
from experiments.benchmarks.cells import Cell
from experiments.benchmarks.tasks import TASKS


def write(home: str, cells: Mapping[str, Cell], docs: str) -> str:
    """Writes `table.md`, two pictures a task, and `raw/CELL.csv`.

    Args:
      home: Where cells are, see `sweep.run_missing`.
      cells: Those the table is of; it says how many of each are there.
      docs: Folder of the results.

    Returns:
      The table.

    Raises:
      sweep.RunError: if no cell is there, or a published one would be left out; a table that was is left as it is.
    """
    found = read(home, cells)
    if not found:
        raise sweep.RunError(f"no finished cells of {sorted({c.task for c in cells.values()})} under {home!r}")
    raw = os.path.join(docs, "raw")
    raw_results.refuse_loss(raw, there(home, cells))
    os.makedirs(raw, exist_ok=True)
    lines = [
        f"# Benchmarks: {os.path.basename(docs)}\n",
        f"Greedy return, mean of the last {results.LAST} evaluations of each seed; interquartile mean over seeds with "
        f"{results.INTERVAL}. Seconds: of acting and learning in a whole run, one thread, evaluation left out, "
        "median over seeds. All agents play the same evaluation episodes at a seed.\n",
        "| task | env steps | agent | final return | 95 % interval | worst seed | seeds | seconds | bsuite |",
        "| --- " * 9 + "|",
    ]
    for task in dict.fromkeys(cell.task for cell in cells.values()):
        lines += _task(task, found.get(task, {}), docs)
    text = "\n".join(lines) + "\n"
    with open(os.path.join(docs, "table.md"), "w", encoding="utf-8") as file:
        file.write(text)
    return text


def there(home: str, cells: Mapping[str, Cell]) -> dict[str, Cell]:
    """Returns the cells that are finished."""
    return {name: cell for name, cell in cells.items() if os.path.exists(sweep.cell_path(home, name))}


def read(home: str, cells: Mapping[str, Cell]) -> dict[str, dict[str, dict[int, dict[str, Any]]]]:
    """Returns the results that are there, by task, agent and seed.

    Raises:
      sweep.RunError: if a cell was run with other settings.
    """
    found: dict[str, dict[str, dict[int, dict[str, Any]]]] = {}
    for name, cell in there(home, cells).items():
        path = sweep.cell_path(home, name)
        with open(path, encoding="utf-8") as file:
            run = json.load(file)
        if dataclasses.replace(Cell(**run["config"]), out=None) != cell:
            raise sweep.RunError(f"cell {path!r} was run with other settings; pass another --runs, or remove that file")
        found.setdefault(cell.task, {}).setdefault(cell.agent, {})[cell.seed] = run
    return found


def by_time(runs: Mapping[int, dict[str, Any]]) -> tuple[list[float], list[float], list[float], list[float]]:
    """Returns seconds, interquartile means and their intervals.

    At each evaluation, over the seeds, of the returns, against the median of their seconds.
    """
    count = min(len(run["evaluations"]) for run in runs.values())
    seconds, middles, lows, highs = [], [], [], []
    for i in range(count):
        at = [run["evaluations"][i] for run in runs.values()]
        returns = np.array([np.mean(e["returns"]) for e in at])
        low, high = results.interval(returns)
        seconds.append(float(np.median([e["train_s"] for e in at])))
        middles.append(results.iqm(returns))
        lows.append(low)
        highs.append(high)
    return seconds, middles, lows, highs


def _task(task: str, agents: dict[str, dict[int, dict[str, Any]]], docs: str) -> list[str]:
    """Writes a task's files; returns its rows of the table."""
    lines, steps, times = [], {}, {}
    for agent, runs in agents.items():
        for seed, run in runs.items():
            raw_results.write(os.path.join(docs, "raw"), f"{task}-{agent}-seed{seed}", run)
        means = {
            seed: [(e["step"], float(np.mean(e["returns"]))) for e in run["evaluations"]] for seed, run in runs.items()
        }
        s = results.summarise(means)
        seconds = np.median([run["evaluations"][-1]["train_s"] for run in runs.values()])
        total = next(iter(runs.values()))["config"]["steps"]
        lines.append(
            f"| {task} | {total:,} | {agent} | {s.middle:.4g} | {s.low:.4g} to {s.high:.4g} | {s.worst:.4g} | "
            f"{s.seeds} | {seconds:.0f} | {_bsuite(task, runs)} |"
        )
        steps[agent], times[agent] = results.curve(means), by_time(runs)
    if agents:
        repeat = f", action repeat {TASKS[task].repeat}" if TASKS[task].repeat > 1 else ""
        plotting.curves(steps, os.path.join(docs, f"{task}_steps.png"), f"{task}{repeat}")
        path = os.path.join(docs, f"{task}_seconds.png")
        plotting.curves(times, path, f"{task}{repeat}", x_label="seconds of acting and learning, one thread")
    return lines


def _bsuite(task: str, runs: Mapping[int, dict[str, Any]]) -> str:
    """Returns the mean of bsuite's own score over the seeds, and the part of its episodes that were played."""
    if TASKS[task].source != "bsuite":
        return ""
    from experiments.benchmarks import bsuite_scores

    scores = [bsuite_scores.score(TASKS[task].name, run["bsuite"]) for run in runs.values()]
    played = np.mean([bsuite_scores.played(TASKS[task].name, run["bsuite"]) for run in runs.values()])
    return f"{np.mean(scores):.3g} ({played:.0%} of its episodes)"
