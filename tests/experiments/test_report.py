"""A report is one file with all its sections and pictures, says what is not there, and refuses what does not fit."""
from __future__ import annotations

import base64
import dataclasses
import io
import json
import os
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from lxml import html
from PIL import Image
from report_cases import CONFIG, SETTINGS
from tensorboard.backend.event_processing import event_accumulator

from experiments import (
    finished_runs,
    report,
    report_imagining,
    report_plots,
    report_sections,
    report_trial,
    runner,
    tasks,
)
from experiments.errors import RunError
from experiments.node_summaries import branches
from experiments.report_page import Page
from experiments.run_config import RunConfig
from infonodes.environments.forage import ForageSettings
from infonodes.rewards import CostTree


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A short run of an agent with a body, that predicts."""
    out = str(tmp_path_factory.mktemp("runs") / "body")
    runner.train(dataclasses.replace(CONFIG, out=out), progress=False)
    return out


@pytest.fixture(scope="module")
def page(folder):
    return parsed(report.build([folder], **SETTINGS))


def parsed(path):
    with open(path, "rb") as file:
        return html.document_fromstring(file.read(), parser=html.HTMLParser(encoding="utf-8"))


def pictures(root):
    """Returns (section, format, image) of every picture, decoded whole."""
    found = []
    for img in root.iter("img"):
        kind, data = re.fullmatch(r"data:image/(png|gif);base64,(.+)", img.get("src")).groups()
        image = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
        image.load()
        assert image.format.lower() == kind and min(image.size) > 50 and img.get("alt")
        found.append((next(a for a in img.iterancestors() if a.tag == "section").get("id"), kind, image))
    return found


def another_seed(folder, out, **changes):
    """A folder as a run of seed 1 leaves it, each of its returns 10 greater."""
    os.makedirs(out)
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = {**json.load(file), "seed": 1, "out": str(out), **changes}
    (out / "config.json").write_text(json.dumps(config))
    lines = ["step,kind,return,length,loss,seconds,returns"]
    for step, returns in finished_runs.read(folder).evaluations:
        more = [r + 10.0 for r in returns]
        lines.append(f"{step},eval,{np.mean(more)},,,0," + " ".join(map(str, more)))
    (out / "metrics.csv").write_text("\n".join(lines) + "\n")
    return str(out)


def test_it_has_all_sections_with_their_pictures(page):
    sections = {s.get("id"): s for s in page.iter("section")}
    assert tuple(sections) == report_sections.ANCHORS
    assert [a.get("href") for a in page.iter("a")] == [f"#{anchor}" for anchor in report_sections.ANCHORS]
    found = pictures(page)
    count = {anchor: sum(where == anchor for where, _, _ in found) for anchor in report_sections.ANCHORS}
    assert count == {
        "learning": 1, "nodes": 2, "energy": 1, "imagination": 2, "values": 1, "priorities": 1, "greedy": 2,
        "configuration": 0,
    }
    films = [image for _, kind, image in found if kind == "gif"]
    assert len(films) == 1 and films[0].n_frames > 1
    text = sections["configuration"].text_content()
    assert "embodied" in text and "2.15.1" in text and "settings.pred.latent_size" in text
    assert "blood" in sections["nodes"].text_content() and "pred" in sections["nodes"].text_content()


def test_it_needs_nothing_but_itself(page, folder):
    """No script, no style sheet, nothing that leads elsewhere: attributes and style sheets alike."""
    assert not list(page.iter("script", "link", "iframe", "object", "embed", "base"))
    for element in page.iter():
        for name, value in element.attrib.items():
            if name in ("src", "href", "srcset", "data", "action", "background", "style"):
                assert value.startswith(("data:image/", "#")), f"{element.tag} {name}={value[:60]}"
    with open(os.path.join(folder, report.PAGE), encoding="utf-8") as file:
        text = re.sub(r"data:image/\w+;base64,[^\"]+", "", file.read())
    assert not re.search(r"https?://|@import|url\(", text)
    assert "default-src 'none'" in text


def test_only_the_page_is_added_to_the_folder(page, folder):
    assert set(os.listdir(folder)) == {
        "config.json", "versions.json", "metrics.csv", "result.json", "checkpoints", "tensorboard",
        "learning_curve.png", "graph.png", "graph.mmd", "operative.gin", "lock", report.PAGE,
    }


def test_tensorboard_has_costs_latents_priorities_tree_and_graph(folder):
    """Of the event file itself; the tree sums up to its root, minus the costs beside it."""
    events = event_accumulator.EventAccumulator(os.path.join(folder, "tensorboard"), {"tensors": 0})
    events.Reload()
    value = lambda tag: [float(tf.make_ndarray(e.tensor_proto)) for e in events.Tensors(tag)]
    tags = set(events.Tags()["tensors"])
    assert {"graph/picture", "graph/mermaid", "reward_tree/table", "replay/priority"} <= tags
    assert {"train/pred/cost", "train/pred/latent_std", "train/pred/effective_rank"} <= tags
    parts = [t for t in tags if t.startswith("reward_tree/") and t[12:] not in ("intrinsic", "table")]
    total = np.sum([value(t) for t in parts], axis=0)
    assert parts and value("reward_tree/intrinsic") == pytest.approx(total, abs=1e-5)
    assert value("reward_tree/pred") == pytest.approx([-c for c in value("train/pred/cost")], rel=1e-5)
    histogram = tf.make_ndarray(events.Tensors("replay/priority")[-1].tensor_proto)
    assert histogram[:, 2].sum() == 8 and histogram[0, 0] >= 0.0  # One count a window of the batch.


def test_one_tick_imagined_is_what_the_policy_imagined(folder):
    """Against the errors that the policy itself recorded while it collected, another way through the code."""
    run = finished_runs.read(folder)
    agent, _ = finished_runs.load_agent(run)
    tape = report_trial.Tape()
    report_trial.collect(agent, run.load_env(), 5, 20, tape)
    starts = report_imagining.cut(tape.frames, 3)
    real, imagined = report_imagining._rollouts(agent, agent.graph["pred"], tape.frames, starts, 3, 2)
    join = lambda *leaves: np.stack(leaves)
    infos = tf.nest.map_structure(join, *[frame.policy_info for frame in tape.frames])
    state = agent.collect_policy.unpack_info(infos)["state"]["pred"]  # Before each tick.
    for row, start in enumerate(starts):
        if start + 2 in starts:  # So that frame start + 2 is of the same episode, and has the state after start + 1.
            np.testing.assert_allclose(real[row, 1], state["z"][start + 2], atol=1e-4)
            np.testing.assert_allclose(real[row, 1] - imagined[row, 1], state["error"][start + 2], atol=1e-4)
    assert len(starts) > 5


def test_the_flows_add_up(folder):
    """Energy is conserved: what is there, owed, spent and lost, less what was gained, is what there was at first."""
    run = finished_runs.read(folder)
    agent, _ = finished_runs.load_agent(run)
    episode = report_trial.play(agent, run.load_env(), 7, 25)
    flows = episode.flows
    assert len(flows["stored"]) == len(episode.rewards) == len(episode.observations) > 10
    went = np.cumsum(flows["spent"] + flows["lost"] - flows["gained"])
    start = 2 * ForageSettings().start  # Of each of two components.
    np.testing.assert_allclose(flows["stored"] + flows["owed"] + went, start, atol=1e-4)
    assert went[-1] > 0.01


def test_errors_and_readouts_in_closed_form():
    """A linear world is read without error; an error of one spread is 1; a constant feature is left out."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=[200, 5])
    matrix, offset = report_imagining.readout(z, z @ np.arange(10.0).reshape(5, 2) + [3.0, -1.0])
    np.testing.assert_allclose(z @ matrix + offset, z @ np.arange(10.0).reshape(5, 2) + [3.0, -1.0], atol=1e-3)
    real = np.stack([np.array([[0.0, 7.0], [2.0, 7.0]]), np.array([[2.0, 7.0], [0.0, 7.0]])])  # [N, K, F], spread 1, 0
    np.testing.assert_allclose(report_imagining.error(real, real), [0.0, 0.0])
    np.testing.assert_allclose(report_imagining.error(real + [1.0, 5.0], real), [1.0, 1.0])
    assert np.isnan(report_imagining.error(real[..., 1:], real[..., 1:])).all()


def test_windows_keep_to_one_episode():
    frame = lambda kind: dataclasses.make_dataclass("Frame", ["step_type"])(np.int32(kind))
    frames = [frame(k) for k in (0, 1, 1, 2, 0, 2, 0, 1, 1)]
    assert report_imagining.cut(frames, 3) == [0, 1, 6] and report_imagining.longest(frames) == 4


def test_several_seeds_have_an_interval(folder, tmp_path):
    """Of two seeds whose returns differ by 10, the middle is 5 above the first's mean."""
    other = another_seed(folder, tmp_path / "other")
    runs = finished_runs.read_all([folder, other])
    assert [run.config.seed for run in runs] == [0, 1]
    drawn = Page("both")
    report_sections.learning(drawn, runs, 120)
    root = html.document_fromstring(drawn.html())
    assert len(pictures(root)) == 2
    said = re.search(r"final return ([\d.e+]+) .*interval ([\d.e+]+) to ([\d.e+]+);", root.text_content()).groups()
    mean = np.mean([m for _, m in runs[0].means[-3:]])
    assert [float(x) for x in said] == pytest.approx([mean + 5.0, mean, mean + 10.0], rel=1e-3)


def test_what_does_not_fit_is_refused(folder, tmp_path):
    with pytest.raises(RunError, match="config.json"):
        report.build([str(tmp_path)])
    with pytest.raises(RunError, match="batch_size.*make a report of each kind"):
        report.build([folder, another_seed(folder, tmp_path / "other", batch_size=9)])
    with pytest.raises(RunError, match=r"seeds \[0, 0\]"):
        report.build([folder, folder])
    with pytest.raises(RunError, match="no checkpoint"):
        report.build([another_seed(folder, tmp_path / "bare")])
    shutil.copytree(folder, tmp_path / "torn", ignore=shutil.ignore_patterns("*.data-*"))
    with pytest.raises(RunError, match="does not fit"):
        report.build([str(tmp_path / "torn")])


def test_a_stock_agent_has_a_film_of_a_gym_task_and_no_nodes(tmp_path):
    config = RunConfig(
        preset="stock_dqn", steps=80, warmup=40, eval_every=40, eval_episodes=1, batch_size=4, train_every=20,
        settings={"dqn": {"fc_layers": [8]}}, out=str(tmp_path / "run"),
    )
    runner.train(config, progress=False)
    root = parsed(report.build([config.out], **SETTINGS))
    assert tuple(s.get("id") for s in root.iter("section")) == report_sections.ANCHORS
    assert root.text_content().count("has no nodes") == 5
    films = [image for _, kind, image in pictures(root) if kind == "gif"]
    assert len(films) == 1 and films[0].size == (300, 200) and films[0].n_frames > 1


def test_text_is_escaped_and_odd_pictures_are_refused():
    drawn = Page("<script>alert(1)</script>")
    drawn.section("a", "&")
    drawn.settings({"x": {"<b>": "<i>"}})
    root = html.document_fromstring(drawn.html())
    assert not list(root.iter("script", "b", "i")) and "x.<b>" in root.text_content()
    with pytest.raises(ValueError, match="PNG or a GIF"):
        drawn.picture(b"<svg>", "odd")


def test_the_reward_tree_is_the_cost_tree():
    """Against CostTree's own sum."""
    tree, costs = CostTree({"a": 2.0, "b": 0.0}, default=0.5), {"a": 1.0, "b": 9.0, "c": 4.0}
    found = branches(tree, costs)
    assert [b.name for b in found][0] in ("a", "c") and found[-1].name == "b"
    total = float(tree.total({k: tf.constant(v) for k, v in costs.items()}))
    assert sum(b.reward for b in found) == pytest.approx(-total)


def test_long_films_are_thinned():
    film = Image.open(io.BytesIO(report_plots.film([np.full([4, 600, 3], i % 256, np.uint8) for i in range(400)])))
    assert film.n_frames <= 150 and film.size[0] == 300


def test_an_environment_that_does_not_draw_has_no_film():
    assert report_trial._picture(tasks.load("probe/one_action")) is None
