"""The count that chaos judges by, on windows made by hand."""
from __future__ import annotations

import numpy as np
import pytest

from experiments import chaos_audit, chaos_counter


def play(process, episodes):
    """Returns the windows of whole episodes as the environment and the writer make them."""
    env = chaos_counter.Counter()
    windows, frame = [], env.reset().observation
    for _ in range(episodes):
        for _ in range(chaos_counter.MOVES):
            after = env.step(0).observation
            windows.append((frame, after))
            frame = after
        frame = env.step(0).observation  # Begins anew after a last step.
    found = np.array(windows, np.float64)
    found[:, :, 0] = process
    found[:, :, 4] = found[:, :, 3]  # A second a frame.
    return found


def test_nothing_is_missing():
    found = chaos_audit.assess(np.concatenate([play(1, 4), play(2, 3)]))
    assert found == chaos_audit.Audit(7 * chaos_counter.MOVES, 0, 0, 0, ())


def test_order_does_not_matter():
    windows = play(1, 4)
    assert chaos_audit.assess(np.random.default_rng(0).permutation(windows)).gaps == ()


@pytest.mark.parametrize("start, stop", [(5, 9), (5, 45), (19, 20), (20, 21), (15, 61)])
def test_a_gap_is_counted_and_dated(start, stop):
    """By definition: as many as were taken out, between their neighbours' times."""
    windows = play(1, 4)
    (gap,) = chaos_audit.assess(np.delete(windows, slice(start, stop), axis=0)).gaps
    assert gap.lost == stop - start
    assert (gap.after_s, gap.before_s) == (windows[start - 1, 0, 4], windows[stop, 0, 4])


@pytest.mark.parametrize("moves", [4, 20])
def test_an_episode_begun_anew_is_no_loss(moves):
    """A collector that rode out an outage resets: what was not offered is not lost."""
    env = chaos_counter.Counter()
    windows = []
    for count in (moves, 20):
        frame = env.reset().observation
        for _ in range(count):
            after = env.step(0).observation
            windows.append((frame, after))
            frame = after
        env.step(0)  # Taken, and not observed.
    found = chaos_audit.assess(np.array(windows, np.float64))
    assert (found.cut, found.gaps) == (1, ())


def test_doubles_are_counted():
    windows = play(1, 2)
    assert chaos_audit.assess(np.concatenate([windows, windows[3:5]])).doubled == 2


def test_windows_across_episodes_are_counted():
    windows = play(1, 2)
    windows[7, 1] = windows[30, 1]
    other = windows[9, 1].copy()
    other[0] = 2
    windows[9, 1] = other
    assert chaos_audit.assess(windows).straddling == 2


def kill(at, checkpoint, down=20.0, started=5.0, back=10.0):
    return {
        "role": "server", "at_s": at, "checkpoint_s": checkpoint, "down_s": down, "started_s": started,
        "resumed_learn_s": 1.0, "resumed_collect-0_s": back,
    }


@pytest.mark.parametrize(
    "after, before, expected",
    [
        (95.0, 100.0, True),  # Between the checkpoint and the kill.
        (80.0, 100.0, False),  # The checkpoint has these.
        (95.0, 120.0, False),  # Made while the server was away, and never sent again.
        (145.0, 150.0, True),  # Of the second kill.
        (95.0, 150.0, False),  # The second checkpoint, at 140, has what came in when the writer was back, at 135.
    ],
)
def test_a_gap_is_lawful_between_a_checkpoint_and_a_kill(after, before, expected):
    kills = [kill(100.0, 94.0), kill(150.0, 140.0)]
    assert chaos_audit.lawful(chaos_audit.Gap(7, after, before), kills) is expected


def test_what_waited_for_the_server_falls_to_the_next_kill_if_it_came_after_the_checkpoint():
    """The writer was back at 135, the checkpoint whole at 130: what was made since the first kill is lost with it."""
    kills = [kill(100.0, 94.0), kill(150.0, 130.0)]
    assert chaos_audit.lawful(chaos_audit.Gap(7, 95.0, 150.0), kills)
    assert not chaos_audit.lawful(chaos_audit.Gap(7, 80.0, 150.0), kills)


def test_without_a_checkpoint_all_before_a_kill_may_go():
    assert chaos_audit.lawful(chaos_audit.Gap(7, 3.0, 150.0), [kill(100.0, None), kill(150.0, None)])


def test_kills_of_other_roles_excuse_nothing():
    assert not chaos_audit.lawful(chaos_audit.Gap(7, 95.0, 100.0), [{**kill(100.0, 94.0), "role": "learn"}])
