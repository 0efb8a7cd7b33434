"""A distributed run on this machine: one server, any number of collectors, a learner.

  python -m experiments.distributed.launch --env=CartPole-v1 --collectors=4 --root_dir=runs/mine

The same command goes on with a run that was stopped or killed. Roles that die are started
again; logs/, status/, checkpoints/ and replay/ are in the run's folder.
"""
from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import dataclasses
import fcntl
import json
import signal
import sys
import threading
import time

import portpicker
from absl import flags

from experiments import settings
from experiments.distributed import isolation, roles
from experiments.distributed.supervisor import Child, Supervisor
from experiments.errors import RunError
from experiments.run_config import RunConfig, parse_overrides, with_overrides
from experiments.run_folder import RunFolder, default_path

_ENV = flags.DEFINE_string("env", RunConfig.env, "As for experiments.train.")
_PRESET = flags.DEFINE_enum("preset", RunConfig.preset, settings.AGENTS, "Which agent.")
_SEED = flags.DEFINE_integer("seed", RunConfig.seed, "Of the agent, and of the collectors with their numbers.")
_STEPS = flags.DEFINE_integer("steps", RunConfig.steps, "Updates of the learner.")
_SET = flags.DEFINE_multi_string("set", [], "NAME=VALUE, as for experiments.train.")
_COLLECTORS = flags.DEFINE_integer("collectors", 1, "How many.")
_WORKERS = flags.DEFINE_integer("workers", 1, "Learner processes under --strategy=multiworker.")
_THREADS = flags.DEFINE_integer("threads", 1, "TensorFlow's, a process; 1 is quickest when processes share cores.")
_PASS = flags.DEFINE_multi_string(
    "role_flag", [], "ROLE:--flag=value for the server, collect or learn binary, as in learn:--strategy=mirrored."
)
_STATUS_EVERY_S = flags.DEFINE_float("status_every_s", 10.0, "Time from one line of status to the next.")


def build() -> RunConfig:
    """Returns the run that the flags ask for."""
    config = RunConfig(env=_ENV.value, preset=_PRESET.value, seed=_SEED.value, steps=_STEPS.value)
    return with_overrides(config, parse_overrides(_SET.value))


def prepare(config: RunConfig, path: str | None) -> RunFolder:
    """Makes the run's folder, or opens it if it is of the same run.

    Raises:
      RunError: if it is of another run, listing the differences.
    """
    config = dataclasses.replace(config, out=path or default_path(config))
    if not os.path.isfile(os.path.join(config.out, "config.json")):
        return RunFolder.create(config)
    folder = RunFolder.reopen(config.out)
    had, asked = folder.config().to_json(), {**config.to_json(), "out": folder.path}
    had, asked = (json.loads(json.dumps(record)) for record in (had, asked))
    changed = [name for name in asked if had[name] != asked[name]]
    different = [f"{name}: it has {had[name]!r}, asked for {asked[name]!r}" for name in changed]
    if different:
        raise RunError(f"--root_dir={path!r} is of another run: {'; '.join(different)}; choose another folder")
    return folder


def lock(folder: RunFolder) -> object:
    """Returns the lock of a run's folder; it is held until this process dies.

    Raises:
      RunError: if another launcher has it.
    """
    file = open(folder.file("lock"), "w", encoding="utf-8")  # noqa: SIM115
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RunError(f"run folder {folder.path!r}: another launcher runs it; stop that one first") from error
    return file


def children(folder: RunFolder, collectors: int, workers: int, role_flags: list[str], threads: int = 1) -> list[Child]:
    """Returns the processes of a run.

    Args:
      folder: The run's.
      collectors: How many.
      workers: Learner processes.
      role_flags: `ROLE:--flag=value`.
      threads: Of TensorFlow, a process.

    Raises:
      RunError: for flags of no role.
    """
    further: dict[str, list[str]] = {"server": [], "collect": [], "learn": []}
    for text in role_flags:
        role, colon, flag = text.partition(":")
        if role not in further or not colon:
            raise RunError(f"--role_flag={text!r}: expected ROLE:--flag=value with a role of {list(further)}")
        further[role].append(flag)
    if isolation.EXPOSE.value:
        further["server"].append("--expose_replay")
    address = f"localhost:{portpicker.pick_unused_port()}"
    base = [f"--root_dir={folder.path}", f"--address={address}", f"--give_up_s={roles.GIVE_UP_S.value}"]
    env = {f"TF_NUM_{kind}_THREADS": str(threads) for kind in ("INTEROP", "INTRAOP")}
    command = lambda role, *more: [
        sys.executable, "-m", f"experiments.distributed.{role}", *base, *further[role], *more
    ]
    found = [Child("server", command("server"), env)]
    cluster = {"worker": [f"localhost:{portpicker.pick_unused_port()}" for _ in range(workers)]}
    for i in range(workers):
        mine = dict(env)
        if workers > 1:
            mine["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}})
        strategy = ["--strategy=multiworker"] if workers > 1 else []
        found.append(Child(f"learn-{i}" if i else "learn", command("learn", *strategy), mine))
    found += [Child(f"collect-{i}", command("collect", f"--task={i}"), env) for i in range(collectors)]
    return found


def status_line(folder: RunFolder, names: list[str]) -> str:
    """Returns what the roles reported last, in a line."""
    learn, server = (roles.read_status(folder.path, name) for name in ("learn", "server"))
    collect = [roles.read_status(folder.path, name) for name in names if name.startswith("collect")]
    windows = sum(n for name, n in server.get("sizes", {}).items() if name != "variables")
    returns = [c["mean_return"] for c in collect if c.get("mean_return") is not None]
    mean = f"{sum(returns) / len(returns):.1f}" if returns else "-"
    return (
        f"updates {learn.get('step', 0)} ({learn.get('steps_per_s', 0.0):.0f}/s), moves "
        f"{sum(c.get('moves', 0) for c in collect)} ({sum(c.get('moves_per_s', 0.0) for c in collect):.0f}/s), "
        f"windows {windows}, return {mean}"
    )


def main() -> int:
    """Runs until the learner is done or a signal comes."""
    isolation.enter("experiments.distributed.launch")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    folder = prepare(build(), roles.ROOT_DIR.value)
    held = lock(folder)
    found = children(folder, _COLLECTORS.value, _WORKERS.value, _PASS.value, _THREADS.value)
    supervisor = Supervisor(found, folder.file("logs"))
    print(f"folder: {folder.path}", flush=True)
    supervisor.start_all()
    code, said = None, time.monotonic()
    try:
        while code is None and not stop.wait(0.2):
            code = supervisor.tend()
            if time.monotonic() - said >= _STATUS_EVERY_S.value:
                said = time.monotonic()
                print(status_line(folder, list(supervisor.children)), flush=True)
    finally:
        codes = supervisor.stop()
    del held
    print(f"{status_line(folder, list(supervisor.children))}; exit codes {codes}", flush=True)
    return roles.STOPPED if code is None else code


if __name__ == "__main__":
    roles.run(main)
