"""The local replay against Reverb's windows, the closed form of the mixture, and itself restored."""
import numpy as np
import pytest
import tree

from infonodes.checkpoints import nests
from infonodes.replay import FifoReplay, LocalReplay, ReplayFault, priorities


def write(observer, frames):
    for frame in frames:
        observer(frame)


def windows(batch):
    return [(int(o[0, 0]), o[:, 1].astype(int).tolist()) for o in batch.observation]


@pytest.mark.parametrize("length, stride, pad", [(2, 1, True), (3, 1, True), (3, 2, True), (6, 4, True), (3, 1, False)])
def test_the_same_windows_as_reverb(data_spec, make_episode, length, stride, pad):
    """Two episodes of each length, one cut off in the middle; the expectation is Reverb's queue."""
    episodes = [make_episode(moves, episode) for episode, moves in enumerate([1, 2, 5, 6, 7, 3])]
    episodes[4] = episodes[4][:4]
    local = LocalReplay(data_spec, length, draws="in_order", stride=stride, pad=pad)
    with FifoReplay(data_spec, length, stride=stride, pad=pad) as queue:
        one, other = local.observer(), queue.observer()
        for episode in episodes:
            write(one, episode)
            write(other, episode)
        other.flush()
        expected = [t for t, _ in queue.dataset(1, stop_after_s=0.3)]
    assert local.size == len(expected)
    found, _ = local.sample(local.size)
    for i, window in enumerate(expected):
        for a, b in zip(np.array(found.observation[i]), window.observation[0].numpy()):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(found.step_type[i], window.step_type[0].numpy())


def test_draws_by_the_mixture(data_spec, make_episode):
    """Pearson's statistic over its degrees of freedom is 1 +- 0.26 if frequencies fit."""
    costs = np.geomspace(0.01, 100.0, 30)
    replay = LocalReplay(data_spec, 2, seed=4)
    observer = replay.observer()
    for item in range(30):
        write(observer, make_episode(1, item, [1.0, 1.0]))
    _, info = replay.sample(600)  # all of them, nearly surely
    replay.update_priorities(info, costs[info.key])
    assert set(info.key) == set(range(30))
    expected = priorities.mixture_probability(costs)
    batch, info = replay.sample(20_000)
    np.testing.assert_allclose(info.probability, expected[info.key])
    counts = np.bincount(info.key, minlength=30)
    assert np.sum((counts - 20_000 * expected) ** 2 / (20_000 * expected)) / 29 < 2.6
    weight = (30 * info.probability) ** -0.4
    np.testing.assert_allclose(batch.policy_info["importance_weight"][:, 1], weight / weight.max(), rtol=1e-6)
    np.testing.assert_array_equal(batch.observation[:, 0, 0], info.key)


def test_draws_uniformly(data_spec, make_episode):
    replay = LocalReplay(data_spec, 2, draws="uniform")
    observer = replay.observer()
    for item in range(10):
        write(observer, make_episode(1, item, [10.0**item, 1.0]))
    counts = np.bincount(replay.sample(10_000)[1].key, minlength=10)
    assert np.sum((counts - 1000.0) ** 2 / 1000.0) / 9 < 3.6


def test_a_new_window_has_its_mean_cost(data_spec, make_episode):
    replay = LocalReplay(data_spec, 3, exponent=1.0)
    write(replay.observer(), make_episode(3, 0, [1.0, 2.0, 3.0, 7.0]))
    _, info = replay.sample(200)
    assert {(int(k), float(p)) for k, p in zip(info.key, info.priority)} == {(0, 2.0), (1, 4.0), (2, 5.0)}


@pytest.mark.parametrize("cost", [np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-320, 1e308])
def test_any_cost_is_clamped(data_spec, make_episode, cost):
    replay = LocalReplay(data_spec, 2, uniform_fraction=0.0, exponent=1.0)
    observer = replay.observer()
    for item in range(8):
        write(observer, make_episode(1, item))
    _, info = replay.sample(8)
    replay.update_priorities(info, np.full(8, cost))
    _, info = replay.sample(64)
    assert np.all((info.priority >= 1e-6) & (info.priority <= 1e6))
    assert np.all((info.probability > 0) & (info.probability <= 1))


@pytest.mark.parametrize("batch_size", [None, 3])
def test_the_oldest_go_first_and_are_never_written_over(data_spec, make_episode, batch_size):
    """Thousands of frames through a small ring, episodes of any length: each window holds its own frames."""
    rng = np.random.default_rng(0)
    replay = LocalReplay(data_spec, 4, max_size=50)
    observer = replay.observer(batch_size)
    rows = [iter(()) for _ in range(batch_size or 1)]
    episode = 0
    for _ in range(3000):
        frames = []
        for i in range(len(rows)):
            frame = next(rows[i], None)
            if frame is None:
                rows[i] = iter(make_episode(int(rng.integers(1, 9)), episode := episode + 1))
                frame = next(rows[i])
            frames.append(frame)
        stack = lambda *xs: np.stack(xs)

        observer(tree.map_structure(stack, *frames) if batch_size else frames[0])
        assert replay.size <= 50
        if replay.size:
            for _, indices in windows(replay.sample(2)[0]):
                steps = np.diff(indices)
                assert set(steps) <= {0, 1} and (np.diff(steps) <= 0).all()
    batch, info = replay.sample(500)
    assert replay.size == 50 and len(set(info.key)) == 50
    assert all(len(set(o[:, 0])) == 1 for o in batch.observation)


@pytest.mark.parametrize("moves", [1, 3])
@pytest.mark.parametrize("length", [6, 20])
def test_short_episodes_fill_it_too(data_spec, make_episode, length, moves):
    """An episode of m moves has m + 1 frames and m windows; that the boundary frame is repeated takes no room."""
    replay = LocalReplay(data_spec, length, max_size=3000, draws="in_order")
    observer = replay.observer()
    for episode in range(3000 // moves):
        write(observer, make_episode(moves, episode))
    assert observer.written == replay.size == 3000
    found = windows(replay.sample(3000)[0])
    assert [episode for episode, _ in found] == [e for e in range(3000 // moves) for _ in range(moves)]
    for (_, indices), first in zip(found, [m for _ in range(3000 // moves) for m in range(moves)]):
        assert indices == [min(first + i, moves) for i in range(length)]


def test_a_window_of_an_observer_that_paused_too_long_is_dropped(data_spec, make_episode):
    """Its first frames are written over: it would straddle two episodes. What comes after it is stored."""
    replay = LocalReplay(data_spec, 3, max_size=4)
    paused, busy = replay.observer(), replay.observer()
    episode = make_episode(6, 1)
    write(paused, episode[:2])
    for number in range(2, 1000):
        write(busy, make_episode(4, number))
    write(paused, episode[2:4])
    assert all(len(set(o[:, 0])) == 1 for o in replay.sample(50)[0].observation)
    write(paused, episode[4:])
    assert (1, [2, 3, 4]) in windows(replay.sample(200)[0])


def test_an_old_key_updates_nothing(data_spec, make_episode):
    replay = LocalReplay(data_spec, 2, max_size=4)
    observer = replay.observer()
    for item in range(4):
        write(observer, make_episode(1, item))
    _, old = replay.sample(32)
    for item in range(4, 8):
        write(observer, make_episode(1, item))
    replay.update_priorities(old, np.full(32, 1e6))
    assert set(replay.sample(64)[1].priority) == {1.0}


def test_in_order_each_once(data_spec, make_episode):
    replay = LocalReplay(data_spec, 2, draws="in_order", max_size=3)
    observer = replay.observer()
    for item in range(3):
        write(observer, make_episode(1, item))
    with pytest.raises(ReplayFault, match="full with 3"):
        write(observer, make_episode(1, 3))
    assert [w[0] for w in windows(replay.sample(2)[0])] == [0, 1]
    assert [w[0] for w in windows(replay.sample(1)[0])] == [2]
    with pytest.raises(ReplayFault, match="1 windows asked for, 0 stored"):
        replay.sample(1)


@pytest.mark.parametrize("draws", ["by_cost", "uniform", "in_order"])
@pytest.mark.parametrize("cut", [0, 3, 11, 60, 333])
def test_a_restored_replay_goes_on_alike(data_spec, make_episode, tmp_path, draws, cut):
    """Cut anywhere, in the middle of an episode too, and after the ring has gone round."""
    def build():
        replay = LocalReplay(data_spec, 3, max_size=20, draws=draws, seed=9)
        return replay, replay.observer()

    def go(replay, observer, frames):
        drawn = []
        for number, frame in frames:
            observer(frame)
            if replay.size >= 5:
                batch, info = replay.sample(4)
                replay.update_priorities(info, info.key * 1.0 + number)
                drawn.append((batch.observation.copy(), info))
        return drawn

    rng = np.random.default_rng(1)
    episodes = [make_episode(int(rng.integers(1, 8)), e) for e in range(120)]
    frames = list(enumerate(f for e in episodes for f in e))
    first, second = build(), build()
    go(*first, frames[:cut])
    nests.save(str(tmp_path), "replay", first[0].get_state())
    expected = go(*first, frames[cut:])
    second[0].set_state(nests.load(str(tmp_path), "replay"))
    found = go(*second, frames[cut:])
    assert len(expected) == len(found) > 50
    for (a, i), (b, j) in zip(expected, found):
        np.testing.assert_array_equal(a, b)
        for x, y in zip(i, j):
            np.testing.assert_array_equal(x, y)


def test_a_restored_observer_that_is_closed_starts_an_episode(data_spec, make_episode):
    first, other = (LocalReplay(data_spec, 3, draws="in_order") for _ in range(2))
    observers = first.observer(), other.observer()
    write(observers[0], make_episode(5)[:2])
    other.set_state(first.get_state())
    observers[1].close()
    write(observers[1], make_episode(5)[2:4])
    assert other.size == 0
    write(observers[0], make_episode(5)[2:4])
    assert windows(first.sample(first.size)[0]) == [(0, [0, 1, 2]), (0, [1, 2, 3])]


def test_an_observers_state_in_another_form_is_refused(data_spec):
    observer = LocalReplay(data_spec, 3).observer(2)
    with pytest.raises(ReplayFault, match="another form"):
        observer.set_state([{"refs": []}] * 2)
    with pytest.raises(ReplayFault, match="saved for 1 environments, now 2"):
        observer.set_state(LocalReplay(data_spec, 3).observer().get_state())


def test_another_replays_state_is_refused(data_spec):
    state = LocalReplay(data_spec, 3).get_state()
    with pytest.raises(ReplayFault, match="sequence_length.*3.*2"):
        LocalReplay(data_spec, 2).set_state(state)
    with pytest.raises(ReplayFault, match="leaves"):
        LocalReplay(data_spec._replace(reward=()), 3).set_state(state)


@pytest.mark.parametrize("arguments, word", [
    (dict(draws="x"), "in_order"), (dict(exponent=2.0), "exponent"), (dict(max_size=0), "max_size"),
])
def test_bad_options(data_spec, arguments, word):
    with pytest.raises(ReplayFault, match=word):
        LocalReplay(data_spec, 3, **arguments)
    with pytest.raises(ReplayFault, match="'uniform'"):
        LocalReplay(data_spec._replace(policy_info=()), 3)
