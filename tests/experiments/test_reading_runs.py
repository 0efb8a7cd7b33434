"""Reading cells: verdicts against the bar, resumption, and the pictures of a small run."""
from __future__ import annotations

import dataclasses
import json

import pytest
from absl import flags
from absl.testing import flagsaver

from experiments import reading
from experiments.errors import RunError
from experiments.reading_tasks import CONFIGS, ReadingConfig

if not flags.FLAGS.is_parsed():
    flags.FLAGS(["x"])
SMALL = dict(rounds=1, rows=3, updates=1, batch_size=2, memory=2, eval_rows=4)


def record(variant, seed, right, share=0.04):
    score = dict(steps=100, right=right, silent=0.1, mean_return=3.0, bound=9.0)
    config = json.loads(json.dumps(dataclasses.asdict(ReadingConfig("read_text", variant, seed))))
    scores = [{**score, "steps": 0, "right": 0.0}, score]
    return dict(config=config, scores=scores, window_share=share, guess=0.25, seconds=1.0)


@pytest.mark.parametrize(
    "rights, share, reached", [((0.95, 0.87), 0.05, True), ((0.95, 0.84), 0.05, False), ((0.99, 0.99), 0.06, False)]
)
def test_the_readers_mean_and_the_windows_share_decide(rights, share, reached):
    """The bar is a mean of 0.9 and a window of at most 5 %; baselines have no say."""
    cells = [record("reader", i, r, share) for i, r in enumerate(rights)] + [record("fixed_window", 0, 0.0, share)]
    text, found = reading.table("read_text", cells)
    assert found is reached and ("pass:" in text) is reached and ("MISS:" in text) is not reached
    assert f"worst seed {min(rights):.3f}" in text


def test_raw_has_a_row_an_evaluation():
    lines = reading.raw([record("reader", 2, 0.5)]).splitlines()
    assert lines[1:] == ["reader,2,0,0.000000,0.100000,3.000000", "reader,2,100,0.500000,0.100000,3.000000"]


def test_windows_of_the_figures_cover_five_percent_at_most():
    for config in CONFIGS.values():
        data = config.load(1, 0).observation_spec()["data"].shape
        bounds = data if len(data) == 1 else data[:-1]
        share = 1.0
        for places, bound in zip(config.page["window"], bounds):
            share *= places / bound
        assert share <= reading.SHARE, config.task


def test_a_cell_draws_resumes_and_refuses_other_settings(tmp_path):
    """Smoke: one round of a few rows; the second call reads the file."""
    config = dataclasses.replace(CONFIGS["hear_tone"], **SMALL)
    home, docs = tmp_path / "home", tmp_path / "docs"
    home.mkdir()
    docs.mkdir()
    found = reading.cell(config, str(home), str(docs))
    assert [s["steps"] for s in found["scores"]] == [0, 3 * 20]
    assert sorted(p.suffix for p in docs.iterdir()) == [".gif", ".png", ".png", ".png"]
    assert all(p.stat().st_size > 1000 for p in docs.iterdir())
    assert reading.cell(config, str(home), str(docs)) == found
    with pytest.raises(RunError, match="reader-seed0.json.*remove"):
        reading.cell(dataclasses.replace(config, rounds=2), str(home), str(docs))


@pytest.mark.parametrize(("given", "lost"), [
    ({"variants": ["reader"]}, "of fixed_window"),
    ({"seeds": 1}, "of reader:"),
    ({"rounds": 1}, "of reader,fixed_window"),
])
def test_main_refuses_to_replace_more(given, lost, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "docs" / "results" / "reading"
    folder.mkdir(parents=True)
    rows = ["variant,seed,step,right,silent,return", "reader,1,9,0.5,0,1", "fixed_window,0,9,0.5,0,1"]
    (folder / "read_text-raw.csv").write_text("\n".join(rows), encoding="utf-8")
    monkeypatch.setattr(reading, "cell", lambda *_: pytest.fail("a cell was run"))
    with flagsaver.flagsaver(**given), pytest.raises(SystemExit, match=lost):
        reading.main(["reading"])
