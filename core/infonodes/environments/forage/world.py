"""The world of forage as pure functions over arrays `[B, ...]` of numpy or TensorFlow.

```
action_t ─► move, eat ─► energy_{t+1} = energy_t − basal − chill − price(action_t) + U · eaten
```

The body starves, and the episode ends, when a component of its energy is used up.
"""
from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np

Array = Any  # np.ndarray or tf.Tensor.

ACTIONS = (
    "rest", "north", "east", "south", "west", "run_north", "run_east", "run_south", "run_west", "eat",
)
REST, EAT = 0, 9
_STEPS = np.array([[-1, 0], [0, 1], [1, 0], [0, -1]])
MOVES = np.concatenate([[[0, 0]], _STEPS, 2 * _STEPS, [[0, 0]]]).astype(np.int32)  # [A, 2]
# What is eaten comes as sugar, protein or toxin; energy is sugar and protein.
FOODS = 3
COMPONENTS = 2


@dataclasses.dataclass(frozen=True)
class ForageSettings:
    """Settings of the world.

    Attributes:
      size: Cells along each side of the torus.
      sugars: Sugar lumps lying about; one that is eaten grows anew elsewhere.
      proteins: The same of protein.
      poisons: The same of poison.
      portion: Energy of an item.
      harm: What a unit of toxin takes of each component.
      capacity: Most energy of a component.
      start: Energy of a component at an episode's start.
      basal: Energy of a component that being alive takes, a tick.
      chill: The same of a night's tick outside the shelter, on top.
      day: Ticks of a day.
      night: Ticks at its end that are night.
      walk: Price of a step, a component.
      run: Price of a run of two cells.
      chew: Price of eating, whether there is something or not.
      bill: Whether acting is charged; the prices are counted as spent in any case.
      ticks: An episode is cut off here.
    """

    size: int = 6
    sugars: int = 3
    proteins: int = 3
    poisons: int = 3
    portion: float = 0.3
    harm: float = 1.0
    capacity: float = 1.0
    start: float = 0.5
    basal: float = 0.01
    chill: float = 0.01
    day: int = 40
    night: int = 12
    walk: float = 0.004
    run: float = 0.02
    chew: float = 0.002
    bill: bool = True
    ticks: int = 1000

    def __post_init__(self) -> None:
        for field in ("size", "sugars", "proteins", "poisons", "day", "ticks"):
            if getattr(self, field) < 1:
                raise ValueError(f"ForageSettings.{field}={getattr(self, field)}: expected at least 1")
        for field in ("portion", "harm", "basal", "chill", "walk", "run", "chew", "night"):
            if getattr(self, field) < 0:
                raise ValueError(f"ForageSettings.{field}={getattr(self, field)}: expected 0 or more")
        if not 0 < self.start <= self.capacity:
            raise ValueError(f"ForageSettings.start={self.start}: expected above 0, at most capacity={self.capacity}")

    @property
    def prices(self) -> np.ndarray:
        """What each action takes of each component, float32 `[A, E]`."""
        each = [0.0, *[self.walk] * 4, *[self.run] * 4, self.chew]
        return np.repeat(np.array(each, np.float32)[:, None], COMPONENTS, axis=1)

    @property
    def usefulness(self) -> np.ndarray:
        """What a unit of sugar, protein and toxin does to the energy, float32 `[E, F]`."""
        return np.array([[1.0, 0.0, -self.harm], [0.0, 1.0, -self.harm]], np.float32)

    @property
    def kinds(self) -> np.ndarray:
        """The kind of each item, one-hot, float32 `[I, F]`."""
        counts = (self.sugars, self.proteins, self.poisons)
        return np.repeat(np.eye(FOODS, dtype=np.float32), counts, axis=0)


class WorldState(NamedTuple):
    """Where everything is.

    Attributes:
      place: The body's cell, int32 `[B, 2]`.
      items: The items' cells, int32 `[B, I, 2]`.
      shelter: Its cell, int32 `[B, 2]`.
      energy: float32 `[B, E]`.
      eaten: In the last tick, float32 `[B, F]`.
      tick: int32 `[B]`.
    """

    place: Array
    items: Array
    shelter: Array
    energy: Array
    eaten: Array
    tick: Array


class Outcome(NamedTuple):
    """What a tick led to.

    Attributes:
      state: The state after it.
      starved: bool `[B]`.
      cut: bool `[B]`, the time is up; not where starved.
      spent: Price of the action by the list, charged or not, float32 `[B]`.
    """

    state: WorldState
    starved: Array
    cut: Array
    spent: Array


def item_count(settings: ForageSettings) -> int:
    """Returns I, how many items there are."""
    return settings.sugars + settings.proteins + settings.poisons


def restart(xp: Any, settings: ForageSettings, cells: Array) -> WorldState:
    """Returns the state at an episode's start.

    Args:
      xp: `numpy`, or `tf_form.TENSORS`.
      settings: Of the world.
      cells: Drawn cells of the body, the shelter and the items, int32 `[B, 2 + I, 2]`.
    """
    empty = xp.cast(cells[:, 0, :1] * 0, np.float32)  # [B, 1]
    return WorldState(
        place=cells[:, 0],
        items=cells[:, 2:],
        shelter=cells[:, 1],
        energy=empty + np.full([COMPONENTS], settings.start, np.float32),
        eaten=empty + np.zeros([FOODS], np.float32),
        tick=cells[:, 0, 0] * 0,
    )


def step(xp: Any, settings: ForageSettings, state: WorldState, action: Array, cells: Array) -> Outcome:
    """Returns what an action leads to.

    Args:
      xp: `numpy`, or `tf_form.TENSORS`.
      settings: Of the world.
      state: Before it.
      action: Index into `ACTIONS`, int32 `[B]`.
      cells: Where what is eaten grows anew, int32 `[B, I, 2]`.
    """
    place = (state.place + xp.take(MOVES, action)) % settings.size
    eats = (action == EAT)[:, None]  # [B, 1]
    here = (state.items[..., 0] == place[:, :1]) & (state.items[..., 1] == place[:, 1:])
    bitten = here & eats  # [B, I]
    eaten = settings.portion * xp.matmul(xp.cast(bitten, np.float32), settings.kinds)
    items = xp.where(bitten[..., None], cells, state.items)
    price = xp.take(settings.prices, action)  # [B, E]
    cold = is_cold(xp, settings, state._replace(place=place))
    used = settings.basal + settings.chill * xp.cast(cold, np.float32)[:, None]
    if settings.bill:
        used = used + price
    energy = state.energy - used + xp.matmul(eaten, settings.usefulness.T)
    energy = xp.where(energy > settings.capacity, energy * 0.0 + settings.capacity, energy)
    energy = xp.where(energy < 0.0, energy * 0.0, energy)
    tick = state.tick + 1
    starved = (energy[:, 0] <= 0.0) | (energy[:, 1] <= 0.0)
    after = WorldState(place, items, state.shelter, energy, eaten, tick)
    return Outcome(after, starved, (tick >= settings.ticks) & ~starved, price[:, 0] + price[:, 1])


def is_cold(xp: Any, settings: ForageSettings, state: WorldState) -> Array:
    """Returns whether it is night and the body outside the shelter, bool `[B]`."""
    del xp
    night = state.tick % settings.day >= settings.day - settings.night
    inside = (state.place[:, 0] == state.shelter[:, 0]) & (state.place[:, 1] == state.shelter[:, 1])
    return night & ~inside


def observe(xp: Any, settings: ForageSettings, state: WorldState) -> dict[str, Array]:
    """Returns what the body sees and feels.

    ```
    energy [E]   of each component, in shares of the capacity
    eaten  [F]   sugar, protein and toxin of the last tick
    cold   [1]   1 if the last tick was a night's outside the shelter, else 0
    sight  [14]  row and column of the way to the nearest sugar, protein, poison and to the
                 shelter, in half sides of the torus (8); which of these is here (4); the hour
                 as sine and cosine (2)
    ```
    """
    half = settings.size / 2.0
    way = (state.items - state.place[:, None] + settings.size // 2) % settings.size - settings.size // 2
    home = (state.shelter - state.place + settings.size // 2) % settings.size - settings.size // 2
    far = xp.cast(abs(way[..., 0]) + abs(way[..., 1]), np.float32)  # [B, I]
    kinds = settings.kinds
    ways, at = [], []
    start = 0
    for kind in range(FOODS):
        stop = start + int(kinds[:, kind].sum())
        nearest = xp.argmin(far[:, start:stop])  # [B]
        ways.append(xp.cast(xp.pick(way[:, start:stop], nearest), np.float32) / half)
        at.append(xp.cast(xp.pick(far[:, start:stop], nearest) == 0.0, np.float32)[:, None])
        start = stop
    ways.append(xp.cast(home, np.float32) / half)
    at.append(xp.cast((home[:, 0] == 0) & (home[:, 1] == 0), np.float32)[:, None])
    hour = xp.cast(state.tick % settings.day, np.float32)[:, None] * np.float32(2 * np.pi / settings.day)
    # The cold that was felt is that of the tick before.
    before = state._replace(tick=state.tick - 1)
    cold = xp.cast(is_cold(xp, settings, before) & (state.tick > 0), np.float32)[:, None]
    return {
        "cold": cold,
        "eaten": state.eaten,
        "energy": state.energy / np.float32(settings.capacity),
        "sight": xp.concat([*ways, *at, xp.sin(hour), xp.cos(hour)]),
    }
