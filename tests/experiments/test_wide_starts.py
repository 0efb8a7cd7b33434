"""The starts are spread over the track, and each can be held."""
import numpy as np
import pytest

from experiments import runner, wide_starts
from experiments.errors import RunError
from experiments.run_config import RunConfig


def test_starts_are_spread_and_a_linear_controller_holds_them():
    env = wide_starts.load(wide=True)
    starts = []
    for seed in range(30):
        env.seed(seed)
        time_step = env.reset()
        starts.append(time_step.observation)
        for _ in range(wide_starts.LIMIT):
            push = time_step.observation @ np.array([0.5, 1.2, 16.0, 3.0]) > 0
            time_step = env.step(np.array(int(push)))
        assert time_step.is_last() and time_step.discount == 1.0  # The time limit, and no fall.
    spread = np.abs(np.array(starts)).max(axis=0)
    assert (spread <= wide_starts.WIDE + 1e-6).all() and (spread > 0.8 * wide_starts.WIDE).all()


def test_gyms_own_starts_are_in_the_middle():
    env = wide_starts.load(wide=False)
    env.seed(0)
    assert np.abs(env.reset().observation).max() <= 0.05


def test_a_run_is_judged_from_both_kinds_of_start(tmp_path):
    out = str(tmp_path / "run")
    runner.train(RunConfig(steps=320, eval_every=320, eval_episodes=1, replay_kind="local", out=out), progress=False)
    step, narrow, wide = wide_starts.ticks(out, episodes=3)
    assert step == 320
    assert narrow.shape == wide.shape == (3,)
    assert ((narrow >= 1) & (narrow <= wide_starts.LIMIT)).all() and not np.array_equal(narrow, wide)


def test_a_run_of_another_environment_is_refused(tmp_path):
    out = str(tmp_path / "run")
    config = RunConfig(
        env="probe/one_action", steps=310, eval_every=310, eval_episodes=1, replay_kind="local", out=out
    )
    runner.train(config, progress=False)
    with pytest.raises(RunError, match="expected a run of CartPole-v1"):
        wide_starts.ticks(out, episodes=1)
