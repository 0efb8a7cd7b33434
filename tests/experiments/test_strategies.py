"""The learner's update under tf.distribute, each in processes of its own."""
from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import portpicker
import pytest

_MAIN = str(pathlib.Path(__file__).with_name("strategies_main.py"))
_TIMEOUT_S = 280


def run(configs, *flags):
    """Returns the RESULT line of each process, one a TF_CONFIG."""
    root = str(pathlib.Path(__file__).parents[2])
    path = os.pathsep.join([root, os.path.join(root, "core")])
    processes = [
        subprocess.Popen(
            [sys.executable, _MAIN, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": path, **({"TF_CONFIG": json.dumps(config)} if config else {})},
        )
        for config in configs
    ]
    found = []
    try:
        for process in processes:
            out, err = process.communicate(timeout=_TIMEOUT_S)
            lines = [line for line in out.splitlines() if line.startswith("RESULT")]
            assert len(lines) == 1, err[-3000:]
            found.append(lines[0].split(maxsplit=3))
    finally:
        for process in processes:
            process.kill()
    return found


def test_mirrored_on_two_logical_devices():
    """Replicas train on half a batch each and stay the same; each gives back its own costs."""
    ((_, replicas, step, rest),) = run([None], "--strategy=mirrored", "--replicas=2")
    assert (replicas, step) == ("2", "3")
    assert rest.startswith("True [(2,), (2,)] True True")


@pytest.mark.slow
def test_multiworker_on_two_processes():
    """Both workers end with the same weights."""
    cluster = {"worker": [f"localhost:{portpicker.pick_unused_port()}" for _ in range(2)]}
    one, other = run(
        [{"cluster": cluster, "task": {"type": "worker", "index": i}} for i in range(2)], "--strategy=multiworker"
    )
    assert one[1] == other[1] == "2" and one[2] == other[2] == "3"
    assert one[3].split()[-1] == other[3].split()[-1]
