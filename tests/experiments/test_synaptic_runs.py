"""The synaptic preset runs through the queue, and its cells are kept, read back and refused if they differ."""
from __future__ import annotations

import csv
import os

import pytest

from experiments import run_config, runner, settings, synaptic_cells
from experiments.errors import RunError
from experiments.run_config import RunConfig
from experiments.synaptic_variants import Variant, chosen

CONFIG = RunConfig(
    env="probe/one_action", preset="synaptic", steps=1200, eval_every=600, eval_episodes=20,
    settings={"synaptic": {"cells": 4}},
)


def test_it_learns_a_probe_through_the_queue_and_resumes(tmp_path):
    """The right action for each of two cues: from chance (0) to more than 0.9."""
    config = run_config.with_overrides(CONFIG, {"out": str(tmp_path / "run")})
    found = runner.train(config, progress=False)
    assert [e.step for e in found.evaluations] == [0, 600, 1200]
    assert found.final_return > 0.9
    with open(os.path.join(found.folder, "metrics.csv"), encoding="utf-8") as file:
        assert any(row["kind"] == "episode" for row in csv.DictReader(file))
    again = runner.resume(found.folder, steps=1400, progress=False)
    assert again.final_return > 0.9  # What was learned was restored.


def test_its_settings_are_its_own(tmp_path):
    groups = settings.groups("synaptic")
    assert set(groups) == {"agent", "modes", "synaptic"} and groups["modes"]["self_modification"]
    changed = run_config.with_overrides(CONFIG, run_config.parse_overrides(["synaptic.rule=literal"]))
    assert changed.settings["synaptic"]["rule"] == "literal"
    with pytest.raises(RunError, match="exponent.*in order"):
        wrong = run_config.with_overrides(CONFIG, {"replay.exponent": 0.5, "out": str(tmp_path / "run")})
        runner.train(wrong, progress=False)


def test_cells_are_kept_and_refused_if_they_differ(tmp_path):
    runs, docs = str(tmp_path / "runs"), str(tmp_path / "docs")
    one = Variant(seeds=3)
    for seed, level in ((0, 500.0), (2, 100.0)):
        synaptic_cells.write(runs, "cartpole", "td", one, {
            "seed": seed, "returns": [level] * 60, "steps": 10, "greedy": level, "edges": 5.0, "slots": 9,
        })
    assert synaptic_cells.missing(runs, "cartpole", "td", one) == [1]
    with pytest.raises(RunError, match="other settings"):
        synaptic_cells.missing(runs, "cartpole", "td", Variant({"cells": 5}, seeds=3))
    table = synaptic_cells.tables(runs, docs, "cartpole")
    assert "| td | 2 | 300 ± 2e+02 |" in table and "| 300 (100) | 1 | - (1) |" in table and "5 of 9" in table
    with open(os.path.join(docs, "cartpole.csv"), encoding="utf-8") as file:
        assert file.read().splitlines()[1:] == ["td,0,500,5.0,10,20", "td,2,100,5.0,10,"]


def test_reach_is_the_first_mean_of_twenty():
    assert synaptic_cells.first_reach([0.0] * 10 + [400.0] * 30, 400.0) == 30
    assert synaptic_cells.first_reach([400.0] * 19, 400.0) is None


def test_an_unknown_variant_lists_the_known():
    with pytest.raises(RunError, match="lesion"):
        chosen("cartpole", ["lesions"])
