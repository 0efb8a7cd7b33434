"""Bar 6 for a process that does nothing but save: kill -9 at any moment leaves a complete step."""
import multiprocessing
import os
import random
import signal
import time

import checkpoint_cases as cases
import pytest


def _save_for_ever(folder, started):
    case = cases.Case(folder)
    found = case.checkpoints.restore()
    step = found.step if found else 0
    while True:
        step += 1
        case.advance(step)
        case.checkpoints.save(step)
        started.set()


def kill_while_saving(folder, times):
    """Returns how often a save was cut short."""
    context = multiprocessing.get_context("forkserver")  # A clean process that has TensorFlow imported.
    context.set_forkserver_preload(["checkpoint_cases"])
    rng, cut, last = random.Random(0), 0, 0
    for _ in range(times):
        started = context.Event()
        process = context.Process(target=_save_for_ever, args=(str(folder), started), daemon=True)
        process.start()
        assert started.wait(120)
        time.sleep(rng.uniform(0.0, 0.05))
        os.kill(process.pid, signal.SIGKILL)
        process.join(30)
        cut += any(name.startswith("part-") for name in os.listdir(folder))
        case, expected = cases.Case(folder), cases.Case(f"{folder}-expected")
        found = case.checkpoints.restore()
        for step in range(1, found.step + 1):
            expected.advance(step)
        assert case.snapshot() == expected.snapshot()
        assert found.step > last  # what was saved is not lost again
        last = found.step
    return cut


@pytest.mark.slow
def test_twenty_kills(tmp_path):
    cut = kill_while_saving(tmp_path / "c", 20)
    print(f"20 kills, {cut} of them in the middle of a save: 20 complete steps")
    assert cut >= 5


@pytest.mark.slow
def test_three_kills(tmp_path):
    kill_while_saving(tmp_path / "c", 3)
