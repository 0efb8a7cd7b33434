"""Values are judged against the returns that really followed, counted as a RewardNode counts them."""
from __future__ import annotations

import numpy as np
import pytest
from tf_agents.specs import tensor_spec

from experiments import report_values
from infonodes import presets
from infonodes.environments.probes import DelayedCredit, OneAction
from infonodes.info_nodes.pred_settings import PredSettings
from infonodes.info_nodes.reward_settings import RewardSettings

GAMMA = 0.9


@pytest.fixture(scope="module")
def make_agent():
    def make(env):
        specs = tensor_spec.from_spec((env.time_step_spec(), env.action_spec()))
        small = PredSettings(latent_size=8, hidden=(8,))
        agent = presets.predictive(*specs, pred=small, reward=RewardSettings(gamma=GAMMA, hidden=8))
        agent.initialize()
        return agent

    return make


def judge(agent, batches):
    return report_values.judge(agent.graph["value"], [agent.perceive(batch)["value"] for batch in batches])


@pytest.mark.parametrize("hold", [1, 3])
@pytest.mark.parametrize("ended", [True, False])
def test_returns_in_closed_form(hold, ended):
    """A span is worth the mean of its rewards; the last one may be shorter; the end or the cut value follows."""
    signal, value = np.random.default_rng(0).normal(size=7), np.arange(8.0)
    came, unseen = report_values.returns_to_go(signal, ended, value, GAMMA, hold, terminal=-2.0)
    for t in range(7):
        spans = [signal[s:s + hold].mean() for s in range(t, 7, hold)]
        weights = GAMMA ** np.arange(len(spans))
        rest = GAMMA ** len(spans)
        beyond = -2.0 if ended else 7.0
        assert came[t] == pytest.approx((1 - GAMMA) * np.dot(weights, spans) + rest * beyond)
        assert unseen[t] == pytest.approx(0.0 if ended else rest)


def test_what_came_is_what_was_paid(make_agent):
    """Of delayed credit: the one reward at the end, discounted to where the greedy policy took over."""
    agent = make_agent(DelayedCredit())
    node = agent.graph["value"]
    batches = report_values.play(agent, DelayedCredit, 3, 12)
    judged = judge(agent, batches)
    expected, paid = [], []
    for lead, batch in zip(report_values.LEADS, batches):
        first = np.cumsum(batch.step_type.numpy() == 2, axis=1) == 0  # The moves of each row's first episode.
        moves = first.sum(axis=1)
        rewards = (batch.reward.numpy() * first).sum(axis=1)
        late = GAMMA ** (moves - 1 - lead)
        expected += list((1 - GAMMA) * (late * rewards)[moves > lead])
        paid += list(rewards[moves > lead]) if lead else []
    np.testing.assert_allclose(judged.came, expected, rtol=1e-5)
    assert set(np.sign(paid)) == {0.0, 1.0}, "the first move was not random"
    assert judged.off_path.sum() == len(paid) and (~judged.off_path).any()
    # The first 16 values are of the 16 rows' first frames, where nothing random was done.
    z = agent.perceive(batches[0])["pred"].state["z"]
    np.testing.assert_allclose(judged.value[:16], node.value(z[:, 0]), rtol=1e-5)


def test_episodes_that_end_before_the_greedy_moves_are_left_out(make_agent):
    """One move an episode: only those without random moves are judged."""
    agent = make_agent(OneAction())
    judged = judge(agent, report_values.play(agent, OneAction, 3, 4))
    assert len(judged.value) == 16 and not judged.off_path.any()
    assert report_values.fit(judged, True).frames == 0


def test_returns_that_are_mostly_the_cut_value_are_left_out(make_agent):
    """After two greedy ticks 0.81 of the weight lie beyond."""
    agent = make_agent(DelayedCredit(delay=30))
    batches = report_values.play(agent, lambda: DelayedCredit(delay=30), 3, 2)
    assert not len(judge(agent, batches).value)


def test_the_fit_in_closed_form():
    value, came = np.array([1.0, 2.0, 3.0, 9.0]), np.array([0.0, 1.0, 2.0, 9.0])
    found = report_values.fit(report_values.Judged(value, came, np.array([False] * 3 + [True])), False)
    assert found == pytest.approx((3, 1.0, 1.0, 1.0))
    alone = report_values.fit(report_values.Judged(value, came, np.array([False] * 3 + [True])), True)
    assert alone.frames == 1 and alone.bias == 0.0 and np.isnan(alone.correlation)
