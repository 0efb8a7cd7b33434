"""From the spec of a text, a sound or an image to a workspace that moves a window over it."""
from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from infonodes.info_nodes.organs.gym.base import spec_bounds
from infonodes.info_nodes.organs.navigable_modality.grid import (
    NavigableAudio,
    NavigableGrid,
    NavigableImage,
    NavigableText,
)
from infonodes.info_nodes.organs.navigable_modality.settings import WorkspaceSettings
from infonodes.rules import senses
from infonodes.types import GraphError


@dataclasses.dataclass(frozen=True)
class PageSettings:
    """How a page is looked at.

    Attributes:
      window: Places along each axis; `()` for the largest window, as long along each axis in
        proportion, that covers at most `share` of the data; of an image at least 2 by 2.
      share: See `window`, in (0, 1].
      max_speed: Places a tick; 0 for the window's longest side.
      n_coef_navigators: Coefficients an axis.
      ratio: How much finer each coefficient is than the one before.
      moves: `steps` or `velocity`, see `NavigableGrid`.
    """

    window: tuple[int, ...] = ()
    share: float = 0.05
    max_speed: float = 0.0
    n_coef_navigators: int = 2
    ratio: float = 4.0
    moves: str = "steps"


def page(name: str, spec: tf.TensorSpec, source: str, settings: PageSettings = PageSettings()) -> NavigableGrid:
    """Returns a read-only workspace over a leaf of the observation.

    | leaf | workspace | its data sub-node says |
    | --- | --- | --- |
    | integers `[length]`, bounded from 0 | `NavigableText` | which symbols are in sight, and their shares |
    | floats `[samples, channels]` | `NavigableAudio` | the spectrum |
    | uint8 or floats `[height, width, channels]` | `NavigableImage` | slope, texture, peak, least, mean of channels |

    The data are seen in the observation at each tick, not kept in the state.

    Args:
      name: Name of the node.
      spec: Of the leaf.
      source: Path of the leaf in the observation.
      settings: How it is looked at.

    Raises:
      GraphError: for a leaf that is none of these, or settings that do not fit it.
    """
    shape, whole = spec.shape.as_list(), spec.dtype.is_integer
    bounds = tuple(shape if len(shape) == 1 else shape[:-1])
    if not 0.0 < settings.share <= 1.0:
        raise GraphError(f"node {name!r}: share={settings.share}, expected a share of the data in (0, 1]")
    if settings.window and len(settings.window) != len(bounds):
        raise GraphError(
            f"node {name!r}: window={settings.window!r}, expected {len(bounds)} numbers, one an axis of the leaf "
            f"{source!r} of shape {shape}; () takes the largest that covers share={settings.share} of it"
        )
    least, side = min(len(bounds), 2), settings.share ** (1.0 / len(bounds))  # A single pixel has no texture.
    window = settings.window or tuple(min(b, max(least, int(b * side))) for b in bounds)
    speed = settings.max_speed or float(max(window))
    shared: dict[str, Any] = dict(moves=settings.moves, ratio=settings.ratio, dtype=spec.dtype)
    sees = lambda *fns: WorkspaceSettings(source=source, load="every", perception_fns=fns)
    count = settings.n_coef_navigators
    if len(shape) == 1 and whole:
        last = float(np.max(spec_bounds(spec)[1]))
        looks = sees(senses.presence, senses.brightness)
        vocabulary = int(last) + 1 if np.isfinite(last) else 0
        return NavigableText(name, shape[0], vocabulary, window[0], count, speed, settings=looks, **shared)
    if len(shape) == 2 and spec.dtype.is_floating:
        return NavigableAudio(
            name, shape[0], window[0], count, speed, shape[1], settings=sees(senses.spectrum), **shared
        )
    if len(shape) == 3 and (spec.dtype == tf.uint8 or spec.dtype.is_floating):
        looks = sees(senses.slope, senses.texture, senses.presence, senses.darkness, senses.brightness)
        return NavigableImage(name, bounds, window, count, speed, shape[2], settings=looks, **shared)
    raise GraphError(
        f"node {name!r}: leaf {source!r} is {spec.dtype.name} {shape}; expected a text (integers [length]), a sound "
        "(floats [samples, channels]) or an image (uint8 or floats [height, width, channels]); build a NavigableGrid "
        "or NavigableGraph for anything else"
    )
