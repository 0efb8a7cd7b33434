"""bsuite's own analysis of what a world logged."""
from __future__ import annotations

import importlib
from typing import Any
from unittest import mock

import pandas as pd


def score(name: str, rows: list[dict[str, float]]) -> float:
    """Returns what bsuite's analysis of the experiment makes of one of its settings.

    Its score is defined over all settings of an experiment; over one, it is that setting's part.

    Args:
      name: A bsuite id, such as `catch/0`.
      rows: What `worlds.BsuiteWorld` logged.
    """
    from bsuite import sweep

    if not rows:
        return 0.0
    analysis = importlib.import_module(f"bsuite.experiments.{name.split('/')[0]}.analysis")
    settings: dict[str, Any] = dict(sweep.SETTINGS[name])
    frame = pd.DataFrame([{**settings, "bsuite_id": name, **row} for row in rows])
    # bsuite's deep_sea was written for pandas 1, which had this.
    append = lambda first, second: pd.concat([first, second])
    with mock.patch.object(pd.Series, "append", append, create=True):
        return float(analysis.score(frame))


def played(name: str, rows: list[dict[str, float]]) -> float:
    """Returns the part of the episodes that bsuite asks for."""
    from bsuite import sweep

    return min(max((row["episode"] for row in rows), default=0.0) / sweep.EPISODES[name], 1.0)
