"""One name for every kind of environment."""
from __future__ import annotations

from typing import Any, Callable, Optional

import gym
from gym.wrappers import time_limit
from tf_agents.environments import py_environment, suite_gym

from infonodes.environments import forage, probes, reading

KINDS = ("gym", "gymnasium", "envpool", "probe", "reading", "forage")


def load(
    name: str, batch: Optional[int] = None, seed: Optional[int] = None, **kwargs: Any
) -> py_environment.PyEnvironment:
    """Returns the environment `KIND:NAME`, such as `gymnasium:CartPole-v1`.

    | kind | what | batch |
    | --- | --- | --- |
    | `gymnasium` | an id of Gymnasium (`pip install 'infonodes[gymnasium]'`) | `gymnasium.make_vec` |
    | `envpool` | an id of envpool (`pip install envpool`) | always; 1 by default |
    | `gym` | an id of gym 0.23, through TF-Agents' `suite_gym`, but its time limit truncates: see `untimed` | no |
    | `probe` | a probe with a known optimum | no |
    | `reading` | a reading task | as many episodes at a time |
    | `forage` | the world of forage; NAME is empty or `free`, where acting costs nothing | no |

    Args:
      name: Kind and name.
      batch: Rows of a batched environment; None for one that is not batched.
      seed: Of its first reset.
      **kwargs: Passed on to what makes it.

    Raises:
      ValueError: for an unknown kind or name, a kind that does not come in batches, or one whose
        package is not installed.
    """
    kind, _, rest = name.partition(":")
    if kind not in _LOADERS:
        raise ValueError(f"environment {name!r}: expected KIND:NAME with one of the kinds {KINDS}")
    try:
        return _LOADERS[kind](rest, batch, seed, kwargs)
    except ImportError as error:
        raise ValueError(f"environment {name!r}: {error}; pip install {_PACKAGES.get(kind, kind)}") from error


def untimed(env: gym.Env) -> gym.Env:
    """Returns a gym environment without gym's own time limit; a `gym_env_wrappers` of `suite_gym.load`.

    gym's reports a limit as an end like any other, so that TF-Agents takes it for a termination, of discount 0.
    Without it the limit is TF-Agents' own, a truncation; `suite_gym` means to leave gym's out, and with gym 0.23
    does not.
    """
    return env.env if isinstance(env, time_limit.TimeLimit) else env


def _gymnasium(name: str, batch: Optional[int], seed: Optional[int], kwargs: Any) -> py_environment.PyEnvironment:
    import gymnasium  # An extra.

    from infonodes.environments.gymnasium import GymnasiumBatch, GymnasiumEnvironment

    try:
        if batch is None:
            return GymnasiumEnvironment(gymnasium.make(name, **kwargs), seed)
        return GymnasiumBatch(gymnasium.make_vec(name, batch, **kwargs), seed)
    except gymnasium.error.Error as error:
        raise ValueError(f"environment 'gymnasium:{name}': {type(error).__name__}: {error}") from error


def _envpool(name: str, batch: Optional[int], seed: Optional[int], kwargs: Any) -> py_environment.PyEnvironment:
    import envpool  # No extra: its wheels are not there for every platform.

    from infonodes.environments.gymnasium import GymnasiumBatch

    if name not in envpool.list_all_envs():
        raise ValueError(f"environment 'envpool:{name}': envpool has none of this name")
    pool = envpool.make(name, env_type="gymnasium", num_envs=batch or 1, seed=seed or 0, **kwargs)
    return GymnasiumBatch(pool)


def _gym(name: str, batch: Optional[int], seed: Optional[int], kwargs: Any) -> py_environment.PyEnvironment:
    _refuse_batch("gym", batch)
    env = suite_gym.load(name, gym_env_wrappers=(untimed, *kwargs.pop("gym_env_wrappers", ())), **kwargs)
    if seed is not None:
        env.seed(seed)
    return env


def _probe(name: str, batch: Optional[int], seed: Optional[int], kwargs: Any) -> py_environment.PyEnvironment:
    _refuse_batch("probe", batch)
    _refuse_unknown("probe", name, probes.NAMES)
    return probes.load(name, seed=seed, **kwargs)


def _reading(name: str, batch: Optional[int], seed: Optional[int], kwargs: Any) -> py_environment.PyEnvironment:
    _refuse_unknown("reading", name, reading.NAMES)
    return reading.load(name, **({} if batch is None else {"rows": batch}), seed=seed or 0, **kwargs)


def _forage(name: str, batch: Optional[int], seed: Optional[int], kwargs: Any) -> py_environment.PyEnvironment:
    _refuse_batch("forage", batch)
    _refuse_unknown("forage", name, ("", "free"))
    settings = forage.ForageSettings(bill=name != "free", **kwargs)
    return forage.ForagePyEnvironment(settings, **({} if seed is None else {"seed": seed}))


def _refuse_batch(kind: str, batch: Optional[int]) -> None:
    if batch is not None:
        raise ValueError(f"environment kind {kind!r} does not come in batches; leave batch=None, or see load()")


def _refuse_unknown(kind: str, name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        raise ValueError(f"environment '{kind}:{name}': expected one of {[f'{kind}:{n}' for n in names]}")


_Loader = Callable[[str, Optional[int], Optional[int], Any], py_environment.PyEnvironment]
_PACKAGES = {"gymnasium": "'infonodes[gymnasium]'"}
_LOADERS: dict[str, _Loader] = {
    "gym": _gym,
    "gymnasium": _gymnasium,
    "envpool": _envpool,
    "probe": _probe,
    "reading": _reading,
    "forage": _forage,
}
