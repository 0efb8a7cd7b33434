"""Writes a page about a run: one HTML file that needs nothing but itself.

  python -m experiments.report runs/FOLDER
  python -m experiments.report runs/FOLDER_OF_SEED_0 runs/FOLDER_OF_SEED_1 …

With several folders, of runs that differ by their seed, the learning curve has an interval; everything else is of
the first. The page is report.html in the first folder.
"""
from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # gym draws by pygame: no window, no sound.
os.environ.setdefault("SDL_AUDIODRIVER", "dummy")

import time
from typing import Sequence

import numpy as np
import tensorflow as tf
from absl import app, flags, logging

from experiments import finished_runs, report_ages, report_sections, report_trial
from experiments.errors import RunError
from experiments.report_page import Page
from infonodes.agent import InfoNodeAgent
from infonodes.replay.faults import ReplayFault
from infonodes.types import GraphError

_STEPS = flags.DEFINE_integer("collect", 500, "Steps collected anew for costs, imagination and priorities.", 10)
_HORIZON = flags.DEFINE_integer("horizon", 15, "Predictions ahead, at most.", 1)
_TICKS = flags.DEFINE_integer("ticks", 500, "Ticks of a greedy episode, at most.", 1)

PAGE = "report.html"
# Far from the seeds that training and its evaluations start from.
_SEED = 30_000


def build(paths: Sequence[str], steps: int = 500, horizon: int = 15, ticks: int = 500) -> str:
    """Writes the report and returns its path.

    Args:
      paths: Folders of runs; the first is the one that is looked into.
      steps: To collect anew.
      horizon: Predictions ahead, at most.
      ticks: Of a greedy episode, at most.

    Raises:
      RunError: if a folder holds no run, the runs differ, or the checkpoint does not fit.
    """
    runs = finished_runs.read_all(paths)
    first = runs[0]
    agent, step = finished_runs.load_agent(first)
    tf.random.set_seed(_SEED)
    page = Page(f"{first.config.preset} on {first.config.env}, seed {first.config.seed}")
    report_sections.learning(page, runs, step)
    episode = report_trial.play(agent, first.load_env(), _SEED, ticks)
    if isinstance(agent, InfoNodeAgent):
        tape, found = report_ages.fill(agent, first.config, first.load_env(), _SEED + 1, steps)
        costs = {name: float(np.mean(c)) for name, c in report_trial.tick_costs(agent, tape.frames).items()}
        report_sections.nodes(page, agent, costs, steps)
        report_sections.energy(page, episode)
        report_sections.imagination(page, agent, tape.frames, horizon)
        report_sections.values(page, agent, first.load_env, _SEED + 2, ticks)
        report_sections.priorities(page, found, first.config)
    else:
        report_sections.stock(page)
    report_sections.greedy(page, episode, first.config.env)
    report_sections.configuration(page, first)
    first.folder.write_text(PAGE, page.html())
    return first.folder.file(PAGE)


def main(argv: list) -> None:
    """Writes the report and says where."""
    if len(argv) < 2:
        raise app.UsageError("expected the folder of a run, or several of other seeds")
    logging.set_verbosity(logging.WARNING)
    began = time.monotonic()
    try:
        path = build(argv[1:], _STEPS.value, _HORIZON.value, _TICKS.value)
    except (RunError, GraphError, ReplayFault) as error:
        raise SystemExit(f"error: {error}") from error
    print(f"{path}: {os.path.getsize(path) / 1e6:.1f} MB in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    app.run(main)
