"""Bar 12: a run that was stopped and went on is the run that never was, bit by bit (local replay).

The expectation is the last checkpoint of a run of the same seed that was not stopped: variables, optimiser slots,
target copies, statistics, replay with priorities, generators, environment, policy state, and the metric file.
"""
import csv
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
import tensorflow as tf
import tree

from experiments import runner
from experiments.run_config import RunConfig
from infonodes.checkpoints import Checkpoint, nests

_SMALL = {"predictive": {"pred": {"hidden": [16], "latent_size": 8}}}


def config(out, preset, env, seed=0, total=300):
    return RunConfig(
        env=env, preset=preset, seed=seed, steps=total, warmup=60, eval_every=100, eval_episodes=2, batch_size=16,
        train_every=4, replay_kind="local", replay={"max_size": 200} if preset != "synaptic" else {},
        settings=_SMALL.get(preset, {}), out=str(out),
    )


def last_checkpoint(folder):
    """Returns {name: array or value} of all that the last checkpoint holds, and the metric lines."""
    path = os.path.join(folder, "checkpoints", sorted(os.listdir(os.path.join(folder, "checkpoints")))[-1])
    reader = tf.train.load_checkpoint(os.path.join(path, "variables", "variables"))
    found = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()
             if "OBJECT_GRAPH" not in name}
    assert any("OPTIMIZER_SLOT" in name for name in found) or "synaptic" in str(folder)
    for name in ("replay", "collector", "updater", "report", "randomness"):
        state = nests.load(os.path.join(path, "states"), name)
        for where, leaf in tree.flatten_with_path(state):
            found["/".join(map(str, (name, *where)))] = leaf
    with open(os.path.join(folder, "metrics.csv"), encoding="utf-8") as file:
        lines = [{k: v for k, v in line.items() if k != "seconds"} for line in csv.DictReader(file)]
    return Checkpoint(path).step, found, lines


def assert_resumes_exactly(tmp_path, preset, env, seed, total=300, split=150):
    straight, cut = tmp_path / f"{preset}-straight", tmp_path / f"{preset}-cut"
    runner.train(config(straight, preset, env, seed, total), progress=False)
    runner.train(config(cut, preset, env, seed, split), progress=False)
    runner.resume(str(cut), steps=total, progress=False)
    (step_a, a, lines_a), (step_b, b, lines_b) = last_checkpoint(straight), last_checkpoint(cut)
    assert step_a == step_b == total
    # The run that ended at the split was evaluated there once more; nothing else may differ.
    b = {k: v for k, v in b.items() if not k.startswith("report/")}
    a = {k: v for k, v in a.items() if not k.startswith("report/")}
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    # One that ended in the warm-up was evaluated at its end instead of the warm-up's.
    apart = {str(split)} if split % 100 else set()
    apart |= {"60"} if split < 60 else set()
    kept = [[x for x in lines if x["kind"] != "eval" or x["step"] not in apart] for lines in (lines_a, lines_b)]
    assert kept[0] == kept[1] and len(kept[0]) > 2


def test_predictive_on_cartpole(tmp_path):
    assert_resumes_exactly(tmp_path, "predictive", "CartPole-v1", 0)


def test_reactive_on_cartpole(tmp_path):
    """The inner agent makes its slots at its first step, and its ε-greedy choices hang on no global generator."""
    assert_resumes_exactly(tmp_path, "reactive", "CartPole-v1", 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("preset, env", [
    ("predictive", "CartPole-v1"), ("reactive", "CartPole-v1"), ("synaptic", "CartPole-v1"),
    ("predictive", "Pendulum-v1"), ("planning", "CartPole-v1"), ("predictive", "probe/t_maze"),
])
@pytest.mark.parametrize("split", [30, 150, 233])
def test_others(tmp_path, preset, env, seed, split):
    """Splits in the warm-up, at an update, and between two."""
    assert_resumes_exactly(tmp_path, preset, env, seed, split=split)
