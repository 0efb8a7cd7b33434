"""A run leaves what it promises, goes on where it stopped, and refuses what does not fit."""
import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from experiments import run_config, run_folder, run_loop, runner, settings
from experiments.errors import RunError
from experiments.run_config import RunConfig
from infonodes.environments import probes

FILES = {
    "config.json", "versions.json", "metrics.csv", "result.json", "checkpoints", "tensorboard",
    "learning_curve.png", "graph.png", "graph.mmd", "operative.gin", "lock",
}
CONFIG = RunConfig(
    env="probe/one_action", steps=300, warmup=100, eval_every=100, eval_episodes=3, batch_size=16, train_every=4,
    settings={"pred": {"hidden": [16], "latent_size": 8}},
)


def rows(folder):
    with open(os.path.join(folder, "metrics.csv"), encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One short run, and how far its second half went after a resume."""
    out = str(tmp_path_factory.mktemp("runs") / "one")
    config = run_config.with_overrides(CONFIG, {"out": out})
    first = runner.train(config, progress=False)
    before = rows(out)
    second = runner.resume(out, steps=400, progress=False)
    return first, before, second


def test_a_run_leaves_every_promised_file(run):
    first, before, _ = run
    assert FILES <= set(os.listdir(first.folder))
    with open(os.path.join(first.folder, "versions.json"), encoding="utf-8") as file:
        assert json.load(file)["tensorflow"].startswith("2.")
    for name in ("learning_curve.png", "graph.png"):
        with open(os.path.join(first.folder, name), "rb") as file:
            assert file.read(4) == b"\x89PNG"
    evaluations = [r for r in before if r["kind"] == "eval"]
    assert [int(r["step"]) for r in evaluations] == [100, 200, 300]  # after the warm-up, then each 100
    assert all(len(r["returns"].split()) == 3 for r in evaluations)
    for row in evaluations:
        returns = np.array(row["returns"].split(), float)
        assert float(row["return"]) == pytest.approx(returns.mean(), rel=1e-4)


def test_an_episode_line_holds_the_sum_of_rewards(run):
    """`one_action` ends at once with a reward of 1 or -1: so must each line."""
    first, before, _ = run
    episodes = [r for r in before if r["kind"] == "episode"]
    assert len(episodes) == 300 and {int(r["length"]) for r in episodes} == {1}
    ends = {probe_return for _, probe_return in first.episodes}
    assert ends <= {-1.0, 0.0, 1.0}


def test_resume_goes_on_from_the_checkpoint(run):
    first, before, second = run
    after = rows(first.folder)
    assert after[:len(before)] == before  # nothing of the first part is lost or doubled
    assert [e.step for e in second.evaluations] == [100, 200, 300, 400]
    assert second.evaluations[:3] == first.evaluations
    assert second.config.steps == 400 and run_folder.RunFolder.reopen(first.folder).config().steps == 400


def test_a_finished_run_is_not_resumed(run):
    with pytest.raises(RunError, match="greater --steps"):
        runner.resume(run[0].folder, progress=False)


def test_resume_restores_weights_and_counters(run):
    """Against an agent of the same seed that saw nothing, and the counts by hand."""
    folder = run_folder.RunFolder.reopen(run[0].folder)
    config = run_config.with_overrides(folder.config(), {"steps": 500})
    rebuilt = run_loop.Run(config, folder, lambda: probes.load("one_action"), False)
    try:
        rebuilt._restore(or_anew=False)
        specs = rebuilt._agent.time_step_spec, rebuilt._agent.action_spec
        tf.keras.utils.set_random_seed(config.seed)
        fresh = settings.build_agent(config.preset, config.settings, *specs, config.seed)
        pairs = list(zip(fresh.graph.trainable_variables, rebuilt._agent.graph.trainable_variables))
        assert pairs and any(np.abs(a.numpy() - b.numpy()).max() > 1e-3 for a, b in pairs)
        assert int(rebuilt._agent.train_step_counter) == 75  # (400 - 100) / 4
        assert rebuilt._evaluator.run(400).returns == run[2].evaluations[-1].returns
    finally:
        rebuilt._report.close()
        rebuilt._replay.close()


def test_a_folder_in_use_is_refused(run):
    with pytest.raises(RunError, match="--resume"):
        run_folder.RunFolder.create(run[0].config)


def test_the_same_command_does_not_go_on_with_another_run(run):
    other = run_config.with_overrides(run[0].config, {"seed": 7, "train_every": 2, "eval_every": 50})
    with pytest.raises(RunError, match="seed: 0 then, 7 now") as caught:
        runner.train_or_resume(other, progress=False)
    assert "train_every" in str(caught.value) and "eval_every" not in str(caught.value)
    with pytest.raises(RunError, match="--out"):
        runner.train_or_resume(CONFIG, progress=False)


def test_a_run_tells_all_its_settings_and_stays_with_them(run, tmp_path):
    """What was asked and what was not; a default that has changed since is refused by name, one that is new is not."""
    with open(os.path.join(run[0].folder, "config.json"), encoding="utf-8") as file:
        record = json.load(file)
    resolved = record["resolved"]
    assert resolved["pred"]["latent_size"] == 8 and resolved["pred"]["unroll"] == 3
    assert resolved["agent"]["train_sequence_length"] == 4 and resolved["replay"]["exponent"] == 0.6
    assert run_folder.RunFolder.reopen(run[0].folder).config().settings == run[0].config.settings
    resolved["pred"]["unroll"] = 5
    del resolved["pred"]["starts"]
    (tmp_path / "config.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"changed since it was run: pred.unroll: 5 then, 3 now;"):
        runner.resume(str(tmp_path), progress=False)


def test_one_process_a_folder(run):
    """Two would remove each other's checkpoints and mix their lines. The lock is gone with the run that had it."""
    config = run[0].config
    opened = run_folder.RunFolder.reopen(run[0].folder)
    before = sorted(os.listdir(opened.file("checkpoints")))
    with opened.locked():
        with pytest.raises(RunError, match=f"process {os.getpid()} on .* works on it"):
            runner.resume(run[0].folder, steps=config.steps + 100, progress=False)
        with pytest.raises(RunError, match="works on it"):
            runner.train_or_resume(config, progress=False)
    assert sorted(os.listdir(opened.file("checkpoints"))) == before


def test_a_lock_dies_with_its_process(tmp_path):
    folder = run_folder.RunFolder(str(tmp_path))
    code = (
        "import os, sys; from experiments.run_folder import RunFolder\n"
        f"with RunFolder({str(tmp_path)!r}).locked(): print('in', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "in\n"
    with pytest.raises(RunError, match=f"process {other.pid} on"), folder.locked():
        pass
    other.kill()
    other.wait()
    with folder.locked():
        pass


def test_the_binary():
    """In a process of its own: its flags have the names of other binaries' flags."""
    tests = os.path.join(os.path.dirname(__file__), "train_main.py")
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", tests], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    folder = tmp_path / "run"
    run_folder.RunFolder.create(run_config.with_overrides(CONFIG, {"out": str(folder)}))
    (tmp_path / "elsewhere").mkdir()
    (folder / "checkpoints").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="leads to"):
        run_folder.RunFolder.reopen(str(folder))


@pytest.mark.parametrize(
    "override, valid",
    [
        ("pred.f_akt=inverse", "f_act"),
        ("perd.f_act=inverse", "pred"),
        ("replay.exponnent=1", "exponent"),
        ("batchsize=3", "batch_size"),
        ("pred.latent_size=big", "int"),
        ("batch_size=-1", "from 1"),
        ("pred.f_act", "NAME=VALUE"),
        ("preset=reactiv", "reactive"),
    ],
)
def test_a_bad_override_names_the_valid_ones(override, valid):
    with pytest.raises(RunError, match=valid):
        run_config.with_overrides(CONFIG, run_config.parse_overrides([override]))


def test_overrides_keep_types_and_round_trip():
    overrides = run_config.parse_overrides(
        ["pred.hidden=(32, 16)", "pred.encoder_rate=1", "replay.exponent=0", "pred.consensus=simple", "batch_size=8"]
    )
    config = run_config.with_overrides(RunConfig(), overrides)
    assert config.settings["pred"] == {"hidden": (32, 16), "encoder_rate": 1.0, "consensus": "simple"}
    assert config.replay == {"exponent": 0.0} and config.batch_size == 8
    assert RunConfig(**json.loads(json.dumps(config.to_json()))) == config


def test_every_preset_has_settings_and_an_unknown_env_names_the_fix():
    for preset in settings.AGENTS:
        assert settings.groups(preset)
    with pytest.raises(RunError, match="probe/one_action"):
        runner.train(RunConfig(env="probe/none"))
    with pytest.raises(RunError, match="gym id"):
        runner.train(RunConfig(env="NoSuchEnv-v0"))


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["reactive", "stock_dqn", "hierarchical", "planning"])
def test_other_presets_run(preset, tmp_path):
    """Smoke test."""
    config = RunConfig(
        env="CartPole-v1", preset=preset, steps=150, warmup=100, eval_every=100, eval_episodes=2, batch_size=16,
        out=str(tmp_path / "run"),
    )
    result = runner.train(config, progress=False)
    assert [e.step for e in result.evaluations] == [100, 150]
