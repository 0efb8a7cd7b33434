"""A sweep runs what is missing, and its figures are the ones defined."""
import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from experiments import ablations, learning, results, sweep
from experiments.errors import RunError
from experiments.run_config import RunConfig

BASE = RunConfig(env="probe/one_action", steps=100, eval_every=50, warmup=40, eval_episodes=2)
SWEEP = sweep.Sweep("tiny", BASE, {"a": {}, "b": {"replay.exponent": 0.0}}, (0, 1), bar=0.0)


@pytest.fixture
def fake_runs(monkeypatch):
    """Cells that cost nothing: seed 1 of `b` fails until told otherwise."""
    calls, broken = [], {"b-seed1"}

    def run_cell(home, name, config, deadline_s):
        calls.append(name)
        if name in broken:
            return "exit status 1; no luck"
        evaluations = [{"step": s, "returns": [config.seed, config.seed + 1.0]} for s in (50, 100)]
        with open(os.path.join(home, "cells", f"{name}.json"), "w", encoding="utf-8") as file:
            json.dump({"config": config.record(), "evaluations": evaluations}, file)
        return None

    monkeypatch.setattr(sweep, "_run_cell", run_cell)
    return calls, broken


def test_a_sweep_resumes_cell_by_cell(fake_runs, tmp_path):
    calls, broken = fake_runs
    where = {"runs": str(tmp_path / "runs"), "docs": str(tmp_path / "docs")}
    with pytest.raises(RunError, match="1 of 4 cells failed"):
        sweep.run(SWEEP, **where)
    assert sorted(calls) == ["a-seed0", "a-seed1", "b-seed0", "b-seed1"]
    broken.clear()
    calls.clear()
    found = sweep.run(SWEEP, **where)
    assert calls == ["b-seed1"]
    assert found["a"].seeds == 2 and found["a"].middle == 1.0 and found["a"].worst == 0.5
    with open(tmp_path / "docs" / "tiny" / "raw.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 2 and rows[0] == {"variant": "a", "seed": "0", "step": "50", "return": "0.5"}
    assert "pass (≥ 0)" in (tmp_path / "docs" / "tiny" / "table.md").read_text(encoding="utf-8")
    assert (tmp_path / "docs" / "tiny" / "curves.png").stat().st_size > 1000


def test_a_cell_of_other_settings_is_refused(fake_runs, tmp_path):
    calls, broken = fake_runs
    broken.clear()
    where = {"runs": str(tmp_path / "runs"), "docs": str(tmp_path / "docs")}
    sweep.run(SWEEP, **where)
    other = sweep.Sweep("tiny", RunConfig(env="probe/one_action", steps=200), SWEEP.variants, (0, 1))
    with pytest.raises(RunError, match="other settings"):
        sweep.run(other, **where)


def test_a_cell_of_other_defaults_is_refused(fake_runs, tmp_path):
    """It would pass for one of today's: what a cell asked for is the same."""
    fake_runs[1].clear()
    where = {"runs": str(tmp_path / "runs"), "docs": str(tmp_path / "docs")}
    sweep.run(SWEEP, **where)
    path = tmp_path / "runs" / "tiny" / "cells" / "a-seed1.json"
    cell = json.loads(path.read_text(encoding="utf-8"))
    cell["config"]["resolved"]["reward"]["gamma"] = 0.5
    path.write_text(json.dumps(cell), encoding="utf-8")
    with pytest.raises(RunError, match="a-seed1.json.*reward.gamma: 0.5 then, 0.98 now"):
        sweep.run(SWEEP, **where)


def test_where_cells_failed_results_that_are_there_stay(fake_runs, tmp_path):
    broken = fake_runs[1]
    broken.clear()
    docs = str(tmp_path / "docs")
    sweep.run(SWEEP, runs=str(tmp_path / "runs"), docs=docs)
    before = (tmp_path / "docs" / "tiny" / "raw.csv").read_bytes()
    broken.add("b-seed1")
    with pytest.raises(RunError, match="1 of 4 cells failed"):
        sweep.run(SWEEP, runs=str(tmp_path / "others"), docs=docs)
    assert (tmp_path / "docs" / "tiny" / "raw.csv").read_bytes() == before


_STOPPED = """
import os, sys
from experiments import sweep

def one(home, name, record):
    print("START", name, flush=True)
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    return sweep.run_process([sys.executable, "-S", "-c", code], os.path.join(home, name + ".log"), 60)

sweep.run_missing(sys.argv[1], {f"c{i}": object() for i in range(6)}, one, 2)
"""


def pids(folder):
    """Returns the process ids that the cells wrote into their logs."""
    return [int(path.read_text()) for path in folder.glob("*.log") if path.read_text().strip()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_cells_and_begins_no_other(tmp_path, number):
    """SIGINT once waited for all the cells that were queued, and SIGTERM left those that ran."""
    home, deadline = tmp_path / "home", time.monotonic() + 60.0
    home.mkdir()
    with open(tmp_path / "out", "w+", encoding="utf-8") as out:
        process = subprocess.Popen([sys.executable, "-c", _STOPPED, str(home)], stdout=out, stderr=out)
        while len(pids(home)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(20.0) != 0
        out.seek(0)
        assert out.read().count("START") == 2
    for pid in pids(home):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_cell_that_takes_too_long_is_killed(tmp_path):
    log = tmp_path / "log"
    failure = sweep.run_process([sys.executable, "-S", "-c", "import time; time.sleep(60)"], str(log), 0.2)
    assert "took more than 0.2 s" in failure


def test_the_interquartile_mean_is_the_mean_of_the_middle_half():
    values = np.array([-1000.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1000.0])
    assert results.iqm(values) == np.mean([2.0, 3.0, 4.0, 5.0])
    low, high = results.interval(np.full(5, 7.0))
    assert low == high == 7.0
    low, high = results.interval(np.arange(20.0))
    assert low < results.iqm(np.arange(20.0)) < high


def test_the_interval_of_fewer_than_five_seeds_is_their_range_and_the_table_says_so():
    """A draw's middle half is the least value alone in 1, 1/4, 1/27, 13/256 of the draws of 1 to 4, then in < 1 %."""
    rng = np.random.default_rng(0)
    for n in range(1, 9):
        values = rng.normal(size=n)
        assert np.allclose(results.interval(values), (values.min(), values.max())) == (n < 5), n
    assert "of fewer than five seeds, their range" in results.table("x", {}, None)


def test_fewer_steps_or_seeds_than_the_bars_are_of_are_refused_before_a_run():
    with flagsaver.flagsaver():
        for args, says in (
            (["--task=cartpole", "--steps=14000"], "cartpole are of 24000 steps and 10 seeds"),
            (["--task=pendulum", "--seeds=4"], "pendulum are of 20000 steps and 5 seeds"),
        ):
            flags.FLAGS(["x", *args])
            with pytest.raises(RunError, match=says):
                learning.build()
    for name, task in learning.TASKS.items():
        with flagsaver.flagsaver():
            flags.FLAGS(["x", f"--task={name}", f"--steps={task.base.steps + 1000}"])
            assert learning.build().base.steps == task.base.steps + 1000 and len(learning.build().seeds) == task.seeds


@pytest.mark.parametrize(
    ("args", "lost"),
    [
        ([], ""),
        (["--only=uniform,planning"], ""),
        (["--only=planning"], "of uniform: "),
        (["--seeds=1"], "of base,uniform: "),
        (["--steps=1000"], "of base: "),
    ],
)
def test_a_sweep_does_not_replace_a_table_of_more(args, lost, tmp_path, monkeypatch):
    folder = tmp_path / "cartpole_ablations"
    folder.mkdir()
    rows = ["variant,seed,step,return", "base,0,300,9.5", "base,1,6000,470", "uniform,1,1000,387"]
    (folder / "raw.csv").write_text("\n".join(rows), encoding="utf-8")
    with flagsaver.flagsaver():
        flags.FLAGS(["x", "--task=ablations", *args])
        asked = ablations.build()
    begun = []
    monkeypatch.setattr(sweep, "run_missing", lambda *args: begun.append(args) or {})
    run = lambda docs: sweep.run(asked, runs=str(tmp_path / "runs"), docs=str(tmp_path / docs))
    run("elsewhere")
    assert len(begun) == 1
    if not lost:
        run("")
        assert len(begun) == 2
        return
    with pytest.raises(RunError, match=lost):
        run("")
    assert len(begun) == 1


def test_every_experiment_fits_its_presets():
    """Building the cells checks each override against the settings there are."""
    base = RunConfig(env="CartPole-v1")
    assert len(sweep.Sweep("x", base, ablations.VARIANTS, (0,)).cells()) == len(ablations.VARIANTS)
    for name, task in learning.TASKS.items():
        assert sweep.Sweep(name, task.base, task.variants, (0,)).cells()


@pytest.mark.slow
def test_a_real_cell_runs_in_its_own_process(tmp_path):
    tiny = sweep.Sweep("real", BASE, {"a": {}}, (0,))
    found = sweep.run(tiny, cell_deadline_s=300, runs=str(tmp_path / "runs"), docs=str(tmp_path / "docs"))
    assert found["a"].seeds == 1
    late = sweep.Sweep("late", BASE, {"a": {}}, (0,))
    with pytest.raises(RunError, match="took more than"):
        sweep.run(late, cell_deadline_s=1, runs=str(tmp_path / "runs"), docs=str(tmp_path / "docs"))
