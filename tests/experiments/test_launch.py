"""The launcher, from its command line: stopped, killed in part, and gone on with."""
from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from experiments.distributed import isolation, roles

pytestmark = [
    pytest.mark.slow, pytest.mark.skipif(not isolation.available(), reason="no network namespaces here")
]
_TIMEOUT_S = 240.0


@contextlib.contextmanager
def launched(folder, steps, *more):
    """A launcher that is told to stop in the end, if it still runs."""
    command = [
        sys.executable, "-m", "experiments.distributed.launch", f"--root_dir={folder}", "--env=CartPole-v1",
        "--preset=reactive", f"--steps={steps}", "--set=warmup=50", "--role_flag=learn:--checkpoint_every_s=2",
    ]
    process = subprocess.Popen([*command, *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=90)


def wait_for(folder, step, name="learn", since_s=0.0):
    """Waits until a role has come to an update, and returns its status."""
    end = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < end:
        status = roles.read_status(folder, name)
        if status.get("step", -1) >= step and status["time_s"] > since_s:
            return status
        time.sleep(0.2)
    raise AssertionError(f"{name} did not come to update {step}")


def log_of(folder, name):
    with open(os.path.join(folder, "logs", f"{name}.log"), encoding="utf-8", errors="replace") as file:
        return file.read()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_is_stopped_and_goes_on(tmp_path, workers):
    """By TERM in the middle; all of its learners leave after the same update, with a checkpoint of it."""
    folder, more = str(tmp_path / "run"), [f"--workers={workers}"]
    names = ["learn", "learn-1"][:workers]
    steps = 1500
    with launched(folder, steps, *more) as process:
        wait_for(folder, 200)
        process.send_signal(signal.SIGTERM)
        out = process.communicate(timeout=120)[0]
    assert process.returncode == roles.STOPPED, out
    for name in (*names, "server", "collect-0"):
        assert f"'{name}': {roles.STOPPED}" in out
    stopped = {roles.read_status(folder, name)["step"] for name in names}
    assert len(stopped) == 1 and stopped.issubset(range(200, steps))
    with launched(folder, steps, *more) as process:
        out = process.communicate(timeout=_TIMEOUT_S)[0]
    assert process.returncode == roles.DONE, out
    for name in names:
        assert re.findall(r"goes on from update (\d+)", log_of(folder, name)) == [str(*stopped)]
        assert roles.read_status(folder, name)["step"] == steps


@pytest.mark.parametrize("victim", ["learn", "learn-1"])
def test_workers_rejoin_after_one_is_killed(tmp_path, victim):
    """The others are in the middle of an update that can never end; the launcher starts all anew."""
    folder = str(tmp_path / "run")
    with launched(folder, 1_000_000, "--workers=2") as process:
        wait_for(folder, 200)
        os.kill(wait_for(folder, 0, victim)["pid"], signal.SIGKILL)
        killed_s = time.time()
        for name in ("learn", "learn-1"):
            wait_for(folder, 200, name, since_s=killed_s + 5.0)
            again = re.findall(r"goes on from update (\d+)", log_of(folder, name))
            assert len(again) == 1 and int(again[0]) >= 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == roles.STOPPED
