"""The guard: faults are caught and named, sound environments pass."""
from __future__ import annotations

import pickle

import numpy as np
import pytest
from tf_agents.environments import batched_py_environment, py_environment, suite_gym, utils
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

from infonodes.environments import guarded, probes

Bounded = array_spec.BoundedArraySpec
NAN = np.float32(np.nan)


class Scripted(py_environment.PyEnvironment):
    """Gives what it is told, by step number; a healthy time step where nothing is told."""

    def __init__(self, script):
        super().__init__(handle_auto_reset=True)
        self._script, self._at = script, 0

    def observation_spec(self):
        eye = Bounded([2], np.float32, -1, 1)
        return {"eye": (eye,), "ear": array_spec.ArraySpec([], np.int64)}

    def action_spec(self):
        return {"a": Bounded([], np.int32, 0, 2), "b": Bounded([2], np.float32, -1, 1)}

    def _healthy(self):
        return {"eye": (np.zeros(2, np.float32),), "ear": np.array(3)}

    def _reset(self):
        self._at = 0
        return ts.restart(self._healthy())

    def _step(self, action):
        self._at += 1
        told = self._script.get(self._at)
        if isinstance(told, Exception):
            raise told
        return told(self._healthy()) if told else ts.transition(self._healthy(), 0.0)


def change(**leaves):
    return lambda healthy: ts.transition({**healthy, **leaves}, 0.0)


def nan_reward(healthy):
    """Set afterwards: TF-Agents' own functions refuse a scalar NaN, unnamed."""
    return ts.transition(healthy, 0.0)._replace(reward=np.array(NAN))


ACTION = {"a": np.int32(1), "b": np.zeros(2, np.float32)}
EYE = np.zeros(2, np.float32)
LEAF = "observation/eye/0"


@pytest.mark.parametrize(
    "told,leaf,message",
    [
        (change(eye=(np.float32([0, NAN]),)), LEAF, r"finite numbers, got nan.* \[1\]"),
        (change(eye=(EYE + np.array([np.inf, 0], np.float32),)), LEAF, "got inf"),
        (change(eye=(EYE + 2,)), LEAF, r"in \[-1.0001, 1.0001\], got 2.0.*clip"),
        (change(eye=(EYE.astype(np.float64),)), LEAF, r"float32\[2\], got float64\[2\].*cast"),
        (change(eye=(np.zeros(3, np.float32),)), LEAF, r"float32\[2\], got float32\[3\]"),
        (change(eye=EYE), "observation", "structure.*got.*ndarray"),
        (nan_reward, "reward", "finite numbers, got nan"),
        (lambda h: ts.transition(h, 0.0, discount=1.5), "discount", r"in \[.*1.0001\], got 1.5"),
        (lambda h: (h, 0.0, False, {}), "time_step", "a ts.TimeStep, got tuple"),
        (ZeroDivisionError("no wheels"), "step", "no exception, got ZeroDivisionError: no wheels"),
    ],
)
def test_a_faulty_time_step_is_named(told, leaf, message):
    """Environment, episode, step, leaf, expected, got, fix; callbacks run first; reset works."""
    called = []

    def bad():
        called.append("bad")
        raise OSError("disk full")

    callbacks = [bad, lambda: called.append("good")]
    env = guarded.GuardedEnvironment(Scripted({3: told}), on_fault=callbacks)
    for _ in range(2):
        env.reset()
        env.step(ACTION)
        env.step(ACTION)
        with pytest.raises(guarded.EnvironmentFault, match=message) as caught:
            env.step(ACTION)
    fault = caught.value
    assert (fault.leaf, fault.step, fault.episode, fault.row) == (leaf, 2, 1, None)
    assert "'Scripted', episode 1, step 2" in str(fault)
    assert called == ["bad", "good"] * 2
    assert isinstance(fault.__cause__, ZeroDivisionError) == (leaf == "step")
    assert env.step(ACTION).is_first() and env.step(ACTION).is_mid()
    assert str(pickle.loads(pickle.dumps(fault))) == str(fault)


@pytest.mark.parametrize(
    "action,message",
    [
        ({**ACTION, "a": np.int32(3)}, r"'action/a' from the policy: .*\[0, 2\], got 3"),
        ({**ACTION, "a": np.int64(1)}, r"'action/a'.*int32\[\], got int64\[\]"),
        ({**ACTION, "b": np.array([0, np.nan], np.float32)}, "'action/b'.*finite"),
        ({**ACTION, "b": np.zeros([1, 2], np.float32)}, r"'action/b'.*got float32\[1, 2\]"),
        ({"a": np.int32(0)}, "'action'.*structure"),
    ],
)
def test_a_faulty_action_is_named_and_not_done(action, message):
    inner = Scripted({})
    env = guarded.GuardedEnvironment(inner)
    env.reset()
    with pytest.raises(guarded.EnvironmentFault, match=message):
        env.step(action)
    assert inner._at == 0
    assert env.reset().is_first()


def test_python_numbers_do_for_actions():
    env = guarded.GuardedEnvironment(Scripted({}))
    env.reset()
    assert env.step({**ACTION, "a": 2}).is_mid()


def test_bounds_of_observations_may_be_left_unchecked():
    """Not so finiteness."""
    nan = np.full(2, np.nan, np.float32)
    inner = Scripted({1: change(eye=(EYE + 9,)), 2: change(eye=(nan,))})
    env = guarded.GuardedEnvironment(inner, check_bounds=False)
    env.reset()
    env.step(ACTION)
    with pytest.raises(guarded.EnvironmentFault, match="finite"):
        env.step(ACTION)


def test_a_batch_names_the_row():
    inner = batched_py_environment.BatchedPyEnvironment(
        [Scripted({}), Scripted({1: nan_reward})]
    )
    env = guarded.GuardedEnvironment(inner, name="pair")
    assert env.batched and env.batch_size == 2
    env.reset()
    action = {"a": np.zeros(2, np.int32), "b": np.zeros([2, 2], np.float32)}
    with pytest.raises(guarded.EnvironmentFault, match="'pair'.*batch row 1.*'reward'") as caught:
        env.step(action)
    assert caught.value.row == 1
    assert env.reset().is_first().all()


def test_a_failing_reset_is_named():
    class NoStart(Scripted):
        def _reset(self):
            raise OSError("simulator gone")

    env = guarded.GuardedEnvironment(NoStart({}))
    with pytest.raises(guarded.EnvironmentFault, match="'NoStart'.*'reset'.*OSError: simulator"):
        env.reset()


@pytest.mark.parametrize(
    "name",
    ["CartPole-v1", "Pendulum-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Acrobot-v1"],
)
def test_gyms_classics_pass(name):
    """Their bounds hold at terminal steps too, with the random policy and with full throttle."""
    env = guarded.GuardedEnvironment(suite_gym.load(name))
    env.seed(0)
    rng = np.random.RandomState(0)
    spec = env.action_spec()
    env.reset()
    for i in range(1500):
        push = np.full(spec.shape, spec.maximum if i // 300 % 2 else spec.minimum, spec.dtype)
        env.step(push if i > 600 else array_spec.sample_spec_nest(spec, rng))
    assert env._name == name


@pytest.mark.parametrize("name", probes.NAMES)
def test_probes_pass(name):
    env = guarded.GuardedEnvironment(probes.load(name, seed=0))
    utils.validate_py_environment(env, episodes=3)
