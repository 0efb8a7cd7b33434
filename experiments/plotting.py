"""Learning curves as PNG, without a window."""
from __future__ import annotations

from typing import BinaryIO, Mapping, Optional, Sequence, Union

import numpy as np

Curve = Sequence[tuple[int, float]]
Sink = Union[str, BinaryIO]


def learning_curve(episodes: Curve, evaluations: Sequence[tuple[int, Sequence[float]]], path: Sink, title: str) -> None:
    """Draws one run.

    Args:
      episodes: (step, return) of training episodes.
      evaluations: (step, returns) of greedy evaluations: their mean and range.
      path: PNG to write, or a stream.
      title: Above the picture.
    """
    figure, axes = _figure(title)
    if episodes:
        axes.plot(*zip(*episodes), ".", color="#9db7d5", markersize=3, label="training episode")
    if evaluations:
        steps = [step for step, _ in evaluations]
        returns = [np.asarray(values) for _, values in evaluations]
        axes.fill_between(steps, [r.min() for r in returns], [r.max() for r in returns], color="#d98200", alpha=0.2)
        axes.plot(steps, [r.mean() for r in returns], color="#d98200", label="greedy evaluation: mean, range")
    axes.legend(loc="best")
    figure.savefig(path, dpi=110)


def curves(
    variants: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float], Sequence[float]]],
    path: Sink,
    title: str,
    bar: Optional[float] = None,
    x_label: str = "environment steps",
) -> None:
    """Draws several variants.

    Args:
      variants: Steps, middles, lower and upper ends by name.
      path: PNG to write, or a stream.
      title: Above the picture.
      bar: A return to reach, drawn as a line.
      x_label: What the steps are.
    """
    figure, axes = _figure(title)
    axes.set(xlabel=x_label)
    for number, (name, (steps, middle, low, high)) in enumerate(variants.items()):
        # After ten, colours come again, in dashes.
        (line,) = axes.plot(steps, middle, "-" if number < 10 else "--", label=name)
        axes.fill_between(steps, low, high, color=line.get_color(), alpha=0.15)
    if bar is not None:
        axes.axhline(bar, color="#777777", linestyle=":", label=f"bar {bar:g}")
    if len(variants) > 6:
        figure.legend(loc="outside right upper", fontsize="small")
    else:
        axes.legend(loc="best", fontsize="small")
    figure.savefig(path, dpi=110)


def growth(rates: Mapping[str, tuple[Sequence[int], Sequence[float]]], path: str, bar: float) -> None:
    """Draws steps a second against the number of organs, on logarithmic axes.

    Args:
      rates: Numbers of organs, steps a second, by name.
      path: File to write.
      bar: Steps a second to reach, drawn as a line.
    """
    figure, axes = _figure("speed of a body")
    for name, (counts, rate) in rates.items():
        axes.plot(counts, rate, "o-", label=name)
    axes.axhline(bar, color="#777777", linestyle=":", label=f"bar {bar:g}")
    axes.set(xscale="log", yscale="log", xlabel="organs", ylabel="agent steps a second")
    axes.legend(loc="best", fontsize="small")
    figure.savefig(path, dpi=110)


def _figure(title: str) -> tuple:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set(title=title, xlabel="environment steps", ylabel="return of an episode")
    axes.grid(alpha=0.3)
    return figure, axes
