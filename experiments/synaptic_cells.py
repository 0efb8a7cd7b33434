"""Cells of the SynapticNode's experiments: one JSON file a variant and seed, and tables of them."""
from __future__ import annotations

import dataclasses
import json
import os
from typing import Any, Optional

import numpy as np

from experiments.errors import RunError
from experiments.synaptic_variants import VARIANTS, Variant
from experiments.whole_files import write_json

_WINDOW, _REACHED = 20, {"cartpole": 400.0, "acrobot": -100.0, "mountain_car": -130.0}


def _path(runs: str, task: str, label: str, seed: int) -> str:
    return os.path.join(runs, task, f"{label}-seed{seed}.json")


def _asked(variant: Variant) -> dict[str, Any]:
    """Returns what fixes a cell as JSON gives it back: what differs from a plain variant, the number of seeds aside."""
    plain = dataclasses.asdict(Variant())
    asked = {k: v for k, v in dataclasses.asdict(variant).items() if k != "seeds" and v != plain[k]}
    return json.loads(json.dumps(asked))


def missing(runs: str, task: str, label: str, variant: Variant) -> list[int]:
    """Returns the seeds without a cell.

    Raises:
      RunError: if a cell was run with other settings.
    """
    lacking = []
    for seed in range(variant.seeds):
        path = _path(runs, task, label, seed)
        if not os.path.exists(path):
            lacking.append(seed)
            continue
        with open(path, encoding="utf-8") as file:
            if json.load(file)["variant"] != _asked(variant):
                raise RunError(f"cell {path!r} was run with other settings; rename the variant, or remove that file")
    return lacking


def write(runs: str, task: str, label: str, variant: Variant, found: dict[str, Any]) -> None:
    """Writes a finished cell, whole or not at all."""
    path = _path(runs, task, label, found["seed"])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_json(path, {"variant": _asked(variant), **found})


def read(runs: str, task: str) -> dict[str, list[dict[str, Any]]]:
    """Returns the cells there are, by variant in their listed order, peers last, seeds in order."""
    folder = os.path.join(runs, task)
    names = sorted(n for n in (os.listdir(folder) if os.path.isdir(folder) else []) if n.endswith(".json"))
    found: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            found.setdefault(name.rpartition("-seed")[0], []).append(json.load(file))
    order = list(VARIANTS[task])
    labels = sorted(found, key=lambda label: order.index(label) if label in order else len(order))
    return {label: sorted(found[label], key=lambda cell: cell["seed"]) for label in labels}


def first_reach(returns: list[float], level: float) -> Optional[int]:
    """Returns the first episode at which the mean of 20 is `level` or more, None for never."""
    means = np.convolve(returns, np.ones(_WINDOW) / _WINDOW, "valid") if len(returns) >= _WINDOW else np.zeros(0)
    reached = np.flatnonzero(means >= level)
    return int(reached[0]) + _WINDOW if len(reached) else None


def tables(runs: str, docs: str, task: str) -> str:
    """Writes `TASK.md` and `TASK.csv` from all cells there are; returns the table."""
    cells = read(runs, task)
    level, good = _REACHED[task], "seeds ≥ 475" if task == "cartpole" else "best seed"
    lines = [
        f"# SynapticNode on {task}\n",
        "`@n`: mean training return, exploration included, of the 50 episodes up to n, ± its deviation over seeds.\n"
        "Greedy: mean return of 20 episodes of the greedy policy after training. Reach: median over seeds of the\n"
        f"episodes to a {_WINDOW}-episode mean of {level:g}, and how many seeds got there.\n",
        f"| variant | seeds | @50 | @150 | @300 | greedy (worst) | {good} | reach | env steps | edges |",
        "| --- " * 10 + "|",
    ]
    lines += [_row(label, found, task, level) for label, found in cells.items()]
    text = "\n".join(lines) + "\n"
    os.makedirs(docs, exist_ok=True)
    with open(os.path.join(docs, f"{task}.md"), "w", encoding="utf-8") as file:
        file.write(text)
    with open(os.path.join(docs, f"{task}.csv"), "w", encoding="utf-8") as file:
        file.write("variant,seed,greedy,edges,steps,reach\n")
        for label, found in cells.items():
            for cell in found:
                reach = first_reach(cell.get("returns", []), level)
                edges = cell.get("edges", "")
                file.write(f"{label},{cell['seed']},{cell['greedy']:.6g},{edges},{cell['steps']},{reach or ''}\n")
    return text


def _row(label: str, cells: list[dict[str, Any]], task: str, level: float) -> str:
    greedy = np.array([cell["greedy"] for cell in cells])
    columns = []
    for at in (50, 150, 300):
        parts = [np.mean(c["returns"][at - 50 : at]) for c in cells if len(c.get("returns", ())) >= at]
        columns.append(f"{np.mean(parts):.4g} ± {np.std(parts):.2g}" if parts else "")
    reached = [first_reach(cell.get("returns", []), level) for cell in cells]
    done = [r for r in reached if r is not None]
    # The median over all seeds: one that never reaches counts as later than any.
    middle = float(np.median([np.inf if r is None else r for r in reached]))
    best = f"{int((greedy >= 475).sum())}" if task == "cartpole" else f"{greedy.max():.4g}"
    reach = f"{f'{middle:.4g}' if np.isfinite(middle) else '-'} ({len(done)})"
    if "rollouts" in cells[0]:
        reach = f"{np.median([cell['rollouts'] for cell in cells]):.4g} rollouts"
    steps = np.mean([cell["steps"] for cell in cells])
    edges = np.mean([cell["edges"] for cell in cells]) if "edges" in cells[0] else float("nan")
    slots = f" of {cells[0]['slots']}" if "slots" in cells[0] else ""
    return (
        f"| {label} | {len(cells)} | {' | '.join(columns)} | {greedy.mean():.4g} ({greedy.min():.4g}) | {best} | "
        f"{reach} | {steps:,.0f} | {edges:.4g}{slots} |"
    )
