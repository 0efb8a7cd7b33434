"""What can go wrong between an actor and its replay, and waits that end."""
from __future__ import annotations

import os
import queue
import threading
from typing import Any, Callable, Optional


class ReplayFault(RuntimeError):
    """Data or a server that the replay cannot take: names it and the fix."""


class ReplayTimeout(ReplayFault):
    """A wait on the replay that met its deadline."""


def no_answer(address: str, seconds: float, doing: str) -> ReplayTimeout:
    """Returns the error for a server that let a deadline pass.

    Args:
      address: The server's `host:port`.
      seconds: The deadline.
      doing: What was waited for, as in 'sampling'.
    """
    return ReplayTimeout(
        f"the replay server at {address} did not answer in {seconds:g} s while {doing}; is it "
        "running and reachable, and is its table neither full nor waiting to be sampled? "
        "(deadline_s sets the wait)"
    )


def within(seconds: float, call: Callable[[], Any], address: str, doing: str) -> Any:
    """Returns `call()`, for Reverb's calls that take no timeout and wait for ever.

    Args:
      seconds: How long to wait.
      call: Runs in another thread, which is left behind if it does not return.
      address: The server's `host:port`, for the message.
      doing: What is waited for, for the message.

    Raises:
      ReplayTimeout: if `call` did not return in time.
    """
    try:
        worker = _idle.pop()
    except IndexError:
        worker = _Worker()
    outcome = worker.start(call)
    try:
        value, error = outcome.get(timeout=seconds)
    except queue.Empty:
        raise no_answer(address, seconds, doing) from None
    if error is not None:
        raise error
    return value


class _Worker:
    """A thread that runs one call at a time, and is idle in between.

    A new one for each call takes 0.1 ms more, and TensorFlow leaves some memory behind for each.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def start(self, call: Callable[[], Any]) -> queue.SimpleQueue:
        """Returns where (value, error) of `call()` will come."""
        outcome: queue.SimpleQueue = queue.SimpleQueue()
        self._calls.put((call, outcome))
        return outcome

    def _run(self) -> None:
        while True:
            call, outcome = self._calls.get()
            found: tuple[Any, Optional[Exception]]
            try:
                found = call(), None
            except Exception as error:  # pylint: disable=broad-except
                found = None, error
            _idle.append(self)
            outcome.put(found)
            # Nothing of the call outlives it.
            del call, outcome, found


# Also those that were left behind, once their call returned after all.
_idle: list[_Worker] = []
# A forked process has the list, and not the threads.
os.register_at_fork(after_in_child=_idle.clear)
