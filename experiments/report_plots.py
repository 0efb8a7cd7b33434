"""The pictures of a report, each as the bytes of a PNG or GIF."""
from __future__ import annotations

import io
import os
import tempfile
from typing import Callable, Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from experiments import forage_pictures
from experiments.forage_living import Life
from experiments.node_summaries import Branch
from experiments.report_ages import Ages
from experiments.report_imagining import Foresight
from experiments.report_trial import Episode
from experiments.report_values import Judged
from infonodes.environments.forage import ForageSettings

_DPI = 100
_FILM_FRAMES = 150
_FILM_WIDTH = 300
_FRAME_MS = 40
_MOST_LINES = 6
_LOOKS = {"imagined": ("o-", "#d98200"), "unchanged": (":", "#777777"), "readout": ("--", "#1f5fa8")}


def png(draw: Callable[[io.BytesIO], None]) -> bytes:
    """Returns what `draw` writes to a stream."""
    stream = io.BytesIO()
    draw(stream)
    return stream.getvalue()


def foresight(found: Foresight) -> bytes:
    """Draws errors by horizon, of latents and of observations."""
    figure = _figure((9, 3.8))
    axes = figure.subplots(1, 2 if found.observed else 1, squeeze=False)[0]
    for one, errors, title in zip(axes, (found.latent, found.observed), ("latents", "observations, read from latents")):
        for name, values in errors.items():
            line, colour = _LOOKS[name]
            one.plot(found.ticks, values, line, color=colour, label=name)
        one.axhline(1.0, color="#bbbbbb", linewidth=0.8)
        one.set(title=title, xlabel="ticks ahead", ylabel="error / spread of what came", ylim=(0.0, None))
        one.grid(alpha=0.3)
        one.legend(loc="best", fontsize="small")
    return _bytes(figure)


def example(found: Foresight) -> bytes:
    """Draws one rollout: the features of the observation that came, and those imagined."""
    real, imagined = found.example
    picked = np.argsort(-real.std(axis=0), kind="stable")[:_MOST_LINES]
    figure = _figure((9, 3.8))
    axes = figure.add_subplot()
    for feature in sorted(picked):
        (line,) = axes.plot(found.ticks, real[:, feature], label=f"feature {feature}")
        axes.plot(found.ticks, imagined[:, feature], "--", color=line.get_color())
    axes.set(title="one rollout: came (line), imagined (dashed)", xlabel="ticks ahead", ylabel="observation")
    axes.grid(alpha=0.3)
    axes.legend(loc="best", fontsize="small")
    return _bytes(figure)


def values(judged: Judged) -> bytes:
    """Draws values against the returns that followed; on the diagonal they are right."""
    figure = _figure((5.5, 5))
    axes = figure.add_subplot()
    for off_path, colour, label in ((False, "#9db7d5", "on the greedy path"), (True, "#d98200", "after random moves")):
        of = judged.off_path == off_path
        axes.plot(judged.came[of], judged.value[of], ".", color=colour, label=label)
    ends = [min(judged.came.min(), judged.value.min()), max(judged.came.max(), judged.value.max())]
    axes.plot(ends, ends, color="#777777", linewidth=0.8)
    axes.set(xlabel="return that followed, normalised", ylabel="value")
    axes.grid(alpha=0.3)
    axes.legend(loc="best", fontsize="small")
    return _bytes(figure)


def ages(found: Ages) -> bytes:
    """Draws priorities against age."""
    figure = _figure((9, 4))
    axes = figure.add_subplot()
    axes.plot(found.age, found.written, ".", color="#9db7d5", markersize=4, label="as written")
    axes.plot(found.age, found.assessed, ".", color="#d98200", markersize=4, label="as assessed by the update's costs")
    axes.set(xlabel="age in steps", ylabel="priority in the table", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend(loc="best", fontsize="small")
    return _bytes(figure)


def tree(branches: Sequence[Branch]) -> bytes:
    """Draws each node's part of the intrinsic reward."""
    figure = _figure((9, 1.2 + 0.32 * len(branches)))
    axes = figure.add_subplot()
    axes.barh([b.name for b in branches][::-1], [b.reward for b in branches][::-1], color="#b03a2e")
    axes.set(xlabel="part of the intrinsic reward, mean a tick")
    axes.grid(alpha=0.3, axis="x")
    return _bytes(figure)


def timeline(episode: Episode) -> bytes:
    """Draws what a greedy episode saw, got and cost."""
    figure = _figure((9, 6))
    top, middle, low = figure.subplots(3, 1, sharex=True)
    time = np.arange(len(episode.rewards))
    spread = episode.observations.std(axis=0)
    for feature in sorted(np.argsort(-spread, kind="stable")[:_MOST_LINES]):
        top.plot(time, episode.observations[:, feature], label=f"feature {feature}")
    middle.plot(time, episode.rewards, color="#333333", label="reward")
    for name, costs in _greatest(episode.costs).items():
        low.plot(time, costs, label=name)
    for axes, label in ((top, "observation"), (middle, "reward"), (low, "cost by node")):
        axes.set(ylabel=label)
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="upper right", fontsize="x-small")
    low.set(xlabel="tick")
    return _bytes(figure)


def film(pictures: Sequence[np.ndarray]) -> bytes:
    """Returns an episode's pictures as a GIF; of a long one every so-many-th.

    Args:
      pictures: uint8 `[H, W, 3]` each, at least one.
    """
    every = -(-len(pictures) // _FILM_FRAMES)
    shrink = min(1.0, _FILM_WIDTH / pictures[0].shape[1])
    size = (max(1, round(pictures[0].shape[1] * shrink)), max(1, round(pictures[0].shape[0] * shrink)))
    frames = [Image.fromarray(p).resize(size).quantize(64) for p in pictures[::every]]
    stream = io.BytesIO()
    frames[0].save(
        stream, "GIF", save_all=True, append_images=frames[1:], duration=_FRAME_MS * min(every, 3), loop=0
    )
    return stream.getvalue()


def forage_film(episode: Episode, world: ForageSettings) -> bytes:
    """Returns an episode of forage as a GIF."""
    ticks = np.array([len(episode.rewards)])
    life = Life(ticks, *(np.zeros(1),) * 3, np.zeros(10, int), None, episode.places)
    with tempfile.TemporaryDirectory() as folder:  # Matplotlib's writer of GIFs takes no stream.
        path = os.path.join(folder, "episode.gif")
        forage_pictures.episode(life, 0, world, path, _FILM_FRAMES)
        with open(path, "rb") as file:
            return file.read()


def _greatest(costs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the nodes that cost most, those that cost nothing left out."""
    ordered = sorted(costs, key=lambda name: -float(np.mean(costs[name])))
    return {name: costs[name] for name in ordered[:_MOST_LINES] if np.any(costs[name])}


def _figure(size: tuple[float, float]) -> Figure:
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _bytes(figure: Figure) -> bytes:
    return png(lambda stream: figure.savefig(stream, format="png", dpi=_DPI))
