"""What senses say of windows whose answer is known."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from infonodes.environments.reading.find_in_image import MARKS
from infonodes.rules import senses


def _window(mark: np.ndarray, y: int, x: int) -> tf.Tensor:
    """Returns a grey window `[1, 14, 14, 1]` with the mark at a place."""
    window = np.full([1, 14, 14, 1], 0.5, np.float32)
    window[0, y : y + 7, x : x + 7, 0] = mark
    return tf.constant(window)


@pytest.mark.parametrize("mark", range(len(MARKS)))
def test_texture_does_not_depend_on_place(mark: int) -> None:
    here, there = (senses.texture(_window(MARKS[mark], *place)) for place in ((2, 3), (5, 4)))
    np.testing.assert_allclose(here, there, atol=1e-6)


def test_texture_tells_bars_down_from_bars_across() -> None:
    down, across, both = senses.texture(_window(MARKS[0], 3, 3)).numpy()[0]
    # 42 inner edges of 1, 7 edges of 0.5 above and 7 below, along 169 pairs of pixels.
    assert down == pytest.approx(4.0 * 49.0 / 169.0)
    assert across == pytest.approx(4.0 * 7.0 / 169.0)
    assert both < down
    turned = senses.texture(_window(MARKS[1], 3, 3)).numpy()[0]
    np.testing.assert_allclose(turned[:2], [across, down], atol=1e-6)


def test_darkness_is_zero_only_where_a_mark_has_dark_pixels() -> None:
    least = [float(senses.darkness(_window(mark, 3, 3))[0, 0]) for mark in MARKS]
    assert least == [0.0, 0.0, 0.0, 0.5]
