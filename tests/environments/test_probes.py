"""Probes: their specs, their endings, and the optimum by playing the optimal policy."""
from __future__ import annotations

import numpy as np
import pytest
from tf_agents.environments import utils
from tf_agents.specs import array_spec

from infonodes.environments import probes


class Remember:
    """Names the cue that the episode's first observation showed."""

    def __call__(self, step):
        if step.is_first():
            self.cue = int(np.argmax(step.observation[:2]))
        return np.int32(self.cue)


def straight(step):
    position, goal = step.observation[:2], step.observation[2:]
    return np.clip((goal - position) / 0.15, -1, 1).astype(np.float32)


OPTIMAL = {
    "value_only": lambda step: np.int32(0),
    "one_action": lambda step: np.int32(np.argmax(step.observation)),
    "delayed_credit": Remember(),
    "t_maze": Remember(),
    "point_mass": straight,
    "slot_machine": lambda step: np.int32(1),
    "quitting": lambda step: np.int32(1),
}


def play(env, policy):
    """Returns the time steps of one episode."""
    steps = [env.reset()]
    while not steps[-1].is_last():
        steps.append(env.step(policy(steps[-1])))
    return steps


def total(steps):
    return sum(float(s.reward) for s in steps)


@pytest.mark.parametrize("name", probes.NAMES)
def test_fits_its_specs(name):
    """TF-Agents' own validation."""
    utils.validate_py_environment(probes.load(name, seed=0), episodes=3)


@pytest.mark.parametrize("name", probes.NAMES)
def test_the_optimal_policy_gets_the_optimal_return(name):
    env = probes.load(name, seed=1)
    for _ in range(10):
        assert total(play(env, OPTIMAL[name])) == pytest.approx(env.optimal_return, abs=1e-4)


@pytest.mark.parametrize("name", probes.NAMES)
def test_no_random_policy_gets_more(name):
    env = probes.load(name, seed=2)
    rng = np.random.RandomState(0)  # what TF-Agents' sampler takes
    for _ in range(50):
        steps = play(env, lambda _: array_spec.sample_spec_nest(env.action_spec(), rng))
        assert total(steps) <= env.optimal_return + 1e-5


@pytest.mark.parametrize("name", probes.NAMES)
def test_same_seed_same_episode_and_auto_reset(name):
    one, other = probes.load(name, seed=5), probes.load(name, seed=5)
    for a, b in zip(play(one, OPTIMAL[name]), play(other, OPTIMAL[name])):
        np.testing.assert_array_equal(a.observation, b.observation)
    assert one.step(np.zeros(one.action_spec().shape, one.action_spec().dtype)).is_first()
    one.seed(6), other.seed(6)
    np.testing.assert_array_equal(one.reset().observation, other.reset().observation)


@pytest.mark.parametrize("name", probes.NAMES)
def test_truncated_or_terminated_as_documented(name):
    """Discount 0 says that there is no future; a time limit must not say so."""
    last = play(probes.load(name, seed=0), OPTIMAL[name])[-1]
    assert float(last.discount) == (1.0 if name in ("point_mass", "slot_machine") else 0.0)


def test_delayed_credit_pays_the_first_action_after_the_delay():
    env = probes.load("delayed_credit", delay=3, seed=0)
    steps = play(env, Remember())
    assert [float(s.reward) for s in steps] == [0, 0, 0, 0, 1]
    wrong = play(env, lambda s: np.int32(1 - np.argmax(s.observation[:2])))
    assert total(wrong) == 0


def test_t_maze_hides_the_cue_after_the_first_frame():
    env = probes.load("t_maze", length=4, seed=0)
    steps = play(env, lambda _: np.int32(0))
    assert len(steps) == 6 and steps[0].observation[:2].sum() == 1
    assert all(s.observation[:2].sum() == 0 for s in steps[1:])
    returns = [total(play(env, lambda _: np.int32(0))) for _ in range(400)]
    assert np.mean(returns) == pytest.approx(0, abs=0.3)


def test_slot_machine_has_one_arm_to_learn():
    """Arm 1's successor of a symbol is always the same, arm 0's takes every value."""
    env = probes.load("slot_machine", symbols=4, ticks=400, seed=3)
    after = {0: [set() for _ in range(4)], 1: [set() for _ in range(4)]}
    rng = np.random.default_rng(0)
    steps = play(env, lambda _: np.int32(rng.integers(2)))
    for a, b in zip(steps, steps[1:]):
        arm = int(np.argmax(b.observation[:2]))
        after[arm][int(np.argmax(a.observation[2:]))].add(int(np.argmax(b.observation[2:])))
    assert [len(s) for s in after[1]] == [1] * 4 and [len(s) for s in after[0]] == [4] * 4
    assert {next(iter(s)) for s in after[1]} == set(range(4))
    assert 0.4 < env.learnable_share < 0.6


def test_staying_is_truncated_and_costs_every_tick():
    env = probes.load("quitting")
    steps = play(env, lambda _: np.int32(0))
    assert len(steps) == 51 and float(steps[-1].discount) == 1.0
    assert total(steps) == env.staying_return == -50


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="'maze'.*t_maze"):
        probes.load("maze")
    with pytest.raises(ValueError, match="t_maze: length=0"):
        probes.load("t_maze", length=0)
    with pytest.raises(ValueError, match="point_mass: reach=-1"):
        probes.load("point_mass", reach=-1)
