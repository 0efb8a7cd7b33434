"""Cursor trails over a text, an image or a spectrogram, and an episode as a GIF."""
from __future__ import annotations

from typing import Any, Sequence

import numpy as np
from matplotlib.animation import PillowWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from infonodes.environments.reading import Puzzle, ReadingTask, ReadText

_LINE = 60  # Symbols of a text in a row of the picture.


def trail(task: ReadingTask, puzzle: Puzzle, places: np.ndarray, window: Sequence[int], path: str, title: str) -> None:
    """Draws where the window was, tick by tick.

    Args:
      task: Whose puzzle it is.
      puzzle: What was looked at.
      places: Of the cursor, `[ticks, axes]`.
      window: The window's size along each axis.
      path: PNG to write.
      title: Above the picture.
    """
    figure, axes = _background(task, puzzle, title)
    for t in range(len(places)):
        _mark(axes, task, places[t], window, 0.25 + 0.75 * t / max(1, len(places) - 1))
    axes.plot(*_drawn(task, places).T, "-", color="#d98200", linewidth=1.0)
    figure.savefig(path, dpi=110)


def episode(
    task: ReadingTask,
    puzzle: Puzzle,
    places: np.ndarray,
    answers: np.ndarray,
    window: Sequence[int],
    path: str,
    title: str,
) -> None:
    """Renders an episode as a GIF, two frames a second.

    Args:
      task: Whose puzzle it is.
      puzzle: What was looked at.
      places: Of the cursor, `[ticks, axes]`.
      answers: Given, `[ticks]`; 0 is silent.
      window: The window's size along each axis.
      path: GIF to write.
      title: Above the picture.
    """
    figure, axes = _background(task, puzzle, title)
    writer = PillowWriter(fps=2)
    with writer.saving(figure, path, dpi=80):
        for t, (place, answer) in enumerate(zip(places, answers)):
            box = _mark(axes, task, place, window, 1.0)
            said = "silent" if answer == 0 else f"says {answer - 1}"
            axes.set_xlabel(f"tick {t}: {said}" + (" (right)" if answer == puzzle.answer + 1 else ""))
            writer.grab_frame()
            box.remove()


def _background(task: ReadingTask, puzzle: Puzzle, title: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(f"{title}: question {puzzle.question}, answer {puzzle.answer}")
    data = puzzle.data
    if isinstance(task, ReadText):
        for i, symbol in enumerate(task.write_out(data)):
            axes.text(i % _LINE, i // _LINE, symbol, ha="center", va="center", family="monospace", fontsize=8)
        axes.set(xlim=(-1, _LINE), ylim=(-(-len(data) // _LINE) - 0.2, -0.8), yticks=[])
    elif data.ndim == 3:
        axes.imshow(data)
    else:
        axes.specgram(data.mean(axis=1), NFFT=96, Fs=1.0, noverlap=72)
        axes.set_ylabel("frequency [1 / sample]")
    place = _drawn(task, np.array([puzzle.place]))
    axes.plot(*place.T, "*", color="#c0392b", markersize=9, alpha=0.7)
    return figure, axes


def _drawn(task: ReadingTask, places: np.ndarray) -> np.ndarray:
    """Returns places `[N, axes]` as x and y in the picture, `[N, 2]`."""
    if isinstance(task, ReadText):
        return np.stack([places[:, 0] % _LINE, places[:, 0] // _LINE], axis=1)
    if places.shape[1] == 2:
        return places[:, ::-1]
    return np.stack([places[:, 0], np.full(len(places), 0.25)], axis=1)


def _mark(axes: Any, task: ReadingTask, place: np.ndarray, window: Sequence[int], alpha: float) -> Rectangle:
    x, y = _drawn(task, place[None])[0]
    if len(window) == 2:
        width, height = window[1], window[0]
    else:
        width, height = window[0], 0.9 if isinstance(task, ReadText) else 0.5
    box = Rectangle((x - width / 2, y - height / 2), width, height, fill=False, color="#d98200", alpha=alpha)
    return axes.add_patch(box)
