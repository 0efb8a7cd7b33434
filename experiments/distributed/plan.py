"""A distributed run as a folder and a list of processes."""
from __future__ import annotations

import dataclasses
import json
import os
import sys
from typing import Optional

import portpicker

from experiments.distributed import isolation, roles
from experiments.distributed.supervisor import Child
from experiments.errors import RunError
from experiments.run_config import RunConfig
from experiments.run_folder import RunFolder, default_path

# Threads of a collector, for its pulls of weights.
_PULLS = 4


def prepare(config: RunConfig, path: Optional[str]) -> RunFolder:
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
        for role in ("server", "learn"):
            further[role].append("--expose_replay")
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
        group = "learn" if workers > 1 else ""
        found.append(Child(f"learn-{i}" if i else "learn", command("learn", *strategy), mine, group=group))
    # A pull from a server that died keeps its thread until gRPC connects again, up to 30 s later.
    env = {**env, "TF_NUM_INTEROP_THREADS": str(max(threads, _PULLS))}
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
