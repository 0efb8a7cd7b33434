"""Bar 24: going on with a run reads its files without ever unpickling, so that none of them can run code."""
import fractions
import os
import pickle
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

from experiments import finished_runs, runner
from experiments.run_config import RunConfig

_FOUND = None  # What was unpickled, while somebody listens.


def _hear(event, args):
    if _FOUND is not None and event == "pickle.find_class":
        _FOUND.append(args)


sys.addaudithook(_hear)  # It stays for the life of the process; deaf but for the fixture below.


@pytest.fixture(name="unpickled")
def _unpickled():
    global _FOUND
    _FOUND = found = []
    yield found
    _FOUND = None


def test_the_hook_hears(unpickled):
    pickle.loads(pickle.dumps(fractions.Fraction(1, 2)))
    assert unpickled


@pytest.mark.parametrize("kind", ["local", "reverb"])
def test_a_run_goes_on_and_is_read(tmp_path, unpickled, kind):
    folder = str(tmp_path / "run")
    runner.train(RunConfig(
        env="CartPole-v1", preset="reactive", steps=80, warmup=40, eval_every=40, eval_episodes=1, batch_size=8,
        replay_kind=kind, out=folder,
    ), progress=False)
    runner.resume(folder, steps=120, progress=False)
    finished_runs.load_agent(finished_runs.read_all([folder])[0])
    assert unpickled == []
