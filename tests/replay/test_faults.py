"""Calls with a deadline run in threads that are kept, and hold nothing."""
from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest

from infonodes.replay import ReplayTimeout, faults


def within(call, seconds=5.0):
    return faults.within(seconds, call, "localhost:1", "testing")


def test_it_returns_and_raises_what_the_call_does():
    assert within(lambda: 7) == 7
    with pytest.raises(KeyError, match="culprit"):
        within(lambda: {}["culprit"])


def test_one_thread_after_another_is_one_thread():
    first = within(threading.get_ident)
    assert {within(threading.get_ident) for _ in range(20)} == {first}
    assert within(lambda: within(threading.get_ident)) != first


def test_who_does_not_return_is_left_behind_and_comes_back():
    go_on, back = threading.Event(), threading.Event()

    def stuck():
        go_on.wait()
        back.set()
        return threading.get_ident()

    within(lambda: None)
    threads = threading.active_count()
    with pytest.raises(ReplayTimeout, match="localhost:1 did not answer in 0.05 s while testing"):
        within(stuck, 0.05)
    assert within(lambda: 3) == 3 and threading.active_count() <= threads + 1
    go_on.set()
    assert back.wait(5.0)
    for _ in range(50):
        assert within(lambda: 4) == 4
    assert threading.active_count() <= threads + 1


def test_nothing_of_a_call_outlives_it():
    class Held:
        pass

    held = Held()
    gone = weakref.ref(held)
    assert within(lambda held=held: held) is held
    del held
    for _ in range(100):  # The thread lets go just after the caller has its value.
        gc.collect()
        if gone() is None:
            break
        time.sleep(0.01)
    assert gone() is None
