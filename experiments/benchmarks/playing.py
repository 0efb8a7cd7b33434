"""Greedy episodes and a cell's result; imports no learning library."""
from __future__ import annotations

import time
from typing import Any, Callable, Optional

import numpy as np

from experiments.benchmarks.cells import Cell
from experiments.benchmarks.watch import Watch
from experiments.whole_files import write_json

# An episode longer than this has no end.
MOST_MOVES = 20_000


def evaluate(act: Callable[[np.ndarray], Any], worlds: list[Any], cell: Cell) -> dict[str, Any]:
    """Plays one episode in each world, from the cell's seeds.

    Args:
      act: Observation `[D]` to action.
      worlds: As many as episodes.
      cell: Whose seeds.

    Returns:
      `returns` and `lengths` of the episodes.

    Raises:
      RuntimeError: if an episode does not end.
    """
    returns, lengths = [], []
    for world, seed in zip(worlds, cell.eval_seeds):
        world.seed(seed)
        seen, total, moves = world.reset(), 0.0, 0
        while not seen.last():
            seen = world.step(act(seen.observation))
            total, moves = total + seen.reward, moves + 1
            if moves > MOST_MOVES:
                raise RuntimeError(f"task {cell.task!r}: an episode did not end within {MOST_MOVES} moves")
        returns.append(float(total))
        lengths.append(moves)
    return {"returns": returns, "lengths": lengths}


class Result:
    """What a cell's run found, written whole or not at all."""

    def __init__(self, cell: Cell, watch: Watch):
        """Starts empty.

        Args:
          cell: What was asked.
          watch: Of the training world.
        """
        self._cell, self._watch = cell, watch
        self._began, self._cpu = time.monotonic(), time.process_time()
        self._evaluations: list[dict[str, Any]] = []

    def add(self, moves: int, found: dict[str, Any]) -> None:
        """Adds an evaluation after `moves` moves of training.

        Raises:
          RuntimeError: if the watch did not see as many: the agent was given more or fewer steps than asked.
        """
        train_s = self._watch.until(moves)
        if train_s is None:
            raise RuntimeError(f"cell {self._cell}: evaluated at {moves} moves, the world saw {self._watch.marks[-3:]}")
        step = moves * (self._cell.steps // self._cell.moves)
        self._evaluations.append({"step": step, "train_s": round(train_s, 3), **found})

    def write(self, path: str, rows: Optional[list[dict[str, float]]] = None) -> None:
        """Writes the JSON.

        Args:
          path: Where to.
          rows: bsuite's records, of a bsuite task.
        """
        found = {
            "config": self._cell.to_json(),
            "evaluations": self._evaluations,
            "moves": self._watch.moves,
            "seconds": round(time.monotonic() - self._began, 1),
            "cpu_s": round(time.process_time() - self._cpu, 1),
        }
        if rows is not None:
            found["bsuite"] = rows
        write_json(path, found)
