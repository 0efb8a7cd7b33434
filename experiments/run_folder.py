"""A run's folder: what was asked, with which versions, and what came of it."""
from __future__ import annotations

import contextlib
import csv
import dataclasses
import fcntl
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import time
from typing import Any, Iterator, Optional

from experiments import whole_files
from experiments.errors import RunError
from experiments.run_config import RunConfig

_COLUMNS = ("step", "kind", "return", "length", "loss", "seconds", "returns")
_PACKAGES = ("tensorflow", "tf-agents", "dm-reverb", "tensorflow-probability", "keras", "numpy", "gym", "infonodes")


def default_path(config: RunConfig) -> str:
    """Returns `runs/<env>-<preset>-seed<k>-<timestamp>`."""
    env = re.sub(r"[^A-Za-z0-9_.]+", "-", config.env)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return os.path.join("runs", f"{env}-{config.preset}-seed{config.seed}-{stamp}")


class RunFolder:
    """One folder that a run writes to, and nowhere else.

    ```
    config.json      asked, and resolved     versions.json    with which versions
    metrics.csv      a line an evaluation (its mean return) and an episode
    checkpoints/     all that it goes on from  tensorboard/     the same curves as events
    result.json      the evaluations         learning_curve.png, graph.png, graph.mmd
    lock             the process that works on it
    ```

    Attributes:
      path: The real path.
    """

    def __init__(self, path: str):
        """Refers to the folder at `path`, see `create` and `reopen`."""
        self.path = os.path.realpath(path)
        self._metrics: Any = None

    @classmethod
    def create(cls, config: RunConfig) -> RunFolder:
        """Makes the folder and writes `config.json` and `versions.json`.

        Raises:
          RunError: if it holds something already.
        """
        path = config.out or default_path(config)
        if os.path.islink(path) or (os.path.exists(path) and (not os.path.isdir(path) or _in_use(path))):
            raise RunError(
                f"run folder {path!r}: expected a new or empty folder, got one in use; choose another "
                "--out, or continue that run with --resume"
            )
        os.makedirs(path, mode=0o700, exist_ok=True)
        folder = cls(path)
        folder.write_config(dataclasses.replace(config, out=folder.path))
        folder.write_json("versions.json", versions())
        return folder

    @classmethod
    def reopen(cls, path: str) -> RunFolder:
        """Returns the folder of a run that was begun.

        Raises:
          RunError: if there is none, or something in it lies elsewhere.
        """
        folder = cls(path)
        if not os.path.isfile(folder.file("config.json")):
            raise RunError(f"--resume {path!r}: found no config.json; expected the folder of an earlier run")
        for root, folders, files in os.walk(folder.path):
            for name in [*folders, *files]:
                folder.file(os.path.relpath(os.path.join(root, name), folder.path))
        if not os.path.exists(folder.file("versions.json")):  # It was killed in between.
            folder.write_json("versions.json", versions())
        return folder

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """While entered, no other process may enter; a lock dies with its process.

        Raises:
          RunError: if another process has it, telling which.
        """
        with open(self.file("lock"), "a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                raise RunError(
                    f"run folder {self.path!r}: process {file.read().strip() or 'unknown'} works on it; stop that one "
                    "first, or choose another folder"
                ) from error
            file.truncate(0)
            file.write(f"{os.getpid()} on {platform.node()}")
            file.flush()
            try:
                yield
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)  # Of forked children too.

    def config(self) -> RunConfig:
        """Returns what was asked.

        Raises:
          RunError: if it would not mean the same today, see `RunConfig.from_record`.
        """
        with open(self.file("config.json"), encoding="utf-8") as file:
            return RunConfig.from_record(json.load(file), f"run folder {self.path!r}")

    def write_config(self, config: RunConfig) -> None:
        """Writes what was asked, and under `resolved` all settings."""
        self.write_json("config.json", config.record())

    def file(self, name: str) -> str:
        """Returns the path of `name` in the folder.

        Raises:
          RunError: if a link leads out of the folder.
        """
        path = os.path.realpath(os.path.join(self.path, name))
        if os.path.commonpath([path, self.path]) != self.path:
            raise RunError(f"run folder {self.path!r}: {name!r} leads to {path!r}; put the files themselves there")
        return path

    def write_json(self, name: str, value: Any) -> None:
        """Writes a file whole or not at all."""
        self.write_text(name, json.dumps(value, indent=1, sort_keys=True) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Writes a file whole or not at all."""
        whole_files.write_text(self.file(name), text)

    def add(self, **row: Any) -> None:
        """Adds a line to `metrics.csv`, on disk when this returns."""
        if self._metrics is None:
            is_new = not os.path.exists(self.file("metrics.csv"))
            self._metrics = open(self.file("metrics.csv"), "a", newline="", encoding="utf-8")  # noqa: SIM115
            if is_new:
                csv.writer(self._metrics).writerow(_COLUMNS)
        csv.DictWriter(self._metrics, _COLUMNS).writerow(row)
        self._metrics.flush()

    def rows(self) -> list[dict[str, str]]:
        """Returns the lines of `metrics.csv`."""
        if not os.path.exists(self.file("metrics.csv")):
            return []
        with open(self.file("metrics.csv"), newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def flush(self) -> None:
        """Gives what was added to the operating system."""
        if self._metrics is not None:
            self._metrics.flush()

    def close(self) -> None:
        """Closes `metrics.csv`; a later `add` opens it again."""
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = None


def _in_use(path: str) -> bool:
    """Whether a folder holds more than what a run leaves that was killed while it made the folder."""
    return any(not name.endswith(".part") for name in os.listdir(path))


def versions() -> dict[str, Any]:
    """Returns the versions that results depend on."""
    found: dict[str, Any] = {"python": sys.version.split()[0], "platform": platform.platform()}
    found["cpus"] = os.cpu_count()
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    found["commit"] = _git("rev-parse", "HEAD")
    found["changed_files"] = len((_git("status", "--porcelain") or "").splitlines())
    return found


def _git(*arguments: str) -> Optional[str]:
    """Returns what git says of this checkout, or None outside of one."""
    here = os.path.dirname(os.path.abspath(__file__))
    try:
        done = subprocess.run(
            ["git", "-C", here, *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
