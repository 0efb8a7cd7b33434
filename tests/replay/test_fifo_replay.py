"""The queue: in order, once, and no silent loss."""
import time

import numpy as np
import pytest
from tf_agents.trajectories import trajectory as trajectory_lib

from infonodes.replay import FifoReplay, ReplayTimeout


def _items(dataset):
    return [int(i) for t, _ in dataset for i in t.observation[:, 0, 0].numpy()]


def test_each_window_is_read_once_in_order(data_spec, make_episode, fill):
    with FifoReplay(data_spec, 2) as replay:
        fill(replay, make_episode, np.ones(50))
        assert replay.size == 50
        first = _items(replay.dataset(8, stop_after_s=0.2))
        assert first == list(range(50))  # the last batch is smaller
        assert _items(replay.dataset(8, stop_after_s=0.2)) == []
        assert replay.size == 0


def test_batches_are_real_trajectories(data_spec, make_episode, fill):
    with FifoReplay(data_spec, 2) as replay:
        fill(replay, make_episode, np.ones(4))
        dataset = replay.dataset(4)
        assert type(dataset.element_spec[0]) is trajectory_lib.Trajectory
        assert dataset.element_spec[0].observation.shape == (4, 2, 2)
        trajectory, info = next(iter(dataset))
        assert type(trajectory) is trajectory_lib.Trajectory
        assert set(trajectory.policy_info) == {"cost", "packed"}
        assert info.key.shape == (4,)


def test_clear_empties_the_queue(data_spec, make_episode, fill):
    with FifoReplay(data_spec, 2) as replay:
        fill(replay, make_episode, np.ones(10))
        replay.clear()
        assert replay.size == 0
        fill(replay, make_episode, np.ones(3))
        assert _items(replay.dataset(1, stop_after_s=0.2)) == [0, 1, 2]


def test_full_queue_is_an_error_and_loses_nothing(data_spec, make_episode):
    with FifoReplay(data_spec, 2, max_size=5, deadline_s=0.5) as replay:
        observer = replay.observer()
        start = time.monotonic()
        with pytest.raises(ReplayTimeout, match="0.5 s"):
            for item in range(10):
                for frame in make_episode(1, item):
                    observer(frame)
        assert time.monotonic() - start < 2.0
        assert _items(replay.dataset(1, stop_after_s=0.3)) == [0, 1, 2, 3, 4, 5]
