"""Bars 6 and 8 for whole runs: killed and preempted again and again, by one command, to the same end."""
import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Waits are long enough for a machine with other work; they end as soon as there is something to see.
PATIENCE_S = 300.0


def start(out, steps=600):
    command = [
        sys.executable, "-m", "experiments.train", "--env=CartPole-v1", f"--steps={steps}", "--eval_every=200",
        "--eval_episodes=2", "--replay=local", "--go_on", f"--out={out}", "--checkpoint_every_s=0.5",
        "--set=pred.hidden=[16]", "--set=pred.latent_size=8", "--set=batch_size=16", "--set=warmup=100",
    ]
    path = os.pathsep.join([os.path.join(ROOT, "core"), ROOT, os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def await_checkpoint(out, process, after):
    """Waits for a checkpoint newer than `after`, and returns its name; None if the run ended."""
    end = time.monotonic() + PATIENCE_S
    folder = os.path.join(out, "checkpoints")
    while time.monotonic() < end:
        names = [n for n in os.listdir(folder) if n.startswith("checkpoint-")] if os.path.isdir(folder) else []
        if names and max(names) > after:
            return max(names)
        if process.poll() is not None:
            return None
        time.sleep(0.02)
    raise AssertionError(f"no checkpoint within {PATIENCE_S} s")


def lines(out):
    with open(os.path.join(out, "metrics.csv"), encoding="utf-8") as file:
        return [{k: v for k, v in line.items() if k != "seconds"} for line in csv.DictReader(file)]


def run_with(out, signals):
    """Sends one signal after a new checkpoint each; returns exit codes and seconds from signal to exit."""
    codes, seconds, newest = [], [], ""
    for number in signals:
        process = start(out)
        newest = await_checkpoint(out, process, newest)
        if newest is None:
            break
        began = time.monotonic()
        process.send_signal(number)
        process.communicate(timeout=PATIENCE_S)
        codes.append(process.returncode)
        seconds.append(time.monotonic() - began)
        newest = max(n for n in os.listdir(os.path.join(out, "checkpoints")) if n.startswith("checkpoint-"))
    final = start(out)
    told, _ = final.communicate(timeout=2 * PATIENCE_S)
    assert final.returncode == 0, told
    return codes, seconds


@pytest.mark.slow
@pytest.mark.parametrize("signals", [
    [signal.SIGKILL] * 10, [signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGTERM],
], ids=["kill", "term"])
def test_a_run_stopped_again_and_again_is_the_run_that_never_was(tmp_path, signals):
    straight, stopped = str(tmp_path / "straight"), str(tmp_path / "stopped")
    process = start(straight)
    told, _ = process.communicate(timeout=2 * PATIENCE_S)
    assert process.returncode == 0, told
    codes, seconds = run_with(stopped, signals)
    expected = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 75, signal.SIGINT: 75}
    assert codes == [expected[s] for s in signals[:len(codes)]] and len(codes) >= 2
    assert max(s for s in seconds) < 30.0
    assert lines(stopped) == lines(straight)  # no gap, no line twice, the same figures
    results = []
    for out in (straight, stopped):
        with open(os.path.join(out, "result.json"), encoding="utf-8") as file:
            results.append(json.load(file)["evaluations"])
    assert results[0] == results[1]


@pytest.mark.slow
def test_two_processes_do_the_same(tmp_path):
    """Bar 13: 500 steps twice, in processes of their own: every byte of every frame, and all else, are equal."""
    folders = [str(tmp_path / name) for name in ("one", "two")]
    for out in folders:
        process = start(out, steps=500)
        told, _ = process.communicate(timeout=2 * PATIENCE_S)
        assert process.returncode == 0, told
    assert lines(folders[0]) == lines(folders[1])
    replays = []
    for out in folders:
        from infonodes.checkpoints import Checkpoints, nests
        path = Checkpoints(os.path.join(out, "checkpoints"), {}).newest().path
        replays.append(nests.load(os.path.join(path, "states"), "replay"))
    one, other = replays
    assert one["leaves"] == other["leaves"] and one["rng"] == other["rng"]
    assert len(one["frames"]["frames"]) > 400 and len(np.unique(one["frames"]["frames"], axis=0)) > 400
    np.testing.assert_array_equal(one["frames"]["frames"], other["frames"]["frames"])
