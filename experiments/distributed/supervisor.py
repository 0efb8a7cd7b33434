"""Starts the roles' processes, starts them again when they die, and stops them in order."""
from __future__ import annotations

import ctypes
import dataclasses
import os
import signal
import subprocess
import sys
import time
from typing import Optional

from experiments.distributed import roles

_LONGEST_PAUSE_S = 10.0
_STEADY_S = 60.0
_PR_SET_PDEATHSIG = 1


@dataclasses.dataclass
class Child:
    """A role's process.

    Attributes:
      name: Of the role.
      command: What starts it.
      env: What differs from this process's environment.
      process: The one that runs, or ran last.
      restarts: How often it was started again.
      paused_until_s: When it may be started again.
      held: Whether to leave it dead, as the chaos scripts ask for.
      group: Of children that can only work together: if one dies, all of them are started anew.
    """

    name: str
    command: list[str]
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    process: Optional[subprocess.Popen] = None
    restarts: int = 0
    started_s: float = 0.0
    paused_until_s: float = 0.0
    quick_deaths: int = 0
    held: bool = False
    group: str = ""

    @property
    def code(self) -> Optional[int]:
        """Its exit code, or None while it runs."""
        return None if self.process is None else self.process.poll()

    def end(self) -> None:
        """Kills it without warning, if it runs."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Supervisor:
    """Keeps the roles alive.

    A role that dies is started again at once, and after a pause if it dies within a minute; with it all of its group.
    """

    def __init__(self, children: list[Child], log_folder: str, most_restarts: int = 100):
        """Does not start anything yet.

        Args:
          children: In the order in which to start them.
          log_folder: Gets what each of them prints.
          most_restarts: Of one role, before the run is given up.
        """
        self.children = {child.name: child for child in children}
        self._log_folder, self._most = log_folder, most_restarts
        os.makedirs(log_folder, mode=0o700, exist_ok=True)

    def start(self, name: str) -> None:
        """Starts one role."""
        child = self.children[name]
        with open(os.path.join(self._log_folder, f"{name}.log"), "ab") as log:
            child.process = subprocess.Popen(
                child.command, env={**os.environ, **child.env}, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                preexec_fn=_die_with_parent, start_new_session=True,
            )
        child.started_s = time.monotonic()

    def start_all(self) -> None:
        """Starts every role."""
        for name in self.children:
            self.start(name)

    def tend(self) -> Optional[int]:
        """Starts again what died.

        Returns:
          The exit code of the run, once the learner is done or a role cannot go on.
        """
        for child in self.children.values():
            code = child.code
            if code is None or child.held:
                continue
            if code == roles.DONE and child.name == "learn":
                return roles.DONE
            if code == roles.DONE and child.group and not child.paused_until_s:
                continue  # It is done a little earlier than the others.
            if code == roles.IMPOSSIBLE or child.restarts >= self._most:
                self._say(f"{child.name} ended with code {code}: see {self._log_folder}/{child.name}.log")
                return code or roles.IMPOSSIBLE
            self._again(child, code)
        return None

    def kill(self, name: str) -> None:
        """Kills a role without warning, and leaves it dead until `release`."""
        child = self.children[name]
        child.held = True
        child.end()

    def release(self, name: str) -> None:
        """Starts a role that was killed."""
        self.children[name].held = False
        self.start(name)

    def stop(self, timeout_s: float = 30.0) -> dict[str, Optional[int]]:
        """Stops collectors, learners and the server, in this order; returns their exit codes."""
        names = sorted(self.children, key=lambda name: ("collect", "learn", "server").index(name.split("-")[0]))
        for group in ("collect", "learn", "server"):
            members = [self.children[name] for name in names if name.split("-")[0] == group]
            for child in members:
                if child.process is not None and child.code is None:
                    child.process.send_signal(signal.SIGTERM)
            end = time.monotonic() + timeout_s
            for child in members:
                if child.process is None:
                    continue
                try:
                    child.process.wait(max(end - time.monotonic(), 0.1))
                except subprocess.TimeoutExpired:
                    self._say(f"{child.name} did not stop within {timeout_s:g} s; killing it")
                    child.end()
        return {name: self.children[name].code for name in self.children}

    def _again(self, child: Child, code: int) -> None:
        now = time.monotonic()
        if child.paused_until_s == 0.0:
            child.quick_deaths = child.quick_deaths + 1 if now - child.started_s < _STEADY_S else 0
            pause = min(0.25 * 2**child.quick_deaths, _LONGEST_PAUSE_S)
            child.paused_until_s = now + pause
            self._say(f"{child.name} died with code {code}; starting it again in {pause:.1f} s")
            for mate in self.children.values():
                if mate is not child and child.group and mate.group == child.group and mate.code in (None, roles.DONE):
                    self._say(f"{mate.name} cannot go on without {child.name}; starting it again too")
                    mate.end()
                    mate.paused_until_s = child.paused_until_s
        if now >= child.paused_until_s:
            child.paused_until_s = 0.0
            child.restarts += 1
            self.start(child.name)

    def _say(self, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} launcher: {text}", file=sys.stderr, flush=True)


def _die_with_parent() -> None:
    """Has Linux stop this process when the launcher dies, even of SIGKILL."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
