"""A sweep runs what is missing, and its figures are the ones defined."""
import csv
import json
import os

import numpy as np
import pytest

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
            json.dump({"config": config.to_json(), "evaluations": evaluations}, file)
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


def test_the_interquartile_mean_is_the_mean_of_the_middle_half():
    values = np.array([-1000.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1000.0])
    assert results.iqm(values) == np.mean([2.0, 3.0, 4.0, 5.0])
    low, high = results.interval(np.full(5, 7.0))
    assert low == high == 7.0
    low, high = results.interval(np.arange(20.0))
    assert low < results.iqm(np.arange(20.0)) < high


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
