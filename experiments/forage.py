"""Does an agent with a body learn to live on a budget?

  python -m experiments.forage                    # all cells, 5 seeds; those that are done are kept
  python -m experiments.forage --seeds=1 --only=embodied

Random, TF-Agents' DqnAgent and the embodied agent in the same world, with the same observations, steps, updates,
batches, discount, network and schedule of exploration; and the embodied agent where acting is free. Cells
are kept under runs/forage/cells/; tables and pictures go to docs/results/forage/.
"""
from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import tqdm
from absl import app

from experiments import command_line, results, sweep_flags
from experiments.errors import RunError
from experiments.forage_training import ForageRun

sweep_flags.adopt("seeds", "steps", "workers", "only")

VARIANTS: dict[str, dict[str, Any]] = {
    "random": {"agent": "random"},
    "dqn": {"agent": "dqn"},
    "embodied": {"agent": "embodied"},
    "embodied_free": {"agent": "embodied", "bill": False},
}
FIGURES = ("spent_per_food", "food_per_tick", "poison_per_tick")
SEEDS = 5
HOME = os.path.join("runs", "forage")
DOCS = os.path.join("docs", "results", "forage")
_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


def build() -> dict[str, ForageRun]:
    """Returns every run that the flags ask for, by `variant-seedK`."""
    steps = {} if sweep_flags.STEPS.value is None else {"steps": sweep_flags.STEPS.value}
    chosen = sweep_flags.ONLY.value or list(VARIANTS)
    strangers = sorted(set(chosen) - set(VARIANTS))
    if strangers:
        raise SystemExit(f"error: --only={strangers}: expected some of {list(VARIANTS)}")
    return {
        f"{variant}-seed{seed}": ForageRun(**VARIANTS[variant], seed=seed, **steps)
        for seed in range(sweep_flags.SEEDS.value or SEEDS)
        for variant in chosen
    }


def cell(name: str) -> str:
    """Returns the path of a cell's result."""
    return os.path.join(HOME, "cells", f"{name}.json")


def run_cell(name: str, run: ForageRun) -> int:
    """Runs one cell in a process of its own, unless it is done; returns its exit status.

    Raises:
      SystemExit: if it was done with other settings.
    """
    config = dataclasses.asdict(run)
    if os.path.exists(cell(name)):
        with open(cell(name), encoding="utf-8") as file:
            had = json.load(file)["config"]
        if had != json.loads(json.dumps(config)):
            raise SystemExit(f"error: cell {cell(name)!r} was run with other settings; remove that file")
        return 0
    env = {**os.environ, **dict.fromkeys(_THREADS, "1"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "experiments.forage_cell", json.dumps(config), cell(name), DOCS]
    with open(os.path.join(HOME, f"{name}.log"), "w", encoding="utf-8") as log:
        return subprocess.run(command, env=env, stdout=log, stderr=log, check=False).returncode


def read() -> dict[str, dict[int, dict[str, Any]]]:
    """Returns the cells that are there, by variant and seed."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for variant in VARIANTS:
        for seed in range(sweep_flags.SEEDS.value or SEEDS):
            if os.path.exists(cell(f"{variant}-seed{seed}")):
                with open(cell(f"{variant}-seed{seed}"), encoding="utf-8") as file:
                    found.setdefault(variant, {})[seed] = json.load(file)
    return found


def will_have(runs: dict[str, ForageRun], variant: str, seed: int, step: int) -> bool:
    """Returns whether `read` will have this evaluation, once `runs` are done."""
    name = f"{variant}-seed{seed}"
    asked = name in runs and step <= runs[name].steps
    return seed < (sweep_flags.SEEDS.value or SEEDS) and (asked or os.path.exists(cell(name)))


def late(cells: dict[int, dict[str, Any]], figure: str) -> np.ndarray:
    """Returns each seed's figure, the mean of its last evaluations."""
    return np.array([np.mean([e[figure] for e in c["evaluations"][-results.LAST:]]) for c in cells.values()])


def report(found: dict[str, dict[int, dict[str, Any]]]) -> str:
    """Writes raw.csv, table.md and curves.png, and returns the table with the bars."""
    lives = {
        variant: {seed: [(e["step"], e["life"]) for e in c["evaluations"]] for seed, c in cells.items()}
        for variant, cells in found.items()
    }
    results.write(DOCS, "forage", lives)
    lines = [
        "# forage\n",
        f"Ticks lived, and what acting cost by the price list: means of the last {results.LAST} greedy evaluations of "
        f"each seed; interquartile mean over seeds with {results.INTERVAL}.\n",
        "| variant | life | 95 % interval | worst seed | seeds | " + " | ".join(FIGURES).replace("_", " ") + " |",
        "| --- " * (5 + len(FIGURES)) + "|",
    ]
    for variant, cells in found.items():
        life = late(cells, "life")
        low, high = results.interval(life)
        rest = " | ".join(f"{results.iqm(late(cells, figure)):.3g}" for figure in FIGURES)
        interval = f"{low:.1f} to {high:.1f}"
        lines.append(f"| {variant} | {results.iqm(life):.1f} | {interval} | {life.min():.1f} | {len(life)} | {rest} |")
    lines += ["", *bars(found)]
    text = "\n".join(lines) + "\n"
    with open(os.path.join(DOCS, "table.md"), "w", encoding="utf-8") as file:
        file.write(text)
    return text


def bars(found: dict[str, dict[int, dict[str, Any]]]) -> list[str]:
    """Returns a line a figure that can be told, of the means over the seeds that both sides have."""

    def mean(variant: str, other: str, figure: str) -> float:
        both = {seed: cell for seed, cell in found[variant].items() if seed in found[other]}
        return float(late(both, figure).mean())

    lines = []
    for other, bar in (("random", 5.0), ("dqn", 1.2)):
        if {"embodied", other} <= set(found):
            ratio = mean("embodied", other, "life") / mean(other, "embodied", "life")
            lines.append(f"- mean life, embodied / {other}: {ratio:.2f}, {results.verdict(ratio, bar)}")
    if {"embodied", "dqn"} <= set(found):
        ratio = mean("embodied", "dqn", "life") / mean("dqn", "embodied", "life_slow")
        lines.append(f"- the same, were the DqnAgent evaluated by its target network too: {ratio:.2f}")
    if {"embodied", "embodied_free"} <= set(found):
        billed, free = ("embodied", "embodied_free"), ("embodied_free", "embodied")
        saved = 1.0 - mean(*billed, "spent_per_food") / mean(*free, "spent_per_food")
        lines.append(f"- energy for a unit of food, saved by the bill: {saved:.2f}, {results.verdict(saved, 0.3)}")
    return lines


def main(argv: list) -> None:
    """Runs what is missing, prints the figures, and exits with 1 on a miss."""
    command_line.check(argv)
    runs = build()
    try:
        results.refuse_loss(os.path.join(DOCS, "raw.csv"), lambda *row: will_have(runs, *row))
    except RunError as error:
        raise SystemExit(f"error: {error}") from error
    os.makedirs(os.path.join(HOME, "cells"), exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(sweep_flags.WORKERS.value) as pool:
        jobs = {pool.submit(run_cell, name, run): name for name, run in runs.items()}
        failed = []
        for job in tqdm.tqdm(concurrent.futures.as_completed(jobs), total=len(jobs), unit="cell"):
            failed += [jobs[job]] * bool(job.result())
    text = report(read())
    print(text)
    if failed:
        raise SystemExit(f"error: cells {sorted(failed)} failed; see {HOME}/NAME.log, and run it again to retry them")
    if "miss" in text:
        raise SystemExit(1)


if __name__ == "__main__":
    app.run(main)
