"""An environment goes on from its state exactly as the one it was taken of."""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
from tf_agents.environments import py_environment, random_py_environment, suite_gym, wrappers
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

from infonodes.checkpoints import nests
from infonodes.environments import forage, guarded, probes, snapshots

CLASSIC = ["CartPole-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1", "Acrobot-v1"]


def make(name):
    if name == "forage":
        return guarded.GuardedEnvironment(forage.ForagePyEnvironment())
    env = suite_gym.load(name, max_episode_steps=30) if name in CLASSIC else probes.load(name)
    return guarded.GuardedEnvironment(env)


def play(env, rng, moves):
    """Returns all that is seen over some episodes."""
    seen, spec = [], env.action_spec()
    for _ in range(moves):
        action = array_spec.sample_spec_nest(spec, rng)
        step = env.step(action)
        seen.append([np.array(x) for x in (step.step_type, step.reward, step.discount)])
        seen += [np.array(x) for x in ([step.observation] if not isinstance(step.observation, dict)
                                       else step.observation.values())]
    return seen


@pytest.mark.parametrize("name", [*CLASSIC, *probes.NAMES, "forage"])
@pytest.mark.parametrize("moves", [0, 7, 43])
def test_goes_on_alike(name, moves, tmp_path):
    first, second = make(name), make(name)
    first.seed(3)
    first.reset()
    play(first, np.random.RandomState(1), moves)
    nests.save(str(tmp_path), "env", snapshots.get_state(first))
    expected = play(first, np.random.RandomState(2), 80)
    second.seed(4)
    second.reset()
    play(second, np.random.RandomState(5), 3)
    snapshots.set_state(second, nests.load(str(tmp_path), "env"))
    found = play(second, np.random.RandomState(2), 80)
    for a, b in zip(expected, found):
        np.testing.assert_array_equal(a, b)
    assert first.current_time_step().step_type == second.current_time_step().step_type


def test_a_state_is_not_changed_by_going_on():
    env = make("CartPole-v1")
    env.seed(0)
    env.reset()
    state = snapshots.get_state(env)
    first = play(env, np.random.RandomState(0), 20)
    snapshots.set_state(env, state)
    play(env, np.random.RandomState(1), 20)
    snapshots.set_state(env, state)
    for a, b in zip(first, play(env, np.random.RandomState(0), 20)):
        np.testing.assert_array_equal(a, b)


def test_an_unknown_environment_has_no_state():
    spec = array_spec.BoundedArraySpec([2], np.float32, 0, 1)
    unknown = random_py_environment.RandomPyEnvironment(spec, array_spec.BoundedArraySpec([], np.int32, 0, 1))
    assert snapshots.get_state(unknown) is None
    assert snapshots.get_state(guarded.GuardedEnvironment(unknown)) is None


def test_tf_agents_own_state_is_used():
    class Counting(random_py_environment.RandomPyEnvironment):
        count = 5

        def get_state(self):
            return {"count": self.count}

        def set_state(self, state):
            self.count = state["count"]

    spec = array_spec.BoundedArraySpec([2], np.float32, 0, 1)
    env: py_environment.PyEnvironment = Counting(spec, array_spec.BoundedArraySpec([], np.int32, 0, 1))
    state = snapshots.get_state(env)
    env.count = 0
    snapshots.set_state(env, state)
    assert env.count == 5


def test_another_environments_state_is_refused():
    state = snapshots.get_state(make("CartPole-v1"))
    with pytest.raises(ValueError, match="CartPoleEnv.*PendulumEnv"):
        snapshots.set_state(make("Pendulum-v1"), state)


class Counting(py_environment.PyEnvironment):
    """Shows how many moves were made; gives its state."""

    def __init__(self):
        super().__init__()
        self._moves = 0

    def action_spec(self):
        return array_spec.BoundedArraySpec([], np.int64, 0, 1)

    def observation_spec(self):
        return array_spec.ArraySpec([1], np.float32)

    def _reset(self):
        self._moves = 0
        return ts.restart(np.zeros(1, np.float32))

    def _step(self, action):
        self._moves += 1
        return ts.transition(np.full(1, self._moves, np.float32), 1.0)

    def get_state(self):
        return {"moves": self._moves}

    def set_state(self, state):
        self._moves = state["moves"]


class Own(wrappers.HistoryWrapper):
    """A wrapper that gives its own state too."""

    def get_state(self):
        return {"inside": self.wrapped_env().get_state()}


def test_a_wrapper_that_forwards_its_get_state_has_no_state_of_its_own():
    """TF-Agents' HistoryWrapper would go on with an empty history. One that has its own is taken at its word."""
    plain = guarded.GuardedEnvironment(wrappers.TimeLimit(Counting(), 100))
    plain.reset()
    assert snapshots.get_state(plain)[-1] == {"type": "Counting", "own": {"moves": 0}}
    history = wrappers.HistoryWrapper(Counting(), history_length=3)
    assert snapshots.get_state(guarded.GuardedEnvironment(wrappers.TimeLimit(history, 100))) is None
    owner = guarded.GuardedEnvironment(Own(Counting(), history_length=3))
    assert snapshots.get_state(owner)[-1]["type"] == "Own"
