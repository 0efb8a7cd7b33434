"""Ratios of speeds: contestants in turns, in several fresh processes, against their bars.

Two processes that run the same code differ by a tenth and more, in where their memory lies and which thread wakes
where: turns within one process do not average that out.
"""
from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import statistics
import sys
import time
from typing import Any, Callable, NamedTuple, Optional

import tensorflow as tf
from absl import flags
from tqdm import tqdm

from experiments import whole_files

_TURNS = flags.DEFINE_integer("turns", 7, "Turns of each contestant; the median counts.", lower_bound=1)
_PROCESSES = flags.DEFINE_integer("processes", 5, "Fresh processes; the median of each ratio counts.", lower_bound=1)
flags.disclaim_key_flags()


class Ratio(NamedTuple):
    """One ratio of a process.

    Attributes:
      what: What is compared.
      value: The ratio.
      bar: What it should reach; None for none.
      at_least: Whether the bar is a lower bound, not an upper one.
      times: What it was made of, by contestant and unit.
    """

    what: str
    value: float
    bar: Optional[float]
    at_least: bool
    times: dict[str, float]


def adopt() -> None:
    """Makes the flags of this module the caller's."""
    for name in ("turns", "processes"):
        flags.declare_key_flag(name)


def in_turns(contestants: dict[Any, Callable[[], Any]], calls: int) -> dict[Any, float]:
    """Returns the median ms a call of each contestant, measured in turns."""
    for call in contestants.values():
        call()
        call()
    times: dict[Any, list[float]] = {name: [] for name in contestants}
    for _ in range(_TURNS.value):
        for name, call in contestants.items():
            began = time.perf_counter()
            for _ in range(calls):
                call()
            times[name].append((time.perf_counter() - began) / calls * 1e3)
    return {name: statistics.median(found) for name, found in times.items()}


def report(title: str, measure: Callable[[], list[Ratio]], out: str) -> bool:
    """Measures in fresh processes, one after the other; prints and writes the table.

    Args:
      title: First lines of the page.
      measure: A function of a module, which knows the flags.
      out: Path of the page.

    Returns:
      Whether the median of each ratio reaches its bar.
    """
    runs, spawn = [], multiprocessing.get_context("spawn")
    for _ in tqdm(range(_PROCESSES.value), unit="process", dynamic_ncols=True):
        with concurrent.futures.ProcessPoolExecutor(1, spawn, _parse, (sys.argv,)) as pool:
            runs.append(pool.submit(measure).result())
    lines, passed = table(runs)
    how = f"Medians and range of {_PROCESSES.value} processes of {_TURNS.value} turns each. TF {tf.__version__}."
    text = "\n".join([title, "", how, "", *lines, ""])
    os.makedirs(os.path.dirname(out) or ".", exist_ok=True)
    whole_files.write_text(out, text)
    print(text)
    return passed


def table(runs: list[list[Ratio]]) -> tuple[list[str], bool]:
    """Returns the lines of a table of what each process found, and whether all medians reach their bars."""
    lines = ["| what | measured | bar | | a step or call |", "| --- | --- | --- | --- | --- |"]
    passed = True
    for found in zip(*runs):
        what, _, bar, at_least, _ = found[0]
        values = [ratio.value for ratio in found]
        median = statistics.median(values)
        reached = bar is None or (median >= bar if at_least else median <= bar)
        passed = passed and reached
        asked, verdict = "-", ""
        if bar is not None:
            asked, verdict = f"{'≥' if at_least else '≤'} {bar:g}", "pass" if reached else "MISS"
        times = {name: statistics.median(ratio.times[name] for ratio in found) for name in found[0].times}
        details = ", ".join(f"{name} {time:.4g}" for name, time in times.items())
        measured = f"{median:.3g} [{min(values):.3g}, {max(values):.3g}]"
        lines.append(f"| {what} | {measured} | {asked} | {verdict} | {details} |")
    return lines, passed


def _parse(argv: list[str]) -> None:
    flags.FLAGS(argv, known_only=True)
