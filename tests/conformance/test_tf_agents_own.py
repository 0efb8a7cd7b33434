"""TF-Agents' own tests and its stock example accept our agent in DqnAgent's place.

Each in a process of its own with a timeout: a dead Reverb table hangs, and LearnerTest sets
up logical devices.
"""
from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

MAIN = pathlib.Path(__file__).with_name("tf_agents_own_main.py")
slow = pytest.mark.slow


def run(*arguments, timeout=900):
    """Returns what the process wrote; fails with its end if it failed."""
    done = subprocess.run(
        [sys.executable, str(MAIN), *arguments],
        capture_output=True, text=True, timeout=timeout, check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout + done.stderr


@pytest.mark.parametrize("preset", ["reactive", pytest.param("predictive", marks=slow)])
def test_actor(preset):
    """ActorTest: 4 tests."""
    assert "OK" in run("actor", preset)


def learner(*tests):
    return [f"OurLearnerTest.{test}" for test in tests]


@pytest.mark.parametrize("preset, tests", [
    pytest.param("reactive", learner("testLearnerRun", "testLearnerLoss"), marks=slow),
    ("predictive", learner(
        "testLearnerRun", "testLearnerLoss", "testLearnerLossPassExperience",
        "testLearnerAssertInvalidIterations",
        "testInitialCheckpointStoresOptimizerVariablesDQN_default",
        "testCheckpointStoresOptimizerVariablesDQN_default",
    )),
])
def test_learner(preset, tests):
    """LearnerTest on the default strategy."""
    assert "OK" in run("learner", preset, *tests)


@slow
def test_learner_all():
    """All of LearnerTest: one device and mirrored strategies too.

    Not for `reactive`, whose outer optimiser has nothing to step: the tests look for its slots.
    """
    assert "OK" in run("learner", "predictive", timeout=1800)


@pytest.mark.parametrize("preset", ["predictive", pytest.param("reactive", marks=slow)])
def test_dqn_example(preset, tmp_path):
    """Warm-up, collect, train, save and evaluate, by tf_agents.examples.dqn.dqn_train_eval."""
    assert "example done" in run("example", preset, str(tmp_path))
