"""A deadline for waits that nothing in this process can end, as TensorFlow's collectives."""
from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from typing import Callable, Iterator, Optional

from experiments.distributed import roles

_STEP_S = 0.5
_STOPS = {signal.SIGTERM, signal.SIGINT}


class Watchdog:
    """Leaves the process with code 69 if what it watches over takes too long.

    The main thread is inside TensorFlow meanwhile: no exception reaches it, and no Python signal handler runs. Signals
    are read from a pipe, and set `role.stop` as the handlers would.

    Attributes:
      told_s: When the role was told to stop, on the monotonic clock; None before.
    """

    def __init__(
        self, role: roles.Role, limit_s: float, stop_limit_s: float, leave: Callable[[int], object] = os._exit
    ):
        """Starts watching; in the main thread, as it takes the signals.

        Args:
          role: Whose process this is; it says what is waited for, after a while.
          limit_s: The longest that one wait may take.
          stop_limit_s: The longest that it may go on once the role was told to stop.
          leave: Ends the process with a code.
        """
        self._role, self._limit_s, self._stop_limit_s, self._leave = role, limit_s, stop_limit_s, leave
        self._wait: Optional[tuple[str, float]] = None
        self.told_s: Optional[float] = None
        self._signals, told = os.pipe()
        os.set_blocking(told, False)
        signal.set_wakeup_fd(told)
        threading.Thread(target=self._watch, daemon=True).start()

    @contextlib.contextmanager
    def over(self, what: str) -> Iterator[None]:
        """Watches over what is done inside, called `what`."""
        self._wait = (what, time.monotonic())
        try:
            yield
        finally:
            self._wait = None

    @property
    def is_overdue(self) -> bool:
        """Whether the role was told to stop longer ago than `stop_limit_s`."""
        return self.told_s is not None and time.monotonic() - self.told_s > self._stop_limit_s

    def _watch(self) -> None:
        while True:
            if select.select([self._signals], [], [], _STEP_S)[0] and _STOPS & set(os.read(self._signals, 64)):
                self._role.stop.set()
            if self.told_s is None and self._role.stop.is_set():
                self.told_s = time.monotonic()
            wait = self._wait
            if wait is None:
                continue
            what, since_s = wait
            waited = time.monotonic() - since_s
            if waited > self._limit_s or (self.is_overdue and waited > self._stop_limit_s):
                self._role.say(f"{what} took {waited:.0f} s and is not done; leaving, the last checkpoint stands")
                self._leave(roles.AWAY)
                return
            if waited >= roles.SILENCE_S:
                self._role.say(f"waiting for {what} ({waited:.0f} s)", roles.SILENCE_S, "watchdog")
