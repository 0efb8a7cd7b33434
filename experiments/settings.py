"""The settings of each preset as data: groups of named fields, checked and turned into agents."""
from __future__ import annotations

import dataclasses
import inspect
from typing import Any, Mapping, Optional

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.trajectories import time_step as ts

from experiments.errors import RunError
from infonodes import presets
from infonodes.info_nodes.synaptic_node import SynapticSettings
from infonodes.modes import Modes
from infonodes.types import Spec

# TF-Agents' own agent, for comparison; it has no nodes.
STOCK_DQN = "stock_dqn"
AGENTS = (*presets.PRESETS, STOCK_DQN)

_DQN = {
    "fc_layers": (100, 50),
    "learning_rate": presets.LEARNING_RATE,
    "epsilon_greedy": 0.1,
    "gamma": 1.0,
    "n_step_update": 1,
    "target_update_period": 1,
    "target_update_tau": 1.0,
}
_SAC = {"fc_layers": (128, 128), "learning_rate": presets.LEARNING_RATE, "gamma": 1.0}
_OPTIONAL = ("gradient_clipping", "train_sequence_length", "consensus")  # None is a value too.


def groups(preset: str) -> dict[str, dict[str, Any]]:
    """Returns the settings of a preset with their defaults, by group.

    Raises:
      RunError: listing the presets, for an unknown one.
    """
    if preset not in AGENTS:
        raise RunError(f"preset {preset!r}: expected one of {AGENTS}")
    if preset == STOCK_DQN:
        return {"dqn": dict(_DQN)}
    window = {"train_sequence_length": presets.WINDOWS[preset]}
    if preset == "synaptic":  # It has no gradient, and changes its structure.
        return {"agent": window, "modes": _fields(presets.REWIRING), "synaptic": _fields(SynapticSettings())}
    found: dict[str, dict[str, Any]] = {"agent": {**window, "gradient_clipping": 10.0}, "modes": _fields(Modes())}
    if preset == "reactive":
        return {**found, "dqn": dict(_DQN), "sac": dict(_SAC)}
    found["agent"].update(gradient_clipping=1.0, learning_rate=presets.LEARNING_RATE)
    for name, parameter in _parameters(preset).items():
        if dataclasses.is_dataclass(parameter.default):
            found[name] = _fields(parameter.default)
        elif isinstance(parameter.default, (bool, int, float, str)):
            found["agent"][name] = parameter.default
    return found


def check(preset: str, settings: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns `settings` with values of the right types.

    Raises:
      RunError: naming the group or field, and the valid ones.
    """
    known = groups(preset)
    for group in settings:
        if group not in known:
            raise RunError(f"preset {preset!r} has no settings {group!r}: expected one of {[*known, 'replay']}")
    return {g: check_fields(g, dict(values), known[g]) for g, values in settings.items()}


def check_fields(group: str, values: dict[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `values` as the types of the defaults `known`.

    Raises:
      RunError: naming the field, and the valid ones.
    """
    for field, value in values.items():
        if field not in known:
            raise RunError(f"{group}.{field}: no such setting; expected one of {sorted(known)}")
        values[field] = _as_type(f"{group}.{field}", value, known[field])
    return values


def build_agent(
    preset: str,
    settings: Mapping[str, Mapping[str, Any]],
    time_step_spec: ts.TimeStep,
    action_spec: Spec,
    seed: int,
) -> tf_agent.TFAgent:
    """Returns the agent, its variables initialised.

    Args:
      preset: One of `AGENTS`.
      settings: What differs from the preset's own, by group.
      time_step_spec: The environment's.
      action_spec: The same.
      seed: Of what training samples.
    """
    settings = check(preset, settings)
    if preset == STOCK_DQN:
        counter = tf.Variable(0, trainable=False, dtype=tf.int64, name="train_step")
        agent = presets.dqn(**settings.get("dqn", {}))(time_step_spec, action_spec, counter)
    else:
        arguments = _arguments(preset, settings, action_spec)
        agent = presets.PRESETS[preset](time_step_spec, action_spec, seed=seed, **arguments)
    agent.initialize()
    return agent


def _arguments(preset: str, settings: dict[str, dict[str, Any]], action_spec: Spec) -> dict[str, Any]:
    arguments = dict(settings.get("agent", {}))
    if "learning_rate" in arguments:
        arguments["optimizer"] = tf.keras.optimizers.legacy.Adam(arguments.pop("learning_rate"))
    if "modes" in settings:
        arguments["modes"] = Modes(**{**groups(preset)["modes"], **settings["modes"]})
    for name in ("dqn", "sac"):
        if name in settings:
            arguments["agent_fn"] = _decider(name, settings[name], action_spec)
    for name, parameter in _parameters(preset).items():
        if name in settings and dataclasses.is_dataclass(parameter.default):
            arguments[name] = dataclasses.replace(parameter.default, **settings[name])
    return arguments


def _decider(name: str, values: dict[str, Any], action_spec: Spec) -> Any:
    discrete = all(leaf.dtype.is_integer for leaf in tf.nest.flatten(action_spec))
    if discrete != (name == "dqn"):
        kind, other = ("discrete", "dqn") if discrete else ("continuous", "sac")
        raise RunError(f"settings {name!r} do not fit {kind} actions; set {other!r} instead")
    return {"dqn": presets.dqn, "sac": presets.sac}[name](**values)


def _parameters(preset: str) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(presets.PRESETS[preset]).parameters


def _fields(record: Any) -> dict[str, Any]:
    return {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}


def _as_type(name: str, value: Any, default: Any) -> Any:
    """Returns `value` as the type of `default`, where nothing is lost."""
    kind: Optional[type] = None if default is None else type(default)
    if kind is None or isinstance(value, kind) and isinstance(value, bool) == (kind is bool):
        return value
    if value is None and name.rpartition(".")[2] in _OPTIONAL:
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is tuple and isinstance(value, (list, int)):
        return tuple(value) if isinstance(value, list) else (value,)
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    raise RunError(f"{name}={value!r}: expected {kind.__name__} as in its default {default!r}")
