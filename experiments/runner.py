"""Trains one agent on one environment and leaves a folder that tells all about it."""
from __future__ import annotations

import dataclasses
import os
from typing import Optional

from experiments import tasks
from experiments.errors import RunError
from experiments.run_config import RunConfig, fixed
from experiments.run_folder import RunFolder
from experiments.run_loop import MakeEnv, Run, RunResult


def train(config: RunConfig, make_env: Optional[MakeEnv] = None, progress: bool = True) -> RunResult:
    """Trains from scratch.

    Args:
      config: See `RunConfig`.
      make_env: Returns an environment that `config.env` merely names; one to collect from
        and `config.eval_episodes` to evaluate on.
      progress: Whether to show a progress bar.

    Raises:
      RunError: if the config, the folder or the environment does not fit, or another process works on the folder.
      RunStopped: by SIGTERM or SIGINT, once a checkpoint was written.
      CheckpointFault: if a checkpoint could not be written.
    """
    make_env = make_env or (lambda: tasks.load(config.env))
    make_env()  # Fails here, before there is a folder.
    folder = RunFolder.create(config)
    with folder.locked():
        return Run(config, folder, make_env, progress).go(resumed=False)


def resume(
    folder: str, steps: Optional[int] = None, make_env: Optional[MakeEnv] = None, progress: bool = True
) -> RunResult:
    """Goes on from a run's last sound checkpoint.

    With the local replay it does what a run would that was never stopped, bit by bit, if the
    environment gives its state (`snapshots`); otherwise a new episode begins. With Reverb the
    replay holds what it held at the checkpoint, and draws are not repeated. docs/reliability.md has
    what is promised.

    Args:
      folder: The run's.
      steps: Train up to this step instead of the one asked for at first.
      make_env: As for `train`.
      progress: As for `train`.

    Raises:
      RunError: if there is nothing to go on from, or another process works on the folder.
      RunStopped: by SIGTERM or SIGINT, once a checkpoint was written.
      CheckpointFault: if no checkpoint is sound, or they are of another run.
    """
    opened = RunFolder.reopen(folder)
    config = opened.config()
    if steps is not None:
        config = dataclasses.replace(config, steps=steps)
    return _go_on(config, opened, make_env, progress)


def train_or_resume(config: RunConfig, make_env: Optional[MakeEnv] = None, progress: bool = True) -> RunResult:
    """Trains, or goes on where an earlier call with the same config was stopped or killed.

    Args:
      config: With a folder `out`; a run that was begun there may differ in steps, and in
        when it is evaluated and saved.
      make_env: As for `train`.
      progress: As for `train`.

    Raises:
      RunError: if the run in `out` was begun with another config, listing the differences; or another process works
        on it.
      RunStopped: as for `resume`.
      CheckpointFault: as for `resume`.
    """
    if config.out is None:
        raise RunError("going on by the same command: expected --out, the folder of the run")
    if not os.path.isfile(os.path.join(config.out, "config.json")):
        return train(config, make_env, progress)
    opened = RunFolder.reopen(config.out)
    begun, asked = fixed(opened.config()), fixed(config)
    differ = [f"{k}: {begun[k]!r} then, {asked[k]!r} now" for k in asked if begun[k] != asked[k]]
    if differ:
        raise RunError(f"run folder {config.out!r}: it is of another run; {'; '.join(differ)}; choose another --out")
    return _go_on(config, opened, make_env, progress, or_anew=True)


def _go_on(
    config: RunConfig, folder: RunFolder, make_env: Optional[MakeEnv], progress: bool, or_anew: bool = False
) -> RunResult:
    """Goes on with a run in its own folder; the arguments are those of `resume`, and of `Run.go`."""
    config = dataclasses.replace(config, out=folder.path)
    with folder.locked():
        run = Run(config, folder, make_env or (lambda: tasks.load(config.env)), progress)
        return run.go(resumed=True, or_anew=or_anew)
