"""Ratios of speeds: contestants in turns, in several fresh processes, against their bars.

Two processes that run the same code differ by a tenth and more, in where their memory lies and which thread wakes
where: turns within one process do not average that out.
"""
from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import time
from multiprocessing import connection
from typing import Any, Callable, NamedTuple, Optional

import tensorflow as tf
from absl import flags
from tqdm import tqdm

from experiments import whole_files
from experiments.errors import RunError

_TURNS = flags.DEFINE_integer("turns", 7, "Turns of each contestant; the median counts.", lower_bound=1)
_PROCESSES = flags.DEFINE_integer("processes", 5, "Fresh processes; the median of each ratio counts.", lower_bound=1)
flags.disclaim_key_flags()
_DEADLINE_S = 1800.0


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


def exit_with(title: str, measure: Callable[[], list[Ratio]], out: str) -> None:
    """Does what `report` does, and exits with 1 on a miss, or with what failed."""
    try:
        reached = report(title, measure, out)
    except RunError as error:
        raise SystemExit(f"error: {error}") from error
    if not reached:
        raise SystemExit(1)


def report(title: str, measure: Callable[[], list[Ratio]], out: str) -> bool:
    """Measures in fresh processes, one after the other; prints and writes the table.

    Args:
      title: First lines of the page.
      measure: A function of a module, which knows the flags.
      out: Path of the page.

    Returns:
      Whether the median of each ratio reaches its bar.

    Raises:
      RunError: if a process died or took too long.
    """
    runs = [_in_process(measure) for _ in tqdm(range(_PROCESSES.value), unit="process", dynamic_ncols=True)]
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


def _in_process(measure: Callable[[], list[Ratio]]) -> list[Ratio]:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_send, args=(measure, sys.argv, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(_DEADLINE_S):
            raise RunError(f"a process measured for more than {_DEADLINE_S:.0f} s; ask for fewer --turns")
        return ours.recv()
    except EOFError as error:
        raise RunError("a process that measured died; what it said is above") from error
    finally:
        process.kill()
        process.join()


def _send(measure: Callable[[], list[Ratio]], argv: list[str], theirs: connection.Connection) -> None:
    flags.FLAGS(argv, known_only=True)
    theirs.send(measure())
