"""Joint candidates of several controls, against itertools."""
from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from infonodes.rules import candidates


def numbered(count: int, first: int, batch: int = 2) -> tf.Tensor:
    """Candidates `[B, count, 1]` that are told apart by number and row."""
    rows = np.arange(first, first + count)[None, :, None] + 100 * np.arange(batch)[:, None, None]
    return tf.constant(rows, tf.float32)


def test_few_pairs_are_all_there():
    """Three controls: the product of their candidates, each once, row by row."""
    parts = [numbered(2, 0), numbered(3, 10), numbered(2, 20)]
    joined = candidates.joint(parts, 12, 2).numpy()
    for row in range(2):
        expected = itertools.product(*[part[row, :, 0].numpy().tolist() for part in parts])
        assert sorted(map(tuple, joined[row].tolist())) == sorted(expected)


@pytest.mark.parametrize("counts", [(2, 5), (5, 2), (4, 4)])
def test_many_pairs_keep_every_candidate(counts):
    """Where the pairs are more than the limit, no control loses one of its candidates."""
    parts = [numbered(counts[0], 0), numbered(counts[1], 10)]
    joined = candidates.joint(parts, counts[0] * counts[1] - 1, 2).numpy()
    assert joined.shape == (2, max(counts), 2)
    for i, part in enumerate(parts):
        for row in range(2):
            assert set(joined[row, :, i]) == set(part[row, :, 0].numpy())


def test_no_control_has_one_empty_candidate():
    assert candidates.joint([], 4, tf.constant(3)).shape == [3, 1, 0]


@pytest.mark.parametrize("count", [3, 4, 7])
def test_exactly_goes_round(count):
    """numpy's resize."""
    options = np.arange(6, dtype=np.float32).reshape(1, 3, 2)
    found = candidates.exactly(tf.constant(options), count)
    np.testing.assert_array_equal(found[0], np.resize(options[0], [count, 2]))


@pytest.mark.parametrize("count, kept", [(1, [0]), (2, [0, 15]), (8, [0, 2, 4, 6, 9, 11, 13, 15])])
def test_fewer_are_spread_from_end_to_end(count, kept):
    """The first eight of a grid of torques would all be to one side."""
    grid = np.linspace(-1.0, 1.0, 16, dtype=np.float32)
    found = candidates.exactly(tf.constant(grid[None, :, None]), count)
    np.testing.assert_array_equal(found[0, :, 0], grid[kept])
