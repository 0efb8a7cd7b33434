"""Bar 10: 100 faults a field, with oneDNN and without: all refused by name, none in the weights."""
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


def results(faults, onednn):
    path = os.pathsep.join([str(ROOT / "core"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": onednn, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    main = pathlib.Path(__file__).with_name("nonfinite_main.py")
    done = subprocess.run([sys.executable, str(main), str(faults)], capture_output=True, text=True, timeout=900,
                          env=env, check=False)
    found = {line.split()[1]: line.split()[2:] for line in done.stdout.splitlines() if line.startswith("RESULT")}
    assert len(found) == 5, done.stderr[-3000:]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("onednn", ["1", "0"])
def test_nothing_that_is_not_finite_is_learned_from(onednn):
    found = results(100, onednn)
    assert found == {
        "obs": ["100"], "reward": ["100"], "action": ["100"],
        "policy_state": ["100", "same"], "cost": ["100", "same"],
    }
