"""Environments by name."""
from __future__ import annotations

from tf_agents.environments import py_environment

from experiments import chaos_counter
from experiments.benchmarks import py_form, worlds
from experiments.benchmarks.tasks import TASKS as BENCHMARKS
from experiments.errors import RunError
from infonodes import environments
from infonodes.environments import forage, probes, reading

PROBE = "probe/"
READING = "reading/"
# The world of forage by name: where acting costs energy, and where it is free.
FORAGE = {"forage": forage.ForageSettings(), "forage/free": forage.ForageSettings(bill=False)}


def load(name: str) -> py_environment.PyEnvironment:
    """Returns the environment `name`.

    Args:
      name: A gym id, `probe/NAME`, `reading/NAME`, a name in `FORAGE`, `chaos/counter`, or `KIND:NAME` as
        `infonodes.environments.load` has it, such as `gymnasium:CartPole-v1`.

    Raises:
      RunError: for an unknown name.
    """
    if name.startswith(PROBE):
        if name[len(PROBE):] not in probes.NAMES:
            raise RunError(f"env {name!r}: expected one of {[PROBE + n for n in probes.NAMES]}")
        return probes.load(name[len(PROBE):])
    if name.startswith(READING):
        if name[len(READING):] not in reading.NAMES:
            raise RunError(f"env {name!r}: expected one of {[READING + n for n in reading.NAMES]}")
        return reading.load(name[len(READING):])
    if ":" in name and name.split(":")[0] in environments.KINDS:
        try:
            return environments.load(name)
        except ValueError as error:
            raise RunError(str(error)) from error
    if name in FORAGE:
        return forage.ForagePyEnvironment(FORAGE[name])
    if name == chaos_counter.NAME:
        return chaos_counter.Counter()
    try:
        if name in BENCHMARKS:
            task = BENCHMARKS[name]
            return py_form.PyWorld(worlds.load(task.source, task.name, task.repeat))
        return environments.load(f"gym:{name}")
    except Exception as error:  # Those of gym and of extras are many
        raise RunError(
            f"env {name!r}: it could not be loaded ({type(error).__name__}: {error}); expected a gym id such as "
            f"CartPole-v1 or a benchmark's task ({', '.join(BENCHMARKS)}), with its extra installed, one of "
            f"{list(FORAGE)}, gymnasium:ID, or probe/NAME with one of {probes.NAMES}"
        ) from error
