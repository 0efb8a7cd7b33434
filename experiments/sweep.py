"""Many runs: variants by seeds in worker processes, a cell at a time, resumable.

Cells are kept under runs/<name>/cells/, one JSON each: a cell that is there is not run again.
The results go to docs/results/<name>/: raw.csv, table.md, curves.png.
"""
from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence

from experiments import results
from experiments.errors import RunError
from experiments.run_config import RunConfig, with_overrides

_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
_LOG_LINES = 15
# What a cell that is told to end may still take.
_GRACE_S = 10.0


class _Processes:
    """The cells' processes that run now; after `stop`, none starts until `allow`."""

    def __init__(self) -> None:
        self._lock, self._running, self._stopped = threading.Lock(), set[subprocess.Popen](), False

    def allow(self) -> None:
        self._stopped = False

    def run(self, command: Sequence[str], deadline_s: float, **arguments: Any) -> Optional[int]:
        """Returns the exit status, or None if it took too long and was killed."""
        with self._lock:
            if self._stopped:
                return -signal.SIGTERM
            process = subprocess.Popen(command, **arguments)
            self._running.add(process)
        try:
            return process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None
        finally:
            self._running.discard(process)

    def stop(self) -> None:
        """Ends those that run."""
        with self._lock:
            self._stopped, running = True, list(self._running)
        for process in running:
            process.terminate()
        end = time.monotonic() + _GRACE_S
        for process in running:
            try:
                process.wait(max(end - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                process.kill()


_processes = _Processes()


@dataclasses.dataclass(frozen=True)
class Sweep:
    """What to run.

    Attributes:
      name: Of the results' folder.
      base: What all runs share.
      variants: Overrides by variant, as `with_overrides` takes them.
      seeds: The seeds of each variant.
      bar: Interquartile mean of the final returns to reach, if there is one.
    """

    name: str
    base: RunConfig
    variants: Mapping[str, Mapping[str, Any]]
    seeds: Sequence[int]
    bar: Optional[float] = None

    def cells(self) -> dict[str, RunConfig]:
        """Returns every run by `variant-seedK`.

        Raises:
          RunError: if a variant's overrides do not fit.
        """
        return {
            f"{variant}-seed{seed}": with_overrides(self.base, {**overrides, "seed": seed})
            for variant, overrides in self.variants.items()
            for seed in self.seeds
        }


def run(
    sweep: Sweep, workers: int = 2, cell_deadline_s: float = 3600.0, runs: str = "runs", docs: str = "docs/results"
) -> dict[str, results.Summary]:
    """Runs what is missing and writes the results; where cells failed, only if there are no results yet.

    Args:
      sweep: What to run.
      workers: Processes at a time, one TensorFlow thread each.
      cell_deadline_s: A run that takes longer is killed.
      runs: Folder of the cells and of their run folders.
      docs: Folder of the results.

    Returns:
      Summaries by variant.

    Raises:
      RunError: if cells failed, after the others are done; or were run with other settings; or if results that are
        there would lose runs, before any is run.
    """
    has = lambda variant, seed, step: variant in sweep.variants and seed in sweep.seeds and step <= sweep.base.steps
    raw = os.path.join(docs, sweep.name, "raw.csv")
    results.refuse_loss(raw, has)
    cells, home = sweep.cells(), os.path.join(os.path.realpath(runs), sweep.name)
    failures = run_missing(home, cells, functools.partial(_run_cell, deadline_s=cell_deadline_s), workers)
    found = read(sweep, runs)
    summaries = {}
    if any(found.values()) and not (failures and os.path.exists(raw)):
        summaries = results.write(os.path.join(docs, sweep.name), sweep.name, found, sweep.bar)
    if failures:
        told = "\n".join(f"--- {name}: {failure}" for name, failure in failures.items())
        raise RunError(f"{len(failures)} of {len(cells)} cells failed; run the sweep again to retry them\n{told}")
    return summaries


def run_missing(
    home: str, cells: Mapping[str, Any], run_one: Callable[..., Optional[str]], workers: int
) -> dict[str, str]:
    """Runs the cells that are not there; SIGINT and SIGTERM end those that run, and no other is begun.

    Args:
      home: Folder with the results, under cells/, and the logs.
      cells: Frozen records with a field `out`, by the cell's name.
      run_one: Called with home, name and record; returns why the cell failed, or None.
      workers: Cells at a time.

    Returns:
      Why cells failed, by name.

    Raises:
      RunError: if a cell was run with other settings, or other defaults.
    """
    os.makedirs(os.path.join(home, "cells"), exist_ok=True)
    missing = [name for name, config in cells.items() if not _is_done(cell_path(home, name), config)]
    print(f"{os.path.basename(home)}: {len(cells)} cells, {len(cells) - len(missing)} done before", flush=True)
    failures = {}
    _processes.allow()
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    try:
        with _sigterm_raises():
            jobs = {pool.submit(run_one, home, name, cells[name]): name for name in missing}
            for job in concurrent.futures.as_completed(jobs):
                name, failure = jobs[job], job.result()
                print(f"  {name}: {failure.splitlines()[0] if failure else 'done'}", flush=True)
                if failure:
                    failures[name] = failure
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        _processes.stop()
        raise
    pool.shutdown()
    return failures


@contextlib.contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Has SIGTERM end this process as Python's exit does, as SIGINT already does; in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: Any) -> None:
        del frame
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def read(sweep: Sweep, runs: str = "runs") -> dict[str, dict[int, list[tuple[int, float]]]]:
    """Returns the evaluations of the cells that are there, by variant and seed."""
    home = os.path.join(os.path.realpath(runs), sweep.name)
    paths = {(v, s): cell_path(home, f"{v}-seed{s}") for v in sweep.variants for s in sweep.seeds}
    there = {key: results.read_cell(path) for key, path in paths.items() if os.path.exists(path)}
    return {v: {s: there[v, s] for s in sweep.seeds if (v, s) in there} for v in sweep.variants}


def cell_path(home: str, name: str) -> str:
    """Returns where a cell's result is kept."""
    return os.path.join(home, "cells", f"{name}.json")


def _is_done(path: str, config: Any) -> bool:
    """Returns whether the cell is there, with this config."""
    if not os.path.exists(path):
        return False
    with open(path, encoding="utf-8") as file:
        found = json.load(file)["config"]
    had = RunConfig.from_record(found, f"cell {path!r}") if isinstance(config, RunConfig) else type(config)(**found)
    if dataclasses.replace(had, out=None) != dataclasses.replace(config, out=None):
        raise RunError(f"cell {path!r} was run with other settings; rename the sweep, or remove that file")
    return True


def _run_cell(home: str, name: str, config: RunConfig, deadline_s: float) -> Optional[str]:
    """Runs one cell in a process of its own; returns why it failed, or None."""
    out = os.path.join(home, f"{name}-{time.strftime('%Y%m%d-%H%M%S')}")
    config = dataclasses.replace(config, out=out)
    result = cell_path(home, name)
    command = [sys.executable, "-m", "experiments.run_cell", json.dumps(config.to_json()), result]
    return run_process(command, os.path.join(home, f"{name}.log"), deadline_s)


def run_process(command: Sequence[str], log_path: str, deadline_s: float) -> Optional[str]:
    """Runs a command from the repository's root with one thread; returns why it failed, or None.

    Args:
      command: What to run.
      log_path: Where its output goes.
      deadline_s: It is killed after so long.
    """
    env = {**os.environ, **dict.fromkeys(_THREADS, "1"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(log_path, "w+", encoding="utf-8") as log:
        status = _processes.run(command, deadline_s, env=env, cwd=here, stdout=log, stderr=log)
        if status is None:
            return f"took more than {deadline_s:g} s and was killed; raise cell_deadline_s, or ask for fewer steps"
        log.seek(0)
        tail = "".join(log.readlines()[-_LOG_LINES:])
    return None if status == 0 else f"exit status {status}; {log.name} ends with\n{tail}"
