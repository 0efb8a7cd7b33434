"""From cells to a table, a CSV and curves: interquartile means with bootstrap intervals."""
from __future__ import annotations

import csv
import json
import os
from typing import Any, Callable, Mapping, NamedTuple, Optional

import numpy as np
from scipy import stats

from experiments import plotting
from experiments.errors import RunError

_RESAMPLES = 5000

# Evaluations at an end of training that count as the final return.
LAST = 3
# What a table says of its intervals. Of four seeds, the middle half of 5 % of the draws is the worst one alone.
INTERVAL = "its 95 % bootstrap interval (of fewer than five seeds, their range)"

Runs = Mapping[int, list[tuple[int, float]]]  # (step, mean return) of the evaluations, by seed.


class Summary(NamedTuple):
    """One variant.

    Attributes:
      middle: Interquartile mean over the seeds of each seed's final return: the mean of its
        last evaluations, `LAST` of them.
      low: Lower end of its 95 % bootstrap interval.
      high: Upper end.
      worst: The worst seed's final return.
      seeds: How many there are.
    """

    middle: float
    low: float
    high: float
    worst: float
    seeds: int


def iqm(values: np.ndarray) -> float:
    """Returns the mean of the middle half (Agarwal et al. 2021, arXiv 2108.13264)."""
    return float(stats.trim_mean(values, 0.25))


def interval(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Returns the 95 % percentile-bootstrap interval of `iqm`, over runs."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(np.asarray(values, float), (_RESAMPLES, len(values)))
    low, high = np.percentile(stats.trim_mean(drawn, 0.25, axis=1), [2.5, 97.5])
    return float(low), float(high)


def read_cell(path: str) -> list[tuple[int, float]]:
    """Returns (step, mean return) of a cell's evaluations."""
    with open(path, encoding="utf-8") as file:
        return [(e["step"], float(np.mean(e["returns"]))) for e in json.load(file)["evaluations"]]


def summarise(runs: Runs) -> Summary:
    """Returns a variant's figures."""
    finals = np.array([np.mean([r for _, r in run[-LAST:]]) for run in runs.values()])
    return Summary(iqm(finals), *interval(finals), float(finals.min()), len(finals))


def refuse_loss(path: str, kept: Callable[[str, int, int], bool]) -> None:
    """Raises where results would be replaced by ones that have less.

    Args:
      path: CSV with the columns `variant`, `seed` and `step`; it need not be there.
      kept: Whether the new results have this variant, seed and step.

    Raises:
      RunError: naming the variants of which something would be lost.
    """
    if not os.path.exists(path):
        return
    with open(path, newline="", encoding="utf-8") as file:
        had = [(row["variant"], int(row["seed"]), int(row["step"])) for row in csv.DictReader(file)]
    lost = dict.fromkeys(row[0] for row in had if not kept(*row))
    if lost:
        raise RunError(
            f"{path} has runs that the new one would not have, of {','.join(lost)}: ask for them too (variants, "
            "seeds, steps), or move it away"
        )


def write(folder: str, name: str, variants: Mapping[str, Runs], bar: Optional[float] = None) -> dict[str, Summary]:
    """Writes raw.csv, table.md and curves.png.

    Args:
      folder: Where to; made if missing.
      name: Heading.
      variants: Runs by seed, by variant; variants without runs are left out.
      bar: Final return to reach.

    Returns:
      Summaries by variant.
    """
    os.makedirs(folder, exist_ok=True)
    variants = {variant: runs for variant, runs in variants.items() if runs}
    summaries = {variant: summarise(runs) for variant, runs in variants.items()}
    with open(os.path.join(folder, "raw.csv"), "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("variant", "seed", "step", "return"))
        for variant, runs in variants.items():
            rows.writerows((variant, seed, s, f"{r:.6g}") for seed, run in runs.items() for s, r in run)
    with open(os.path.join(folder, "table.md"), "w", encoding="utf-8") as file:
        file.write(table(name, summaries, bar))
    curves = {variant: curve(runs) for variant, runs in variants.items()}
    plotting.curves(curves, os.path.join(folder, "curves.png"), name, bar)
    return summaries


def table(name: str, summaries: Mapping[str, Summary], bar: Optional[float]) -> str:
    """Returns a Markdown table of the variants, and pass or miss where there is a bar."""
    lines = [
        f"# {name}\n",
        f"Greedy return, mean of the last {LAST} evaluations of each seed; interquartile mean over seeds with "
        f"{INTERVAL}.\n",
        "| variant | final return | 95 % interval | worst seed | seeds |" + (" bar |" if bar is not None else ""),
        "| --- | --- | --- | --- | --- |" + (" --- |" if bar is not None else ""),
    ]
    for variant, s in summaries.items():
        end = f" {verdict(s.middle, bar)} |" if bar is not None else ""
        lines.append(f"| {variant} | {s.middle:.4g} | {s.low:.4g} to {s.high:.4g} | {s.worst:.4g} | {s.seeds} |{end}")
    return "\n".join(lines) + "\n"


def verdict(value: float, bar: float) -> str:
    """Returns `pass` or `miss`, with the bar."""
    return f"{'pass' if value >= bar else 'miss'} (≥ {bar:g})"


def curve(runs: Runs) -> tuple[Any, ...]:
    """Returns steps, interquartile means and their intervals at the steps all seeds have."""
    by_seed = [dict(run) for run in runs.values()]
    steps = sorted(set.intersection(*(set(run) for run in by_seed)))
    values = [np.array([run[step] for run in by_seed]) for step in steps]
    low, high = zip(*(interval(v) for v in values)) if values else ((), ())
    return steps, [iqm(v) for v in values], low, high
