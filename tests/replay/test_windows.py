"""What windows hold, read back in order through a queue. Expectations: the drawing in
`WindowWriter` and TF-Agents' `ReverbAddTrajectoryObserver` semantics."""
import numpy as np
import pytest
import tensorflow as tf

from infonodes.replay import FifoReplay, LocalReplay, ReplayFault


def _read(replay):
    """Returns `[(episode, [indices], [step types])]` of all windows, in order."""
    windows = []
    for trajectory, _ in replay.dataset(1, stop_after_s=0.2):
        observation = trajectory.observation[0].numpy().astype(int)
        assert len(set(observation[:, 0])) == 1, "a window crosses episodes"
        windows.append(
            (observation[0, 0], observation[:, 1].tolist(),
             trajectory.step_type[0].numpy().tolist())
        )
    return windows


def _write(replay, *frames, **kwargs):
    observer = replay.observer(**kwargs)
    for frame in frames:
        observer(frame)
    observer.flush()
    return observer


def test_a_window_starts_from_every_move(data_spec, make_episode):
    """The last moves too: heads that learn from a window's first moves must see endings."""
    with FifoReplay(data_spec, 3, stride=1) as replay:
        _write(replay, *make_episode(4))
        assert _read(replay) == [
            (0, [0, 1, 2], [0, 1, 1]), (0, [1, 2, 3], [1, 1, 1]), (0, [2, 3, 4], [1, 1, 2]),
            (0, [3, 4, 4], [1, 2, 2]),
        ]


@pytest.mark.parametrize("length", [2, 3, 6])
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("moves", [1, 2, 5, 6, 7])
def test_windows_start_at_every_stride_up_to_the_last_move(
    data_spec, make_episode, length, stride, moves
):
    with FifoReplay(data_spec, length, stride=stride) as replay:
        _write(replay, *make_episode(moves))
        frames = list(range(moves + 1)) + [moves] * length
        expected = [frames[s : s + length] for s in range(0, moves, stride)]
        assert [w[1] for w in _read(replay)] == expected


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_windows_never_cross_episodes(data_spec, make_episode, stride):
    """Also where an environment crashed and was reset behind the observer's back."""
    rng = np.random.default_rng(stride)
    with FifoReplay(data_spec, 3, stride=stride) as replay:
        observer = replay.observer()
        for episode in range(40):
            frames = make_episode(int(rng.integers(1, 8)), episode)
            kept = len(frames) if rng.random() < 0.6 else int(rng.integers(1, len(frames)))
            for frame in frames[:kept]:
                observer(frame)
        observer.flush()
        windows = _read(replay)
        assert len(windows) > 30
        for _, indices, step_types in windows:
            steps = np.diff(indices)
            # Consecutive, or the boundary frame repeated at the end.
            assert all(d == 1 or (d == 0 and t == 2) for d, t in zip(steps, step_types[:-1]))


def test_short_episode_is_padded_by_its_boundary_frame(data_spec, make_episode):
    with FifoReplay(data_spec, 4) as replay:
        _write(replay, *make_episode(1), *make_episode(5, 1))
        assert _read(replay) == [
            (0, [0, 1, 1, 1], [0, 2, 2, 2]),
            (1, [0, 1, 2, 3], [0, 1, 1, 1]), (1, [4, 5, 5, 5], [1, 2, 2, 2]),
        ]


def test_boundary_frame_alone_makes_no_window(data_spec, make_episode):
    with FifoReplay(data_spec, 4) as replay:
        _write(replay, *make_episode(4), make_episode(1, 1)[-1])
        assert [w[1] for w in _read(replay)] == [[0, 1, 2, 3]]


def test_without_padding_the_rest_is_dropped(data_spec, make_episode):
    with FifoReplay(data_spec, 4, pad=False) as replay:
        _write(replay, *make_episode(1), *make_episode(5, 1))
        assert _read(replay) == [(1, [0, 1, 2, 3], [0, 1, 1, 1])]


def test_discard_and_reset_drop_the_open_episode_only(data_spec, make_episode):
    with FifoReplay(data_spec, 3, stride=1) as replay:
        observer = _write(replay, *make_episode(6)[:4])
        observer.reset(write_cached_steps=False)
        for frame in make_episode(6)[4:6]:
            observer(frame)
        observer.discard()
        observer.flush()
        assert [w[1] for w in _read(replay)] == [[0, 1, 2], [1, 2, 3]]


def test_closed_observer_opens_again(data_spec, make_episode):
    with FifoReplay(data_spec, 3) as replay:
        observer = _write(replay, *make_episode(2))
        observer.close()
        observer.close()
        for frame in make_episode(2, 1):
            observer(frame)
        observer.flush()
        assert [w[0] for w in _read(replay)] == [0, 1]


# -- frames that must not get in -----------------------------------------------------------


@pytest.mark.parametrize(
    "spoil, path",
    [
        (lambda f: f._replace(observation=np.array([np.nan, 0], np.float32)), "observation"),
        (lambda f: f._replace(reward=np.float32(np.inf)), "reward"),
        (
            lambda f: f._replace(policy_info={
                **f.policy_info, "packed": {"float32": np.full(3, np.nan, np.float32)}}),
            r"policy_info/packed/float32 \(node 'eye'\)",
        ),
        (
            lambda f: f._replace(policy_info={**f.policy_info, "cost": np.float32(np.nan)}),
            r"policy_info/cost \(node 'eye'\)",
        ),
    ],
)
def test_nonfinite_frame_is_refused_and_the_table_works_on(
    data_spec, make_episode, spoil, path
):
    with FifoReplay(data_spec, 3, stride=1) as replay:
        observer = replay.observer(explain=lambda info: "node 'eye'")
        frames = make_episode(9)
        for frame in frames[:4]:
            observer(frame)
        with pytest.raises(ReplayFault, match=path):
            observer(spoil(frames[4]))
        for frame in frames[5:8]:
            observer(frame)
        observer.flush()
        # Stored windows stay; no window spans the refused frame.
        assert [w[1] for w in _read(replay)] == [[0, 1, 2], [1, 2, 3], [5, 6, 7]]


@pytest.mark.parametrize(
    "spoil, message",
    [
        (
            lambda f: f._replace(observation=np.zeros(3, np.float32)),
            r"observation: expected shape \(2,\)",
        ),
        (lambda f: f._replace(observation=np.zeros(2)), "observation: expected dtype float32"),
        (lambda f: f._replace(policy_info=()), "random mode"),
        (lambda f: f._replace(policy_info={"cost": np.float32(0)}), "structure"),
    ],
)
def test_frame_that_does_not_fit_the_spec_is_refused(data_spec, make_episode, spoil, message):
    with FifoReplay(data_spec, 2) as replay:
        with pytest.raises(ReplayFault, match=message):
            replay.observer()(spoil(make_episode(1)[0]))
        assert replay.size == 0


# -- batched environments ---------------------------------------------------------------------


def _stack(*frames):
    return tf.nest.map_structure(lambda *x: np.stack(x), *frames)


def test_batched_rows_are_separate_episodes(data_spec, make_episode):
    """Row b of a batched observer writes what an observer of environment b would."""
    with FifoReplay(data_spec, 3, stride=1) as replay:
        rows = [make_episode(4, 0), make_episode(2, 1) + make_episode(1, 2)]
        observer = _write(replay, *map(_stack, *rows), batch_size=2)
        expected = {
            0: [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 4]],
            1: [[0, 1, 2], [1, 2, 2]],
            2: [[0, 1, 1]],
        }
        windows = _read(replay)
        assert {e: [w[1] for w in windows if w[0] == e] for e in expected} == expected
        observer.close()


def test_batched_fault_drops_its_own_row_only(data_spec, make_episode):
    with FifoReplay(data_spec, 3, stride=1) as replay:
        observer = replay.observer(batch_size=2)
        for t, (left, right) in enumerate(zip(make_episode(4, 0), make_episode(4, 1))):
            if t != 2:
                observer(_stack(left, right))
                continue
            bad = right._replace(reward=np.float32(np.nan))
            with pytest.raises(ReplayFault, match="environment 1: frame: reward"):
                observer(_stack(left, bad))
        observer.flush()
        windows = _read(replay)
        assert [w[1] for w in windows if w[0] == 0] == [
            [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 4],
        ]
        assert [w[1] for w in windows if w[0] == 1] == [[3, 4, 4]]


def test_batched_frame_without_batch_size_says_so(data_spec, make_episode):
    with FifoReplay(data_spec, 3) as replay:
        frame = make_episode(1)[0]
        with pytest.raises(ReplayFault, match="batch_size"):
            replay.observer()(_stack(frame, frame))


def _stream(make_episode, frames, row, rng, spoil):
    """Returns `frames` frames of one environment: episodes, some of them cut off, and some frames not finite."""
    stream = []
    while len(stream) < frames:
        episode = make_episode(int(rng.integers(1, 8)), 100 * row + len(stream))
        stream += episode[: len(episode) if rng.random() < 0.8 else int(rng.integers(1, len(episode)))]
    nan = np.float32(np.nan)
    return [f._replace(reward=nan) if rng.random() < spoil else f for f in stream[:frames]]


def _windows_of(replay, observer, frames):
    """Returns `{environment: [(episode, [indices], [step types])]}` in the order of each environment."""
    for frame in frames:
        try:
            observer(frame)
        except ReplayFault:
            pass
    observer.flush()
    if isinstance(replay, LocalReplay):
        batch, _ = replay.sample(replay.size)
        found = [(o[0, 0], o[:, 1].tolist(), t.tolist()) for o, t in zip(batch.observation, batch.step_type)]
    else:
        found = _read(replay)
    return {row: [w for w in found if w[0] // 100 == row] for row in range(5)}


@pytest.mark.parametrize("make", [FifoReplay, lambda *args, **kwargs: LocalReplay(*args, draws="in_order", **kwargs)])
@pytest.mark.parametrize("length, stride", [(2, 1), (3, 1), (6, 1), (6, 4), (4, 6)])
@pytest.mark.parametrize("spoil, write_every", [(0.0, 1), (0.0, 7), (0.05, 3)])
def test_a_batch_writes_what_its_rows_alone_would(data_spec, make_episode, make, length, stride, spoil, write_every):
    """One writer's columns: while one environment repeats its boundary frame, the others' windows have no hole."""
    rng = np.random.default_rng([length, stride])
    rows = [_stream(make_episode, 60, row, rng, spoil) for row in range(5)]
    expected = {}
    for row, frames in enumerate(rows):
        alone = LocalReplay(data_spec, length, draws="in_order", stride=stride)
        expected.update({row: _windows_of(alone, alone.observer(), frames)[row]})
        assert len(expected[row]) > 5
    replay = make(data_spec, length, stride=stride)
    kwargs = {"write_every": write_every} if isinstance(replay, FifoReplay) else {}
    try:
        assert _windows_of(replay, replay.observer(5, **kwargs), map(_stack, *rows)) == expected
    finally:
        replay.close()
