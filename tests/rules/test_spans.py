"""Windows seen every few ticks, against loops over their ticks."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from infonodes.rules import spans
from infonodes.types import Experience


def window(step_type: list[int], discount: list[float]) -> Experience:
    """Frame t holds t, its move earns t, its control did t."""
    time = len(step_type)
    ticks = tf.range(time, dtype=tf.float32)[None]
    empty = dict.fromkeys(Experience._fields)
    empty.update(
        parents={"pred": {"slow": ticks[..., None]}}, controls={"act": ticks[..., None]},
        step_type=tf.constant([step_type]), reward=ticks, intrinsic=-ticks, discount=tf.constant([discount]),
    )
    return Experience(**empty)


@pytest.mark.parametrize("time", [5, 6, 7, 8, 9])
@pytest.mark.parametrize("hold", [2, 3])
def test_every_span_of_an_unbroken_window(time, hold):
    """Lengths agree whether or not the spans fill the window: a frame, and a control, a span and one more."""
    seen = spans.every(window([1] * time, [1.0] * time), hold)
    count = (time - 1) // hold
    starts = range(0, count * hold, hold)
    assert seen.parents["pred"]["slow"].numpy().ravel().tolist() == list(range(0, count * hold + 1, hold))
    assert seen.controls["act"].shape == [1, count + 1, 1]
    assert seen.controls["act"].numpy().ravel()[:-1].tolist() == [s + hold - 1 for s in starts]
    np.testing.assert_allclose(seen.reward[0, :-1], [np.mean(range(s, s + hold)) for s in starts])
    np.testing.assert_allclose(seen.intrinsic[0, :-1], [-np.mean(range(s, s + hold)) for s in starts])
    assert seen.step_type.numpy().tolist() == [[1] * (count + 1)]


def test_a_span_that_terminates_is_kept_and_one_cut_off_is_not():
    """Frame 3 is the last of its episode: the span 2..4 holds move 2 alone, and a boundary."""
    step_type, discount = [1, 1, 1, 2, 0, 1, 1], [1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0]
    seen = spans.every(window(step_type, discount), 2)
    assert spans.ended(seen).numpy().tolist() == [[0.0, 1.0, 0.0]]
    assert seen.step_type.numpy().tolist() == [[1, 1, 2, 1]]  # The next episode is none of this window's.
    assert seen.reward[0, 1] == 2.0
    cut = spans.every(window(step_type, [1.0] * 7), 2)
    assert cut.step_type.numpy().tolist() == [[1, 2, 1, 1]]
