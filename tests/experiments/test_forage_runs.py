"""The forage experiment in the small: a cell, its pictures, its table."""
from __future__ import annotations

import json

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from experiments import forage, forage_cell, forage_living, forage_training
from experiments.errors import RunError
from experiments.forage_training import ForageRun
from infonodes.environments.forage import ForageSettings, ForageTFEnvironment

if not flags.FLAGS.is_parsed():
    flags.FLAGS(["x"])
TINY = dict(steps=64, bodies=8, warmup=32, every=8, batch_size=8, life_rows=4, settings={"world": {"ticks": 40}})


@pytest.mark.parametrize("agent", ["random", "dqn"])
def test_baselines_run(agent):
    """A smoke test: finite figures, and as many evaluations as asked for."""
    _, _, found = forage_training.train(ForageRun(agent=agent, **TINY), 2, progress=False)
    assert len(found) == (1 if agent == "random" else 2)
    assert all(0 < e["life"] <= 40 and np.isfinite(e["spent_per_food"]) for e in found)


def test_a_cell_leaves_its_result_and_pictures(tmp_path):
    run = {"agent": "embodied", **TINY}
    forage_cell.main(json.dumps(run), str(tmp_path / "cell.json"), str(tmp_path / "docs"))
    found = json.loads((tmp_path / "cell.json").read_text())
    assert found["config"]["steps"] == 64 and len(found["evaluations"]) == 6
    assert (tmp_path / "docs" / "embodied.gif").read_bytes()[:3] == b"GIF"
    assert (tmp_path / "docs" / "embodied_flows.png").stat().st_size > 1000


def test_bars_compare_the_seeds_that_both_sides_have():
    """Ratios in closed form; a seed that one side lacks does not count."""
    cell = lambda life, spent: {"evaluations": [{"life": life, "life_slow": life, "spent_per_food": spent}]}
    found = {
        "random": {0: cell(20.0, 1.0)},
        "dqn": {0: cell(80.0, 1.0)},
        "embodied": {0: cell(160.0, 0.3), 1: cell(999.0, 0.3)},
        "embodied_free": {0: cell(160.0, 0.6)},
    }
    lines = forage.bars(found)
    assert "8.00, pass" in lines[0] and "2.00, pass" in lines[1] and "0.50, pass" in lines[3]
    found["embodied"][0] = cell(90.0, 0.5)
    lines = forage.bars(found)
    assert "4.50, miss" in lines[0] and "1.12, miss" in lines[1] and "0.17, miss" in lines[3]


def test_lives_are_counted_to_the_end():
    """A policy that rests lives as long as its energy: 0.5 / 0.01 ticks by day, fewer in cold nights."""
    from tf_agents.policies import fixed_policy

    world = ForageSettings(chill=0.0)
    env = ForageTFEnvironment(world, 1, 0)
    rest = fixed_policy.FixedPolicy(np.int32(0), env.time_step_spec(), env.action_spec())
    life = forage_living.live(rest, world, 3, 0)
    assert np.all(np.abs(life.ticks - 50) <= 1) and life.spent.sum() == 0 and life.actions[0] == life.ticks.sum()


def test_unknown_agents_are_refused():
    with pytest.raises(RunError, match="'cat': expected one of"):
        ForageRun(agent="cat")
    with pytest.raises(RunError, match="divisor"):
        ForageRun(bodies=8, every=3)


def test_a_table_of_more_is_kept(tmp_path, monkeypatch):
    """A cell that is there is read again whoever asks; one that is not, and is not asked for, would be lost."""
    monkeypatch.setattr(forage, "HOME", str(tmp_path))
    run = {"dqn-seed0": ForageRun(agent="dqn", steps=100)}
    with flagsaver.flagsaver(seeds=2):
        assert forage.will_have(run, "dqn", 0, 100) and not forage.will_have(run, "dqn", 0, 200)
        assert not forage.will_have(run, "random", 1, 0)
        (tmp_path / "cells").mkdir()
        for seed in (1, 2):
            (tmp_path / "cells" / f"random-seed{seed}.json").touch()
        assert forage.will_have(run, "random", 1, 0) and not forage.will_have(run, "random", 2, 0)


def test_main_refuses_before_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(forage, "HOME", str(tmp_path / "runs"))
    monkeypatch.setattr(forage, "DOCS", str(tmp_path))
    (tmp_path / "raw.csv").write_text("variant,seed,step,return\ndqn,0,0,9.5\n", encoding="utf-8")
    with flagsaver.flagsaver(only=["random"]), pytest.raises(SystemExit, match="raw.csv has runs .* of dqn: ask"):
        forage.main(["forage"])
    assert not (tmp_path / "runs").exists()
