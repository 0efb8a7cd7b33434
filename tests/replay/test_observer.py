"""An observer whose writer fails leaves no window that straddles the gap."""
import numpy as np
import pytest
import tree

from infonodes.replay import ReplayFault, ReplayTimeout
from infonodes.replay.frames import FrameCheck
from infonodes.replay.local_writer import LocalClient
from infonodes.replay.observer import ReplayObserver
from infonodes.replay.windows import WindowWriter


class Store:
    """Keeps frames and windows; the window of number `failing` meets a deadline."""

    def __init__(self, failing):
        self.frames, self.windows, self.failing = [], [], failing

    def add_frame(self, frame):
        self.frames.append(frame)
        return len(self.frames) - 1

    def add_window(self, frames, cost):
        del cost
        self.failing -= 1
        if self.failing == -1:
            raise ReplayTimeout("the server did not take it")
        self.windows.append(list(frames))


def windows_of(spec, frames, failing, write_every, batch_size=None):
    """Returns the (episode, index) pairs of the windows that came through, and how many faults there were."""
    store, check, faults = Store(failing), FrameCheck(spec), 0
    client = LocalClient(store)
    make = lambda rows: WindowWriter(client, rows, "t", 2, 1, True, lambda cost: cost, 1.0)
    observer = ReplayObserver(check, make, batch_size, write_every)
    for frame in frames:
        try:
            observer(frame)
        except ReplayFault:
            faults += 1
    observer.drain()
    at = check.wire.paths.index("observation")
    seen = [[tuple(map(int, check.wire.leaf(store.frames[i], at))) for i in window] for window in store.windows]
    return seen, faults


def assert_whole(windows):
    """Each window holds neighbours of one episode."""
    assert windows
    for (episode, index), (after, following) in windows:
        assert after == episode and following == index + 1


def batched(rows):
    leaves = lambda *leaf: np.stack(leaf)
    stack = lambda *nest: tree.map_structure(leaves, *nest)
    return [stack(*frames) for frames in zip(*rows)]


@pytest.mark.parametrize("write_every", [1, 8])
@pytest.mark.parametrize("failing", range(12))
def test_what_was_held_when_a_write_failed_is_dropped_with_its_episode(data_spec, make_episode, failing, write_every):
    frames = [frame for episode in range(6) for frame in make_episode(5, episode)]
    windows, faults = windows_of(data_spec, frames, failing, write_every)
    assert faults == 1
    assert_whole(windows)


@pytest.mark.parametrize("write_every", [1, 4])
@pytest.mark.parametrize("failing", range(12))
@pytest.mark.parametrize("spoiled", [None, 4])
def test_likewise_in_a_batch(data_spec, make_episode, failing, spoiled, write_every):
    """A frame that is not finite, of one environment, may come at the same time."""
    rows = [[frame for e in range(4) for frame in make_episode(5, 10 * b + e)] for b in range(3)]
    if spoiled is not None:
        bad = rows[1][spoiled]
        rows[1][spoiled] = bad._replace(reward=np.float32(np.nan))
    windows, faults = windows_of(data_spec, batched(rows), failing, write_every, batch_size=3)
    assert faults in (1, 2)
    assert_whole(windows)


def test_the_others_rows_are_written_beside_one_that_is_not_finite(data_spec, make_episode):
    rows = [make_episode(5, episode) for episode in range(2)]
    rows[0][3] = rows[0][3]._replace(reward=np.float32(np.nan))
    windows, faults = windows_of(data_spec, batched(rows), 10**6, 4, batch_size=2)
    assert faults == 1
    assert [w[0] for w in windows if w[0][0] == 1] == [(1, i) for i in range(5)]
    assert [w[0] for w in windows if w[0][0] == 0] == [(0, 0), (0, 1), (0, 4)]
