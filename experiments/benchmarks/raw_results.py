"""A run's evaluations as a CSV, and back: published results can be added to without running them again."""
from __future__ import annotations

import csv
import os
import re
from typing import Any, Mapping

from experiments import sweep
from experiments.benchmarks.cells import Cell
from experiments.benchmarks.tasks import TASKS
from experiments.whole_files import write_json

_COLUMNS = ("step", "train_s", "episode", "return", "length")
_NAME = re.compile(r"(.+-seed\d+)\.csv")


def write(folder: str, name: str, run: Mapping[str, Any]) -> None:
    """Writes `NAME.csv`, a row an episode; of a bsuite task also `NAME-bsuite.csv`, what bsuite logged of training."""
    with open(_evaluations(folder, name), "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(_COLUMNS)
        for e in run["evaluations"]:
            for i, (value, length) in enumerate(zip(e["returns"], e["lengths"])):
                rows.writerow((e["step"], e["train_s"], i, f"{value:.6g}", length))
    if run.get("bsuite"):
        with open(_bsuite(folder, name), "w", newline="", encoding="utf-8") as file:
            logged = csv.DictWriter(file, list(run["bsuite"][0]))
            logged.writeheader()
            logged.writerows(run["bsuite"])


def published(folder: str) -> list[str]:
    """Returns the names of the runs whose evaluations are in `folder`."""
    files = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return [found[1] for found in map(_NAME.fullmatch, files) if found]


def refuse_loss(folder: str, cells: Mapping[str, Cell]) -> None:
    """Raises where a table of `cells` would leave out what is published.

    Args:
      folder: With what `write` wrote.
      cells: Those the table is of.

    Raises:
      sweep.RunError: for a published run that is not among them, or had other steps or episodes.
    """
    for name in published(folder):
        if name in cells:
            _read_evaluations(_evaluations(folder, name), cells[name])
    lost = [name for name in published(folder) if name not in cells]
    if lost:
        raise sweep.RunError(
            f"{folder!r} has {len(lost)} runs that the new table would not have, such as {lost[0]!r}: pass --restore "
            "to keep them (one of bsuite needs its NAME-bsuite.csv for that), or another --docs"
        )


def restore(folder: str, home: str, cells: Mapping[str, Cell]) -> list[str]:
    """Makes finished cells of the CSVs that are there.

    A CSV tells the steps of its run, but not what else was set or which version ran.

    Args:
      folder: With what `write` wrote.
      home: Where cells are, see `sweep.run_missing`; those that are there stay.
      cells: Those to look for.

    Returns:
      Names of the cells that were made.

    Raises:
      sweep.RunError: if a CSV has other evaluations than its cell.
    """
    os.makedirs(os.path.join(home, "cells"), exist_ok=True)
    made = []
    for name, cell in cells.items():
        target, logged = sweep.cell_path(home, name), TASKS[cell.task].source == "bsuite"
        wanted = [_evaluations(folder, name), *([_bsuite(folder, name)] if logged else [])]
        if os.path.exists(target) or not all(map(os.path.exists, wanted)):
            continue
        run: dict[str, Any] = {"config": cell.to_json(), "evaluations": _read_evaluations(wanted[0], cell)}
        if logged:
            run["bsuite"] = [{k: float(v) for k, v in row.items()} for row in _rows(wanted[1])]
        write_json(target, run)
        made.append(name)
    return made


def _evaluations(folder: str, name: str) -> str:
    return os.path.join(folder, f"{name}.csv")


def _bsuite(folder: str, name: str) -> str:
    return os.path.join(folder, f"{name}-bsuite.csv")


def _rows(path: str) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _read_evaluations(path: str, cell: Cell) -> list[dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for row in _rows(path):
        if int(row["step"]) == 0:  # Before any learning: older runs of synaptic were evaluated there too.
            continue
        start = {"step": int(row["step"]), "train_s": float(row["train_s"]), "returns": [], "lengths": []}
        at = found.setdefault(int(row["step"]), start)
        at["returns"].append(float(row["return"]))
        at["lengths"].append(int(row["length"]))
    expected = dict.fromkeys(range(cell.eval_every, cell.steps + 1, cell.eval_every), cell.eval_episodes)
    got = {step: len(e["returns"]) for step, e in found.items()}
    if got != expected:
        raise sweep.RunError(
            f"{path}: expected {cell.eval_episodes} episodes at each of {list(expected)} steps, got {got}; "
            "ask for the steps it was run with, or pass another --docs"
        )
    return list(found.values())
