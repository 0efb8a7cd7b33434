"""Run by test_runner: what experiments.train does before the run."""
import pytest
import tensorflow as tf
from absl import flags
from absl.testing import flagsaver

from experiments import run_folder, runner, train
from experiments.run_config import RunConfig


@pytest.mark.parametrize("kind, deterministic", [("local", True), ("reverb", False)])
def test_op_determinism_follows_the_resumed_run(tmp_path, monkeypatch, kind, deterministic):
    """--replay says nothing of a run that is resumed; a local one goes on bit by bit only with it."""
    config = RunConfig(replay_kind=kind, out=str(tmp_path / "run"))
    run_folder.RunFolder.create(config)
    asked = []
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: asked.append(1))
    monkeypatch.setattr(runner, "resume", lambda *_: asked.append("resumed"))
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    with flagsaver.flagsaver(resume=config.out), pytest.raises(AttributeError):  # The stub returns no result.
        train.main(["train"])
    assert asked == [1] * deterministic + ["resumed"]
