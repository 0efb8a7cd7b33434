"""How a distributed run goes with more collectors, and for longer.

  python -m experiments.bench_scale --collectors=1,2,4 --seconds=60
  python -m experiments.bench_scale --collectors=1 --seconds=1800 --out=docs/results/soak.md

Of each number of collectors: windows and moves a second, updates a second, the age of the
weights that collectors act by, and how much memory and how many threads and open files each
process gained after a warm-up.
"""
from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tempfile
import time
from typing import Any

from absl import flags

from experiments.distributed import isolation, plan, roles
from experiments.distributed.supervisor import Supervisor
from experiments.errors import RunError
from experiments.process_figures import open_files, rss_mb, threads
from experiments.run_config import RunConfig

flags.declare_key_flag("give_up_s")
flags.declare_key_flag("expose_replay")
_COLLECTORS = flags.DEFINE_list("collectors", ["1", "2", "4"], "How many, in turn.")
_SECONDS = flags.DEFINE_float("seconds", 60.0, "How long each is measured.")
_WARMUP_S = flags.DEFINE_float("warmup_s", 15.0, "What comes before, once all roles get on.")
_PRESET = flags.DEFINE_string("preset", "reactive", "Which agent.")
_LEARN = flags.DEFINE_multi_string("role_flag", [], "As for the launcher.")
_OUT = flags.DEFINE_string("out", os.path.join("docs", "results", "scale.md"), "Gets the table.")
_START_S = 600.0
_COLUMNS = (
    "collectors", "windows/s", "moves/s", "updates/s", "weight age, median ms", "p95 ms", "longest stall, s",
    "memory gained, MB/min (server, learner, a collector)", "the same, % of what it was", "threads gained",
    "open files gained", "restarts",
)


def measure(collectors: int) -> dict[str, Any]:
    """Runs with so many collectors and returns a row of the table."""
    config = RunConfig(preset=_PRESET.value, steps=10_000_000)
    folder = plan.prepare(config, os.path.join(tempfile.mkdtemp(prefix="scale-"), "run"))
    supervisor = Supervisor(plan.children(folder, collectors, 1, list(_LEARN.value)), folder.file("logs"))
    supervisor.start_all()
    try:
        _tend(supervisor, _START_S, lambda: _all_get_on(folder.path, supervisor))
        _tend(supervisor, _WARMUP_S.value)
        first, stalls = _snapshot(folder.path, supervisor), _Stalls(folder.path)
        _tend(supervisor, _SECONDS.value, stalls.look)
        last = _snapshot(folder.path, supervisor)
    finally:
        supervisor.stop()
    seconds = last["time_s"] - first["time_s"]
    rate = lambda name: (last[name] - first[name]) / seconds
    gained = {
        kind: [(last[kind][role] - first[kind][role], first[kind][role]) for role in ("server", "learn", "collect-0")]
        for kind in ("rss", "threads", "files")
    }
    joined = lambda kind, tell: ", ".join(tell(more, at_first) for more, at_first in gained[kind])
    return dict(zip(_COLUMNS, (
        collectors, f"{rate('written'):.0f}", f"{rate('moves'):.0f}", f"{rate('step'):.1f}",
        f"{1e3 * last['age_median_s']:.0f}", f"{1e3 * last['age_p95_s']:.0f}", f"{stalls.longest_s:.1f}",
        joined("rss", lambda more, _: f"{more / seconds * 60.0:+.1f}"),
        joined("rss", lambda more, at_first: f"{100.0 * more / at_first:+.1f}"),
        joined("threads", lambda more, _: f"{more:+d}"), joined("files", lambda more, _: f"{more:+d}"),
        sum(c.restarts for c in supervisor.children.values()),
    )))


class _Stalls:
    """The longest time without an update; status comes each second."""

    def __init__(self, path: str):
        self._path, self._step, self._since, self.longest_s = path, -1, time.monotonic(), 0.0

    def look(self) -> bool:
        """Takes the learner's status; never done."""
        step, now = roles.read_status(self._path, "learn").get("step", 0), time.monotonic()
        self.longest_s = max(self.longest_s, now - self._since)
        if step != self._step:
            self._step, self._since = step, now
        return False


def _all_get_on(path: str, supervisor: Supervisor) -> bool:
    counts = [
        roles.read_status(path, name).get("step" if name == "learn" else "moves", 0)
        for name in supervisor.children if name != "server"
    ]
    return min(counts) > 0


def _tend(supervisor: Supervisor, seconds: float, done: Any = None) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        code = supervisor.tend()
        if code is not None:
            raise RunError(f"the run ended with code {code}")
        if done is not None and done():
            return
        time.sleep(0.2)
    if done is not None and not hasattr(done, "__self__"):
        raise RunError(f"not all roles got on within {seconds:g} s")


def _snapshot(path: str, supervisor: Supervisor) -> dict[str, Any]:
    learn = roles.read_status(path, "learn")
    collect = [roles.read_status(path, name) for name in supervisor.children if name.startswith("collect")]
    total = lambda name: sum(c[name] for c in collect)
    mean = lambda name: sum(c[name] for c in collect) / len(collect)
    return {
        "time_s": time.time(), "step": learn["step"], "moves": total("moves"), "written": total("written"),
        "age_median_s": mean("age_median_s"), "age_p95_s": mean("age_p95_s"),
        **{
            kind: {name: look(f"/proc/{child.process.pid}") for name, child in supervisor.children.items()}
            for kind, look in (("rss", rss_mb), ("threads", threads), ("files", open_files))
        },
    }


def main() -> int:
    """Measures and writes the table."""
    isolation.enter("experiments.bench_scale")
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|" + " --- |" * len(_COLUMNS)]
    for collectors in map(int, _COLLECTORS.value):
        row = measure(collectors)
        lines.append("| " + " | ".join(str(row[c]) for c in _COLUMNS) + " |")
        print(lines[-1], flush=True)
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    head = (
        f"# Scale\n\n`python -m experiments.bench_scale --collectors={','.join(_COLLECTORS.value)} "
        f"--seconds={_SECONDS.value:g}`: preset `{_PRESET.value}` on CartPole, weights published every 10 updates, one "
        f"TensorFlow thread a process, {os.cpu_count()} CPUs, load averages at the end {load}.\n\n"
    )
    with open(_OUT.value, "w", encoding="utf-8") as file:
        file.write(head + "\n".join(lines) + "\n")
    return roles.DONE


if __name__ == "__main__":
    roles.run(main)
