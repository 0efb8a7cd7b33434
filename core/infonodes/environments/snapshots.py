"""The state of an environment, layer by layer, where every layer is known."""
from __future__ import annotations

from typing import Any, Optional

import gym
import numpy as np
import tree
from gym.envs.classic_control import acrobot, cartpole, continuous_mountain_car, mountain_car, pendulum
from gym.wrappers import order_enforcing, time_limit
from tf_agents.environments import gym_wrapper, py_environment, wrappers
from tf_agents.trajectories import time_step as ts

from infonodes.environments.forage import py_form, world
from infonodes.environments.guarded import GuardedEnvironment
from infonodes.environments.probes.probe import Probe

# The fields that change, of each layer that is known. `np_random` and `_rng` are generators.
_LAYERS: dict[type, tuple[str, ...]] = {
    GuardedEnvironment: ("_steps", "_episodes"),
    wrappers.TimeLimit: ("_num_steps",),
    gym_wrapper.GymWrapper: ("_done",),
    time_limit.TimeLimit: ("_elapsed_steps",),
    order_enforcing.OrderEnforcing: ("_has_reset",),
    cartpole.CartPoleEnv: ("state", "steps_beyond_done", "np_random"),
    mountain_car.MountainCarEnv: ("state", "np_random"),
    continuous_mountain_car.Continuous_MountainCarEnv: ("state", "np_random"),
    pendulum.PendulumEnv: ("state", "last_u", "np_random"),
    acrobot.AcrobotEnv: ("state", "np_random"),
    py_form.ForagePyEnvironment: ("state", "spent", "eaten", "_rng"),
}
# Of the base classes of wrappers: without what the wrapper itself keeps.
_FORWARDING = (wrappers.PyEnvironmentBaseWrapper.get_state, gym_wrapper.GymWrapper.get_state)
_SPECS = ("_observation_spec", "_action_spec")


def get_state(env: py_environment.PyEnvironment) -> Optional[list]:
    """Returns what `set_state` needs to go on in the middle of an episode, or None.

    Known are gym's classic control, the probes and forage, within TF-Agents' and gym's time
    limits and our guard; and every environment that has TF-Agents' own `get_state`, if the nest
    it returns is of arrays and plain values. A field that is drawn once at construction counts too.

    Args:
      env: Without batch dimension.

    Returns:
      A nest of dicts, lists, arrays and plain values, one item a layer; or None if some layer
      is not known: a resumed run then starts a new episode there.
    """
    layers = _layers(env)
    if layers is None:
        return None
    state = []
    for layer in layers:
        fields = _fields(layer)
        if fields is None:
            state.append({"type": type(layer).__name__, "own": layer.get_state()})
        else:
            packed = {name: _pack(getattr(layer, name, None)) for name in fields}
            state.append({"type": type(layer).__name__, "fields": packed})
    return state


def set_state(env: py_environment.PyEnvironment, state: list) -> None:
    """Puts a state back that `get_state` returned for the same kind of environment.

    Raises:
      ValueError: naming the layers, if they differ.
    """
    layers = _layers(env) or []
    now, saved = [type(layer).__name__ for layer in layers], [item["type"] for item in state]
    if now != saved:
        raise ValueError(f"environment: the state is of the layers {saved}, this one has {now}")
    for layer, item in zip(layers, state):
        if "own" in item:
            layer.set_state(item["own"])
            continue
        for name, value in item["fields"].items():
            _restore(layer, name, value)


def _layers(env: Any) -> Optional[list]:
    """Returns the environment and what it wraps, or None if one of them is not known."""
    found: list = []
    layer = env
    while layer is not None:
        if _fields(layer) is None:
            return [*found, layer] if _has_own_state(layer) else None
        found.append(layer)
        if isinstance(layer, wrappers.PyEnvironmentBaseWrapper):
            layer = layer.wrapped_env()
        elif isinstance(layer, gym_wrapper.GymWrapper):
            layer = layer.gym
        else:
            layer = layer.env if isinstance(layer, gym.Wrapper) else None
    return found


def _has_own_state(layer: Any) -> bool:
    """Returns whether a layer has a `get_state` that works; a wrapper's that only asks what it wraps is none."""
    own = getattr(type(layer), "get_state", None)
    if own is None or own in _FORWARDING:
        return False
    try:
        layer.get_state()
    except (AttributeError, NotImplementedError):
        return False
    return True


def _fields(layer: Any) -> Optional[tuple[str, ...]]:
    """Returns the fields of a known layer: of exactly these classes, a subclass may have more."""
    if isinstance(layer, Probe):
        return tuple(sorted(name for name in vars(layer) if name not in _SPECS and name != "_handle_auto_reset"))
    own = _LAYERS.get(type(layer))
    if own is None:
        return None
    # What TF-Agents' base class keeps.
    return (*own, "_current_time_step") if isinstance(layer, py_environment.PyEnvironment) else own


def _pack(value: Any) -> Any:
    if isinstance(value, np.random.Generator):
        return {"generator": value.bit_generator.state}
    if isinstance(value, ts.TimeStep):
        return {"time_step": [np.array(leaf) for leaf in tree.flatten(value)]}
    if isinstance(value, world.WorldState):
        return {"world": [np.array(leaf) for leaf in value]}
    if isinstance(value, np.ndarray):
        return {"value": value.copy()}
    return {"numbers": list(value)} if isinstance(value, tuple) else {"value": value}


def _restore(layer: Any, name: str, packed: dict[str, Any]) -> None:
    if "generator" in packed:
        getattr(layer, name).bit_generator.state = packed["generator"]
    elif "time_step" in packed:
        setattr(layer, name, tree.unflatten_as(layer.time_step_spec(), packed["time_step"]))
    elif "world" in packed:
        setattr(layer, name, world.WorldState(*packed["world"]))
    elif "numbers" in packed:
        setattr(layer, name, tuple(packed["numbers"]))
    else:
        value = packed["value"]
        setattr(layer, name, value.copy() if isinstance(value, np.ndarray) else value)
