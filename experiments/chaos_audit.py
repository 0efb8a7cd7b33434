"""Counts every window in a replay of `chaos/counter`: lost, doubled, across episodes."""
from __future__ import annotations

import dataclasses
from typing import Any, Iterable, Mapping

import numpy as np

from experiments import chaos_counter
from infonodes.replay.base import Replay

_BATCH = 64
# Frames whose window was never offered when a collector began anew: the last one and the next.
_CUT = 3
# A window was made up to this long before it came in, and before a kill was noted.
_LATE_S, _WRITTEN_S = 5.0, 0.5


@dataclasses.dataclass(frozen=True)
class Gap:
    """Windows that a collector wrote and the replay does not have.

    Attributes:
      lost: How many.
      after_s: Seconds of the day of the last window before them.
      before_s: The same of the first one after them.
    """

    lost: int
    after_s: float
    before_s: float


@dataclasses.dataclass(frozen=True)
class Audit:
    """What is in a replay.

    Attributes:
      windows: How many there are.
      straddling: Those with frames of two episodes, of two processes, or out of order.
      doubled: Those that are there twice.
      cut: Episodes that were begun and left, as after a fault of the server.
      gaps: What is missing in between.
    """

    windows: int
    straddling: int
    doubled: int
    cut: int
    gaps: tuple[Gap, ...]


def audit(replay: Replay) -> Audit:
    """Reads and deletes all windows; nobody may write meanwhile.

    Args:
      replay: Of two-frame windows of `chaos/counter`, connected to its server.
    """
    return assess(_drain(replay))


def assess(windows: np.ndarray) -> Audit:
    """Returns what there is to say of windows `[n, 2, 5]` of the environment's observations."""
    first, second = windows[:, 0], windows[:, 1]
    whole = (
        (first[:, 0] == second[:, 0]) & (first[:, 1] == second[:, 1])
        & (second[:, 2] == first[:, 2] + 1) & (second[:, 3] == first[:, 3] + 1)
    )
    ids = first[:, [0, 3]]
    distinct = np.unique(ids, axis=0)
    gaps: list[Gap] = []
    cut = 0
    for process in np.unique(first[:, 0]):
        mine = first[first[:, 0] == process]
        mine = mine[np.argsort(mine[:, 3], kind="stable")]
        for a, b in zip(mine[:-1], mine[1:]):
            ended = a[2] == chaos_counter.MOVES - 1
            boundaries = b[1] - a[1]  # A boundary frame an episode starts no window.
            missing = b[3] - a[3] - 1
            if b[3] == a[3] or missing <= 0 or missing == 1 and ended and boundaries == 1:
                continue
            begun_anew = ended and missing == boundaries  # Reset right after an end: an episode without a move.
            if begun_anew or boundaries == 1 and missing <= _CUT and a[2] + missing < chaos_counter.MOVES:
                cut += 1
                continue
            gaps.append(Gap(int(missing - boundaries), float(a[4]), float(b[4])))
    return Audit(len(windows), int((~whole).sum()), len(ids) - len(distinct), cut, tuple(gaps))


def lawful(gap: Gap, kills: Iterable[Mapping[str, Any]]) -> bool:
    """Returns whether kills of the server account for all that a gap lost.

    A kill takes what came in since the checkpoint that the next server begins with. What was made while
    the server before it was away came in when the writer was back: after that checkpoint, if the writer
    was back later than it.

    Args:
      gap: What is missing.
      kills: As `Chaos.once` recorded them, in order.
    """
    reached, before = gap.after_s, None
    for kill in (k for k in kills if k["role"] == "server"):
        checkpoint_s = kill["checkpoint_s"] or 0.0  # None: the next server begins with nothing.
        start = checkpoint_s - _LATE_S
        if before is not None and checkpoint_s <= before["at_s"] + _away_s(before):
            start = min(start, before["at_s"])
        end = kill["at_s"] + _WRITTEN_S
        if start <= reached <= end:
            reached = end
        before = kill
    return gap.before_s <= reached


def _away_s(kill: Mapping[str, Any]) -> float:
    """Returns seconds from a kill of the server until every collector wrote again."""
    resumed = [seconds for key, seconds in kill.items() if key.startswith("resumed_collect")]
    return kill["down_s"] + kill["started_s"] + max(resumed)


def _drain(replay: Replay) -> np.ndarray:
    seen: set[int] = set()
    found: list[Any] = []
    batches = iter(replay.dataset(_BATCH, prefetch=1))
    while replay.size:
        trajectory, info = next(batches)
        keys = [int(key) for key in info.key.numpy()]
        for key, window in zip(keys, trajectory.observation.numpy()):
            if key not in seen:
                seen.add(key)
                found.append(window)
        replay.py_client.mutate_priorities(replay.table_name, deletes=sorted(set(keys)))
    return np.array(found, np.float64).reshape(-1, 2, 5)
