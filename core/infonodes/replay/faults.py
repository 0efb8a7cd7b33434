"""What can go wrong between an actor and its replay, and waits that end."""
from __future__ import annotations

import threading
from typing import Any, Callable


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
      call: Runs in a thread of its own, which is left behind if it does not return.
      address: The server's `host:port`, for the message.
      doing: What is waited for, for the message.

    Raises:
      ReplayTimeout: if `call` did not return in time.
    """
    outcome: dict[str, Any] = {}

    def run() -> None:
        try:
            outcome["value"] = call()
        except Exception as error:  # pylint: disable=broad-except
            outcome["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise no_answer(address, seconds, doing)
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]
