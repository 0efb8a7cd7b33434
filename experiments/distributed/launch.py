"""A distributed run on this machine: one server, any number of collectors, a learner.

  python -m experiments.distributed.launch --env=CartPole-v1 --collectors=4 --root_dir=runs/mine

The same command goes on with a run that was stopped or killed. Roles that die are started
again; logs/, status/, checkpoints/ and replay/ are in the run's folder.
"""
from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import signal
import threading
import time

from absl import flags

from experiments import settings
from experiments.distributed import isolation, plan, roles
from experiments.distributed.supervisor import Supervisor
from experiments.run_config import RunConfig, parse_overrides, with_overrides

flags.declare_key_flag("root_dir")
flags.declare_key_flag("give_up_s")
flags.declare_key_flag("expose_replay")
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


def main() -> int:
    """Runs until the learner is done or a signal comes."""
    isolation.enter("experiments.distributed.launch")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    folder = plan.prepare(build(), roles.ROOT_DIR.value)
    with folder.locked():
        found = plan.children(folder, _COLLECTORS.value, _WORKERS.value, _PASS.value, _THREADS.value)
        supervisor = Supervisor(found, folder.file("logs"))
        print(f"folder: {folder.path}", flush=True)
        supervisor.start_all()
        code, said = None, time.monotonic()
        try:
            while code is None and not stop.wait(0.2):
                code = supervisor.tend()
                if time.monotonic() - said >= _STATUS_EVERY_S.value:
                    said = time.monotonic()
                    print(plan.status_line(folder, list(supervisor.children)), flush=True)
        finally:
            codes = supervisor.stop()
        print(f"{plan.status_line(folder, list(supervisor.children))}; exit codes {codes}", flush=True)
    return roles.STOPPED if code is None else code


if __name__ == "__main__":
    roles.run(main)
