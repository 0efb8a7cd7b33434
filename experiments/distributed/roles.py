"""What the roles of a distributed run share: flags, addresses, stopping, and what they say.

Exit codes, of every role and of the launcher:

| code | meaning | start it again? |
| --- | --- | --- |
| 0 | done | no |
| 1 | asked for something impossible | no: the message says what to change |
| 69 | what it needs was away longer than `--give_up_s` | yes, once that is back |
| 70 | an error that nobody expected, with its traceback | yes |
| 75 | stopped by SIGTERM or SIGINT, its state saved | yes, by the same command |
"""
from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from typing import Any, Callable, Iterator, NoReturn

import reverb
from absl import app, flags, logging
from tf_agents.specs import tensor_spec

from experiments import collecting, command_line, settings, tasks
from experiments.errors import RunError
from experiments.run_config import REPLAY, RunConfig
from experiments.run_folder import RunFolder
from infonodes.agent import InfoNodeAgent
from infonodes.checkpoints import CheckpointMismatch
from infonodes.environments import guarded
from infonodes.replay import CostPrioritizedReplay, FifoReplay, ReplayFault, ReplayTimeout
from infonodes.replay.base import Replay
from infonodes.types import GraphError

DONE, IMPOSSIBLE, AWAY, BROKEN, STOPPED = 0, 1, 69, 70, 75
LOOPBACK = ("localhost", "127.0.0.1")
# This process's, of clients that stay, with three open files each; and of those that look and go.
_ADDRESSES = itertools.cycle([f"127.0.1.{i}" for i in range(1, 65)])
_LOOKS = itertools.cycle([f"127.0.2.{i}" for i in range(1, 65)])
# Less than this without a sign of the server is no reason to say anything.
SILENCE_S = 5.0

ROOT_DIR = flags.DEFINE_string("root_dir", None, "The run's folder, with the config.json that the launcher wrote.")
ADDRESS = flags.DEFINE_string("address", None, "HOST:PORT of the replay server. Only one you trust.")
GIVE_UP_S = flags.DEFINE_float("give_up_s", 300.0, "Exit with code 69 after waiting this long for a peer.")
DEADLINE_S = flags.DEFINE_float("deadline_s", 10.0, "Of a single call to the server.")


class Away(RuntimeError):
    """A peer was away for longer than `--give_up_s`."""


class Endpoint:
    """Where the replay server is."""

    def __init__(self, address: str):
        """Reads `HOST:PORT`."""
        self._host, colon, port = (address or "").rpartition(":")
        if not colon or not self._host or not port.isdigit():
            raise RunError(f"--address={address!r}: expected HOST:PORT of the replay server")
        self._port = int(port)

    def fresh(self, addresses: Iterator[str] = _ADDRESSES) -> str:
        """Returns the address in a form that nothing in this process has used lately, where there is one.

        gRPC lets all clients of one address share a connection, and one that failed is tried
        again after up to 30 s only. All of 127.0.0.0/8 is this host: each has its own. They come round, as TensorFlow's
        client of each address stays for good, with its connection.

        Args:
          addresses: Whence to take it, of this host.
        """
        return f"{next(addresses) if self._host in LOOPBACK else self._host}:{self._port}"

    def answers(self, timeout_s: int = 2) -> bool:
        """Returns whether the server does, on a fresh connection."""
        try:
            with socket.create_connection((self._host, self._port), timeout_s):
                pass
            reverb.Client(self.fresh(_LOOKS)).server_info(timeout=timeout_s)
        except (OSError, reverb.errors.ReverbError, RuntimeError):
            return False
        return True


class Role:
    """One process of a run: what it was asked, when to stop, what it says."""

    def __init__(self, name: str):
        """Opens the folder and takes the signals.

        Args:
          name: Of the role, such as `collect-0`.
        """
        if not ROOT_DIR.value:
            raise RunError("--root_dir: expected a run's folder; `python -m experiments.distributed.launch` makes one")
        self.name = name
        self.folder = RunFolder(ROOT_DIR.value)
        if not os.path.isfile(self.folder.file("config.json")):
            raise RunError(f"--root_dir={ROOT_DIR.value!r}: found no config.json; the launcher writes it")
        self.config = self.folder.config()
        self.stop = threading.Event()
        self.take_signals()
        os.makedirs(self.folder.file("status"), mode=0o700, exist_ok=True)
        self._said: dict[str, float] = {}
        self._reported = 0.0

    def take_signals(self) -> None:
        """Has SIGTERM and SIGINT set `stop`; again after TensorFlow's coordination service, which takes SIGTERM."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop.set())

    def say(self, text: str, every_s: float = 0.0, key: str = "") -> None:
        """Prints a line, unless one of the same `key` is younger than `every_s`."""
        now = time.monotonic()
        if every_s and now - self._said.get(key or text, -1e9) < every_s:
            return
        self._said[key or text] = now
        print(f"{time.strftime('%H:%M:%S')} {self.name}: {text}", file=sys.stderr, flush=True)

    def report(self, every_s: float = 1.0, **values: Any) -> None:
        """Writes `status/NAME.json`, at most every so often; the launcher and the tests read it."""
        now = time.monotonic()
        if now - self._reported < every_s:
            return
        self._reported = now
        self.folder.write_json(f"status/{self.name}.json", {**values, "pid": os.getpid(), "time_s": time.time()})

    def await_server(self, endpoint: Endpoint) -> bool:
        """Waits for the server.

        Returns:
          False if it was told to stop meanwhile.

        Raises:
          Away: if it does not answer within `--give_up_s`.
        """
        start = time.monotonic()
        while not endpoint.answers():
            away = time.monotonic() - start
            if away > GIVE_UP_S.value:
                raise Away(f"the replay server at {ADDRESS.value} was away for {away:.0f} s; is it running?")
            self.say(f"waiting for the replay server at {ADDRESS.value} ({away:.0f} s)", SILENCE_S, "server")
            if self.stop.wait(0.3):
                return False
        return True


def build_agent(config: RunConfig) -> InfoNodeAgent:
    """Returns the agent that a config asks for, built from the environment's specs.

    Raises:
      RunError: for an agent without nodes.
    """
    env = tasks.load(config.env)
    specs = tensor_spec.from_spec((env.time_step_spec(), env.action_spec()))
    agent = settings.build_agent(config.preset, config.settings, *specs, config.seed)
    if not isinstance(agent, InfoNodeAgent):
        raise RunError(f"preset {config.preset!r} is no agent of nodes; a distributed run wants one")
    return agent


def make_replay(agent: InfoNodeAgent, config: RunConfig, address: Any = None) -> Replay:
    """Returns the replay of a config, on the server at `address`, or on one of its own."""
    length = agent.train_sequence_length or 2
    server = {"address": address, "deadline_s": DEADLINE_S.value}
    if collecting.on_policy(agent):
        stride = max(length - 1, 1)
        return FifoReplay(agent.collect_data_spec, length, stride=stride, **server, **config.replay)
    return CostPrioritizedReplay(agent.collect_data_spec, length, **server, **{**REPLAY, **config.replay})


def run(main: Callable[[], int]) -> NoReturn:
    """Runs a role's main and leaves with its exit code.

    It does not leave by Python's way out: destructors of Reverb's clients wait for a server.
    """

    def guard(argv: list) -> None:
        command_line.check(argv)
        logging.set_verbosity(logging.WARNING)
        try:
            code = main()
        except (RunError, GraphError, guarded.EnvironmentFault, CheckpointMismatch) as error:
            code = _fail(error, IMPOSSIBLE)
        except (Away, ReplayTimeout) as error:
            code = _fail(error, AWAY)
        except ReplayFault as error:
            code = _fail(error, IMPOSSIBLE)
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc()
            code = BROKEN
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    app.run(guard)
    raise AssertionError("unreachable")


def read_status(folder: str, name: str) -> dict[str, Any]:
    """Returns what a role reported last; empty before it did."""
    try:
        with open(os.path.join(folder, "status", f"{name}.json"), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def _fail(error: Exception, code: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return code
