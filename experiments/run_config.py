"""What fixes a run, and overrides of it such as `pred.f_act=inverse`."""
from __future__ import annotations

import ast
import dataclasses
import json
from typing import Any, Iterable, Mapping, Optional

from experiments import settings as settings_lib
from experiments.errors import RunError

# What a run of `CostPrioritizedReplay` may set, with its defaults.
REPLAY = {
    "max_size": 100_000,
    "exponent": 0.6,
    "uniform_fraction": 0.5,
    "beta": 0.4,
    "stride": 1,
    "pad": True,
}
REPLAY_KINDS = ("reverb", "local")
# What may change when a run goes on; all else makes it another run.
_MAY_CHANGE = (
    "steps", "eval_every", "eval_episodes", "checkpoint_every_s", "checkpoints_kept", "out",
)
_GROUPED = ("replay", "settings")


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """What fixes a run, up to the order of threads and Reverb's own sampling.

    Attributes:
      env: A gym id, `probe/NAME` or another name of `tasks.load`.
      preset: Name of an agent, see `settings.AGENTS`.
      seed: Of TensorFlow, numpy, the environment and the agent.
      steps: Environment steps, warm-up included; resets do not count.
      batch_size: Windows an update.
      train_every: Environment steps an update.
      warmup: Random steps before the first update.
      eval_every: Steps from one greedy evaluation, and checkpoint, to the next.
      eval_episodes: Episodes an evaluation.
      replay_kind: `reverb`, or `local`: in this process, and repeated bit by bit.
      checkpoint_every_s: Seconds from one checkpoint to the next.
      checkpoints_kept: How many; 2 or more.
      replay: Arguments of `CostPrioritizedReplay` that differ from `REPLAY`.
      settings: Settings of the agent that differ from the preset's: a dict by group.
      out: The run's folder; by default a new one under `runs/`.
    """

    env: str = "CartPole-v1"
    preset: str = "predictive"
    seed: int = 0
    steps: int = 15_000
    batch_size: int = 64
    train_every: int = 1
    warmup: int = 300
    eval_every: int = 1000
    eval_episodes: int = 10
    replay_kind: str = "reverb"
    checkpoint_every_s: float = 60.0
    checkpoints_kept: int = 2
    replay: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    out: Optional[str] = None

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "train_every", "warmup", "eval_every", "eval_episodes"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise RunError(f"RunConfig.{name}={value!r}: expected a whole number from 1")
        if self.replay_kind not in REPLAY_KINDS:
            raise RunError(f"RunConfig.replay_kind={self.replay_kind!r}: expected one of {REPLAY_KINDS}")
        if not self.checkpoint_every_s > 0 or not isinstance(self.checkpoints_kept, int) or self.checkpoints_kept < 2:
            raise RunError(
                f"RunConfig: expected checkpoint_every_s > 0 and checkpoints_kept from 2, got "
                f"{self.checkpoint_every_s!r} and {self.checkpoints_kept!r}"
            )
        checked = settings_lib.check_fields("replay", dict(self.replay), REPLAY)
        object.__setattr__(self, "replay", checked)
        checked = settings_lib.check(self.preset, self.settings)
        object.__setattr__(self, "settings", checked)

    def to_json(self) -> dict[str, Any]:
        """Returns the record as JSON can hold it; `RunConfig(**…)` reads it back."""
        return dataclasses.asdict(self)

    def resolved(self) -> dict[str, dict[str, Any]]:
        """Returns all settings of agent and replay by group, defaults among them, as JSON reads them back."""
        known, asked = {**settings_lib.groups(self.preset), "replay": REPLAY}, {**self.settings, "replay": self.replay}
        return json.loads(json.dumps({group: {**known[group], **asked.get(group, {})} for group in known}))

    def record(self) -> dict[str, Any]:
        """Returns what files tell of a run: what was asked, and under `resolved` what that meant."""
        return {**self.to_json(), "resolved": self.resolved()}

    @classmethod
    def from_record(cls, record: Mapping[str, Any], where: str) -> RunConfig:
        """Returns what was asked.

        Args:
          record: As `record` returned it; of an earlier version perhaps, with fewer settings.
          where: What tells of it, for the error.

        Raises:
          RunError: if a setting that was not asked for had another default then, listing them.
        """
        config = cls(**{name: value for name, value in record.items() if name != "resolved"})
        now, then = config.resolved(), record.get("resolved", {})
        differ = [
            f"{group}.{name}: {then[group][name]!r} then, {value!r} now"
            for group in now for name, value in now[group].items() if then.get(group, {}).get(name, value) != value
        ]
        if differ:
            raise RunError(
                f"{where}: defaults have changed since it was run: {'; '.join(differ)}; use the version of infonodes "
                "that ran it, or run it anew"
            )
        return config


def fixed(config: RunConfig) -> dict[str, Any]:
    """Returns what must stay the same when a run goes on, as JSON reads it back."""
    return json.loads(json.dumps({k: v for k, v in config.to_json().items() if k not in _MAY_CHANGE}))


def with_overrides(config: RunConfig, overrides: Mapping[str, Any]) -> RunConfig:
    """Returns `config` with some values changed.

    Args:
      config: The record to start from.
      overrides: Values by name: `replay.FIELD`, a setting `GROUP.FIELD` of the preset, or
        a field of `RunConfig`.

    Raises:
      RunError: listing the valid names, for an unknown one.
    """
    fields = [f.name for f in dataclasses.fields(RunConfig) if f.name not in _GROUPED]
    changes: dict[str, Any] = {}
    replay = dict(config.replay)
    settings = {group: dict(values) for group, values in config.settings.items()}
    for name, value in overrides.items():
        group, dot, field = name.partition(".")
        if not dot:
            if name not in fields:
                raise RunError(
                    f"override {name!r}: expected GROUP.FIELD with a group of "
                    f"{['replay', *settings_lib.groups(config.preset)]}, or one of {fields}"
                )
            changes[name] = value
        elif group == "replay":
            replay[field] = value
        else:
            settings.setdefault(group, {})[field] = value
    return dataclasses.replace(config, replay=replay, settings=settings, **changes)


def parse_overrides(texts: Iterable[str]) -> dict[str, Any]:
    """Returns overrides from texts such as `pred.f_act=inverse` and `pred.hidden=(64, 64)`.

    Raises:
      RunError: for a text without `=`.
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise RunError(f"override {text!r}: expected NAME=VALUE, such as pred.f_act=inverse")
        try:
            found[name.strip()] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError):
            found[name.strip()] = value.strip()  # A bare word is a string.
    return found
