"""Trains one agent on one environment.

  python -m experiments.train --env=CartPole-v1
  python -m experiments.train --env=probe/one_action --steps=2000
  python -m experiments.train --set=pred.f_act=inverse --set=replay.exponent=0
  python -m experiments.train --resume=runs/FOLDER --steps=30000

  python -m experiments.train --out=runs/mine --go_on     begins it, or goes on after a kill

It exits with 0 when done, 1 for an error, 75 if a signal stopped it after a checkpoint, 74 if a
checkpoint could not be written or read, 130 if a second signal came before it was.

It leaves a folder with config.json, versions.json, metrics.csv, checkpoints/, tensorboard/,
learning_curve.png, graph.png and graph.mmd.
"""
from __future__ import annotations

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import gin
import tensorflow as tf
from absl import app, flags, logging

from experiments import command_line, runner, settings
from experiments.errors import RunError, RunStopped
from experiments.run_config import REPLAY_KINDS, RunConfig, parse_overrides, with_overrides
from experiments.run_folder import RunFolder
from infonodes.checkpoints import CheckpointFault
from infonodes.checkpoints.signals import EXIT_NOT_SAVED, EXIT_SAVED
from infonodes.environments import guarded
from infonodes.replay.faults import ReplayFault
from infonodes.types import GraphError

_ENV = flags.DEFINE_string("env", RunConfig.env, "A gym id, or probe/NAME: one of the probes (probe/t_maze, …).")
_PRESET = flags.DEFINE_enum("preset", RunConfig.preset, settings.AGENTS, "Which agent.")
_SEED = flags.DEFINE_integer("seed", RunConfig.seed, "Of TensorFlow, numpy, the environment and the agent.")
_STEPS = flags.DEFINE_integer(
    "steps", None, f"Environment steps in all; {RunConfig.steps} by default, or what the resumed run was asked for."
)
_EVAL_EVERY = flags.DEFINE_integer(
    "eval_every", RunConfig.eval_every, "Steps from one greedy evaluation, and checkpoint, to the next."
)
_EVAL_EPISODES = flags.DEFINE_integer("eval_episodes", RunConfig.eval_episodes, "Episodes an evaluation.")
_OUT = flags.DEFINE_string("out", None, "A new folder for the run; runs/ENV-PRESET-seedN-TIME by default.")
_SET = flags.DEFINE_multi_string(
    "set",
    [],
    "NAME=VALUE, may be repeated. NAME is a setting of the preset (pred.f_act, reward.horizon, "
    "agent.learning_rate, modes.dream, …), of the replay (replay.exponent, …) or of the run (batch_size, "
    "train_every, warmup). A wrong name lists the right ones.",
)
_RESUME = flags.DEFINE_string(
    "resume",
    None,
    "Go on from the last checkpoint in this folder, with its config; of the other flags only --steps counts. "
    "docs/reliability.md has what comes back.",
)
_GO_ON = flags.DEFINE_boolean(
    "go_on", False, "Go on with the run in --out, if one was begun there by the same command; else begin it."
)
_REPLAY = flags.DEFINE_enum(
    "replay", RunConfig.replay_kind, REPLAY_KINDS,
    "Where experience is kept: a Reverb server of the run's own, or arrays in this process, with which a run is "
    "repeated, and resumed, bit by bit.",
)
_CHECKPOINT_EVERY_S = flags.DEFINE_float(
    "checkpoint_every_s", RunConfig.checkpoint_every_s, "Seconds from one checkpoint to the next."
)
_GIN_FILE = flags.DEFINE_string(
    "gin_file", None, "A gin file, read first; --set wins. Gin files import and call Python: use your own only."
)


def build() -> RunConfig:
    """Returns the run that the flags ask for."""
    config = RunConfig(
        env=_ENV.value,
        preset=_PRESET.value,
        seed=_SEED.value,
        steps=_STEPS.value or RunConfig.steps,
        eval_every=_EVAL_EVERY.value,
        eval_episodes=_EVAL_EPISODES.value,
        out=_OUT.value,
        replay_kind=_REPLAY.value,
        checkpoint_every_s=_CHECKPOINT_EVERY_S.value,
    )
    return with_overrides(config, parse_overrides(_SET.value))


def main(argv: list) -> None:
    """Trains and says what came of it."""
    command_line.check(argv)
    logging.set_verbosity(logging.WARNING)
    try:
        if _GIN_FILE.value:
            gin.parse_config_file(_GIN_FILE.value)
        kind = RunFolder.reopen(_RESUME.value).config().replay_kind if _RESUME.value else _REPLAY.value
        if kind == "local":
            tf.config.experimental.enable_op_determinism()
        if _RESUME.value:
            result = runner.resume(_RESUME.value, _STEPS.value)
        elif _GO_ON.value:
            result = runner.train_or_resume(build())
        else:
            result = runner.train(build())
    except (RunError, GraphError, ReplayFault, guarded.EnvironmentFault) as error:
        raise SystemExit(f"error: {error}") from error
    except RunStopped as stopped:
        print(stopped)
        raise SystemExit(EXIT_SAVED) from None
    except CheckpointFault as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(EXIT_NOT_SAVED) from error
    except KeyboardInterrupt:  # A second signal: nothing more is saved.
        raise SystemExit(130) from None
    last = result.evaluations[-1]
    print(
        f"greedy return after {last.step} steps: {last.mean:.1f} over {len(last.returns)} episodes "
        f"({min(last.returns):.0f} to {max(last.returns):.0f}); {result.seconds:.0f} s, "
        f"{result.steps_per_s:.0f} steps/s while training\nfolder: {result.folder}"
    )


if __name__ == "__main__":
    app.run(main)
