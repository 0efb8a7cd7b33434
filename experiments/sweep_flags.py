"""The flags of every binary that runs a sweep."""
from __future__ import annotations

from typing import Iterable

from absl import flags

SEEDS = flags.DEFINE_integer("seeds", None, "Seeds a variant, from 0; the experiment's own number by default.")
STEPS = flags.DEFINE_integer("steps", None, "Environment steps a run; the experiment's own number by default.")
WORKERS = flags.DEFINE_integer("workers", 2, "Processes at a time, one TensorFlow thread each.")
TASK = flags.DEFINE_string("task", None, "Which task; a wrong name lists them. The module's docs name its own.")
ONLY = flags.DEFINE_list("only", [], "Variants to run; all by default.")
flags.disclaim_key_flags()  # So that what is adopted below is of the module that calls.


def adopt(*names: str) -> None:
    """Makes flags of these names the calling module's: `--help` shows them, `command_line.check` lets them pass."""
    for name in names:
        flags.declare_key_flag(name)


def task(names: Iterable[str], default: str) -> str:
    """Returns the task asked for.

    Args:
      names: Those there are.
      default: The one without `--task`.

    Raises:
      SystemExit: listing the names, for another.
    """
    asked = TASK.value or default
    if asked not in names:
        raise SystemExit(f"error: --task={asked!r}: expected one of {list(names)}")
    return asked
