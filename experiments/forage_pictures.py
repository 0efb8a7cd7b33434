"""Pictures of a life in forage: the body's flows of energy, and the episode as a GIF."""
from __future__ import annotations

from typing import BinaryIO, Mapping, Union

import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.forage_living import Life
from infonodes.environments.forage import ForageSettings

_COLOURS = {"sugar": "#d98200", "protein": "#b03a2e", "poison": "#5b2c83"}
_FRAMES_A_SECOND = 8


def flows(life: Life, row: int, path: str) -> None:
    """Draws where a body's energy is and went, stacked, against what it had and gained.

    Args:
      life: A filmed life.
      row: Which body.
      path: PNG to write.

    Raises:
      ValueError: if the policy had no organs, or the life was not filmed.
    """
    if life.flows is None:
        raise ValueError("flows: the life has no ledger; live with film=True, and a policy that has organs")
    ticks = int(life.ticks[row])
    energy({name: values[:ticks, row] for name, values in life.flows.items()}, path)


def energy(one: Mapping[str, np.ndarray], path: Union[str, BinaryIO]) -> None:
    """Draws one body's energy, as `flows` does.

    Args:
      one: Its ledger at each tick by name, `[T]`.
      path: PNG to write, or a stream.
    """
    time = np.arange(len(one["stored"]))
    spent, lost, gained = (np.cumsum(one[name]) for name in ("spent", "lost", "gained"))
    start = one["stored"][0] + one["owed"][0] + spent[0] + lost[0] - gained[0]
    figure = Figure(figsize=(9, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    parts = {"spent": spent, "lost": lost, "stored": one["stored"]}
    axes.stackplot(time, *parts.values(), labels=list(parts), colors=["#9db7d5", "#c9b7b7", "#8fc08a"])
    axes.fill_between(time, one["owed"], 0.0, color="#b03a2e", alpha=0.7, label="owed (below zero)")
    axes.plot(time, start + gained, color="#222222", linewidth=1.2, linestyle="--", label="start + gained")
    axes.set(title="energy of the body", xlabel="tick", ylabel="energy, all components, since the start")
    axes.legend(loc="upper left", fontsize="small")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def episode(life: Life, row: int, world: ForageSettings, path: str, ticks: int) -> None:
    """Draws the first ticks of an episode as an animated GIF.

    Args:
      life: A filmed life.
      row: Which body.
      world: Settings of the world.
      path: GIF to write.
      ticks: Most frames.

    Raises:
      ValueError: if the life was not filmed.
    """
    if life.places is None:
        raise ValueError("episode: the life was not filmed; live with film=True")
    shown = life.places
    figure = Figure(figsize=(4.6, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes, gauge = figure.subplots(2, 1, height_ratios=(5, 1))
    kinds = world.kinds.argmax(axis=1)

    def draw(tick: int) -> None:
        night = tick % world.day >= world.day - world.night
        axes.clear()
        axes.set_facecolor("#3b4a6b" if night else "#eef2e6")
        axes.set(xlim=(-0.5, world.size - 0.5), ylim=(world.size - 0.5, -0.5), xticks=[], yticks=[])
        axes.set_title(f"tick {tick}, {'night' if night else 'day'}")
        shelter, place = shown.shelter[tick, row], shown.place[tick, row]
        axes.plot(shelter[1], shelter[0], "s", markersize=30, color="#a0866a", label="shelter")
        for index, (name, colour) in enumerate(_COLOURS.items()):
            cells = shown.items[tick, row][kinds == index]
            axes.plot(cells[:, 1], cells[:, 0], "o", markersize=11, color=colour, label=name)
        axes.plot(place[1], place[0], "*", markersize=22, color="#1f5fa8", markeredgecolor="white", label="body")
        gauge.clear()
        gauge.barh(["protein", "sugar"], shown.energy[tick, row][::-1], color=[_COLOURS["protein"], _COLOURS["sugar"]])
        gauge.set(xlim=(0.0, world.capacity))

    frames = min(int(life.ticks[row]), ticks)
    FuncAnimation(figure, draw, frames=frames).save(path, writer=PillowWriter(fps=_FRAMES_A_SECOND), dpi=60)
