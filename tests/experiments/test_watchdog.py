"""Waits inside TensorFlow, which no exception and no signal handler reaches."""
import os
import signal
import threading
import time
import types

import pytest

from experiments.distributed import roles, watchdog


@pytest.fixture(name="watched")
def _watched(monkeypatch):
    """Returns a function that makes a watchdog, and what it said and left with."""
    monkeypatch.setattr(watchdog, "_STEP_S", 0.01)
    monkeypatch.setattr(roles, "SILENCE_S", 0.05)
    said, left = [], []
    role = types.SimpleNamespace(stop=threading.Event(), say=lambda text, *_: said.append(text))
    make = lambda limit_s, stop_limit_s: watchdog.Watchdog(role, limit_s, stop_limit_s, left.append)
    yield make, role, said, left
    signal.set_wakeup_fd(-1)


def _until(condition):
    end = time.monotonic() + 20.0
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def test_a_wait_that_is_too_long_ends_the_process(watched):
    make, _, said, left = watched
    with make(0.3, 0.1).over("an update"):
        _until(lambda: left)
    assert left == [roles.AWAY]
    assert said[0].startswith("waiting for an update (") and "is not done" in said[-1]


def test_short_waits_and_pauses_do_not(watched):
    make, _, said, left = watched
    dog = make(0.5, 0.1)
    for _ in range(4):
        with dog.over("an update"):
            time.sleep(0.01)
        time.sleep(0.3)
    assert not said and not left


def test_a_signal_is_met_while_the_main_thread_is_away(watched):
    """TERM sets `stop`, though the role's handler has not run, and the shorter limit holds from then on."""
    make, role, _, left = watched
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with make(1000.0, 0.5).over("an update"):
            time.sleep(1.0)
            assert not role.stop.is_set() and not left
            os.kill(os.getpid(), signal.SIGTERM)
            told = time.monotonic()
            _until(lambda: left)
            assert time.monotonic() - told > 0.5
    finally:
        signal.signal(signal.SIGTERM, before)
    assert role.stop.is_set() and left == [roles.AWAY]
