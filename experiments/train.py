"""Trains one agent on one environment.

  python -m experiments.train --env=CartPole-v1
  python -m experiments.train --env=probe/one_action --steps=2000
  python -m experiments.train --set=pred.f_act=inverse --set=replay.exponent=0
  python -m experiments.train --resume=runs/FOLDER --steps=30000

It leaves a folder with config.json, versions.json, metrics.csv, checkpoints/, tensorboard/,
learning_curve.png, graph.png and graph.mmd.
"""
from __future__ import annotations

import os
import signal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import gin
from absl import app, flags, logging

from experiments import runner, settings
from experiments.errors import RunError
from experiments.run_config import RunConfig, parse_overrides, with_overrides
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
    "Networks, optimiser and counters are restored. The replay and the episode under way are not: the agent "
    f"collects {runner.REFILL} uncounted steps first, so that a resumed run differs from one never stopped.",
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
    )
    return with_overrides(config, parse_overrides(_SET.value))


def main(argv: list) -> None:
    """Trains and says what came of it."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments {argv[1:]}; flags start with --")
    logging.set_verbosity(logging.WARNING)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Leaves a checkpoint, as Ctrl-C does.
    try:
        if _GIN_FILE.value:
            gin.parse_config_file(_GIN_FILE.value)
        if _RESUME.value:
            result = runner.resume(_RESUME.value, _STEPS.value)
        else:
            result = runner.train(build())
    except (RunError, GraphError, ReplayFault, guarded.EnvironmentFault) as error:
        raise SystemExit(f"error: {error}") from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    last = result.evaluations[-1]
    print(
        f"greedy return after {last.step} steps: {last.mean:.1f} over {len(last.returns)} episodes "
        f"({min(last.returns):.0f} to {max(last.returns):.0f}); {result.seconds:.0f} s, "
        f"{result.steps_per_s:.0f} steps/s while training\nfolder: {result.folder}"
    )


if __name__ == "__main__":
    app.run(main)
