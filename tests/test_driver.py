"""PackedDriver and PackedPyPolicy do what TF-Agents' do, and what those do not."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.drivers import py_driver
from tf_agents.environments import batched_py_environment, wrappers
from tf_agents.metrics import py_metrics
from tf_agents.policies import py_tf_eager_policy, random_tf_policy
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from infonodes import presets
from infonodes.driver import PackedDriver
from infonodes.modes import Modes
from infonodes.py_policy import PackedPyPolicy
from infonodes.replay import CostPrioritizedReplay, ReplayFault
from infonodes.testing.fakes import FakeEnvironment
from tests.straddling import assert_none_straddles

LENGTH = 10


def environment(batch=None, seed=0, **kwargs):
    """Ten moves an episode; of a batch, the rows end at different ticks."""
    if batch is None:
        return FakeEnvironment(seed=seed, episode_length=LENGTH, **kwargs)
    rows = [FakeEnvironment(seed=seed + i, episode_length=LENGTH + i, **kwargs) for i in range(batch)]
    return batched_py_environment.BatchedPyEnvironment(rows, multithreading=False)


@pytest.fixture(scope="module", name="agent")
def _agent():
    tf.keras.utils.set_random_seed(0)
    env = environment()
    return presets.predictive(tensor_spec.from_spec(env.time_step_spec()), tensor_spec.from_spec(env.action_spec()))


class Frames(list):
    """An observer that keeps what it sees."""

    def __call__(self, frame):
        self.append(tf.nest.map_structure(np.array, frame))


class Failing(wrappers.PyEnvironmentBaseWrapper):
    """Raises at given moves, counted since the beginning."""

    def __init__(self, env, at):
        super().__init__(env)
        self._at, self._moves = set(at), 0

    def _step(self, action):
        self._moves += 1
        if self._moves in self._at:
            self._current_time_step = None
            raise RuntimeError("the cable is loose")
        return self._env.step(action)


def assert_alike(one, other):
    for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other)):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_the_frames_of_a_py_driver(agent):
    """Over the first episode; after it PyDriver draws a fresh generator."""
    seen = {}
    state = agent.collect_policy.get_initial_state(1)
    stock = py_tf_eager_policy.PyTFEagerPolicy(agent.collect_policy, use_tf_function=True)
    for make, policy in ((py_driver.PyDriver, stock), (PackedDriver, agent.collect_policy)):
        env, frames = environment(), Frames()
        make(env, policy, [frames], max_steps=LENGTH).run(env.reset(), state)
        seen[make] = frames
    assert len(seen[PackedDriver]) == LENGTH == len(seen[py_driver.PyDriver])
    for one, other in zip(*seen.values()):
        tf.nest.assert_same_structure(one, other)
        assert_alike(one, other)


@pytest.mark.parametrize("limit", [
    {"max_steps": 25}, {"max_episodes": 2}, {"max_episodes": 2, "end_episode_on_boundary": False},
])
@pytest.mark.parametrize("batch", [None, 3])
def test_it_ends_where_py_driver_does(agent, limit, batch):
    ends = []
    for make in (py_driver.PyDriver, PackedDriver):
        env, frames, transitions, infos = environment(batch), Frames(), [], []
        env.get_info = lambda: "of the last step"
        policy = agent.make_policy(Modes(collect="random"))
        if make is py_driver.PyDriver:
            policy = PackedPyPolicy(policy, batch_time_steps=batch is None)
        driver = make(env, policy, [frames], [transitions.append], [infos.append], **limit)
        time_step, _ = driver.run(env.reset(), ())
        assert len(frames) == len(transitions) == len(infos)
        before, chosen, after = transitions[-1]
        assert_alike(after, time_step)
        assert_alike(frames[-1].observation, before.observation)
        assert chosen.state != ()
        ends.append((len(frames), np.asarray(time_step.step_type).tolist()))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("batch", [None, 3])
def test_rows_are_reset_where_they_begin(agent, batch):
    env, frames = environment(batch), Frames()
    PackedDriver(env, agent.collect_policy, [frames], max_steps=40 * (batch or 1)).run(env.reset())
    unpack, seen_first = agent.collect_policy.unpack_info, 0
    fresh = tf.nest.flatten(agent.graph.initial_state(1))
    for frame in frames:
        info = tf.nest.map_structure(tf.constant, frame.policy_info)
        first = np.atleast_1d(frame.step_type) == ts.StepType.FIRST
        seen_first += first.sum()
        for leaf, start in zip(tf.nest.flatten(unpack(info)["state"]), fresh):
            rows = np.asarray(leaf)[None] if batch is None else np.asarray(leaf)
            assert all(np.array_equal(row, start[0]) for row in rows[first])
    assert seen_first >= 3 * (batch or 1)


def test_one_trace_a_batch_size(agent):
    traced = []

    class Policy(random_tf_policy.RandomTFPolicy):
        def _action(self, time_step, policy_state, seed):
            traced.append(time_step.discount.shape[0])
            return super()._action(time_step, policy_state, seed)

    policy = PackedPyPolicy(Policy(agent.time_step_spec, agent.action_spec), batch_time_steps=False)
    for batch in (2, 3, 2, 3):
        env = environment(batch)
        PackedDriver(env, policy, [], max_steps=10 * batch).run(env.reset())
    assert traced == [2, 3]


def test_it_acts_by_the_new_weights(agent):
    """The trace reads variables: a policy changes with its agent."""
    env = environment()
    policy = PackedPyPolicy(agent.policy)
    step, state = env.reset(), agent.policy.get_initial_state(1)
    seen = lambda: policy.action(step, state).state["nodes"]["float32"].numpy()
    before = seen()
    kept = [v.numpy() for v in agent.policy.trainable_variables]
    for variable in agent.policy.trainable_variables:
        variable.assign_add(tf.random.stateless_normal(variable.shape, [1, 2]))
    after = seen()
    for variable, value in zip(agent.policy.trainable_variables, kept):
        variable.assign(value)
    assert not np.allclose(before, after)
    np.testing.assert_array_equal(before, seen())


@pytest.mark.parametrize("batch", [None, 3])
@pytest.mark.parametrize("write_every", [1, 7])
def test_it_writes_what_py_driver_writes(agent, batch, write_every):
    """As many windows, at the end of a run and after a flush; a closed one goes on."""
    with CostPrioritizedReplay(agent.collect_data_spec, 4) as replay:
        observer, frames = replay.observer(batch, write_every=write_every), Frames()
        env = environment(batch)
        with PackedDriver(env, agent.collect_policy, [observer, frames], max_steps=30 * (batch or 1)) as driver:
            step, state = driver.run(env.reset())
            driver.flush(timeout_s=10.0)
            full = observer.written
            assert replay.size == full > 0
            with CostPrioritizedReplay(agent.collect_data_spec, 4) as other:
                plain = other.observer(batch)
                for frame in frames:
                    plain(frame)
                plain.flush()
                assert other.size == full
        driver.run(step, state)
        driver.close()
        assert replay.size == observer.written > full


def test_a_held_frame_that_is_not_finite_is_refused_at_once(agent):
    with CostPrioritizedReplay(agent.collect_data_spec, 4) as replay:
        observer, frames, env = replay.observer(write_every=100), Frames(), environment()
        PackedDriver(env, agent.collect_policy, [frames], max_steps=8).run(env.reset())
        for frame in frames[:6]:
            observer(frame)
        assert observer.written == 0
        bad = frames[6]._replace(observation=np.full(4, np.nan, np.float32))
        with pytest.raises(ReplayFault, match="observation: expected finite values"):
            observer(bad)
        observer.flush()
        assert replay.size == 3  # The windows of the six frames before.
    with pytest.raises(ReplayFault, match="write_every: expected 1 or more"):
        with CostPrioritizedReplay(agent.collect_data_spec, 4) as replay:
            replay.observer(write_every=0)


def test_no_window_straddles_a_failure(agent):
    """With PyDriver's handling one would: here both the raised and the survived ones are cut."""
    with CostPrioritizedReplay(agent.collect_data_spec, 3) as replay:
        observer = replay.observer()
        env = Failing(environment(), at=[5, 6, 17])
        driver = PackedDriver(env, agent.collect_policy, [observer], max_steps=30, max_faults_in_a_row=2)
        driver.run(env.reset())
        assert driver.faults == 3
        env = Failing(environment(), at=[4])
        strict = PackedDriver(env, agent.collect_policy, [observer], max_steps=30)
        with pytest.raises(RuntimeError, match="the cable is loose"):
            strict.run(env.reset())
        strict.run(env.reset())
        strict.flush()
        batch, _ = next(iter(replay.dataset(256)))
        assert_none_straddles(batch)


class Stock(Frames):
    """Has the methods of TF-Agents' Reverb observers."""

    flushed = 0

    def flush(self):
        self.flushed += 1

    def reset(self, write_cached_steps=True):
        assert not write_cached_steps
        self.clear()


def test_observers_of_tf_agents_are_flushed_and_their_open_episodes_dropped(agent):
    env, stock, metric = Failing(environment(), at=[5]), Stock(), py_metrics.EnvironmentSteps()
    driver = PackedDriver(env, agent.collect_policy, [stock, metric], max_steps=8, max_faults_in_a_row=1)
    driver.run(env.reset())
    driver.flush()
    assert stock.flushed == 1
    assert len(stock) == 4 and metric.result() == 8  # Of eight frames the four before the fault are gone.


def test_it_gives_up_after_as_many_failures_as_it_may(agent):
    env = Failing(environment(), at=[2, 3, 4])
    driver = PackedDriver(env, agent.collect_policy, [], max_steps=30, max_faults_in_a_row=2)
    with pytest.raises(RuntimeError, match="the cable is loose"):
        driver.run(env.reset())
    assert driver.faults == 2


def test_what_does_not_fit(agent):
    env = environment()
    with pytest.raises(ValueError, match="max_steps or max_episodes"):
        PackedDriver(env, agent.collect_policy, [])
    with pytest.raises(TypeError, match="expected a TFPolicy, got PyTFEagerPolicy"):
        PackedDriver(env, py_tf_eager_policy.PyTFEagerPolicy(agent.policy), [], max_steps=1)
    policy, step = PackedPyPolicy(agent.policy), env.reset()
    with pytest.raises(ValueError, match=r"time step: observation: expected shape \(4,\), got \(5,\)"):
        policy.action(step._replace(observation=np.zeros(5, np.float32)))
    with pytest.raises(ValueError, match="seed: expected None"):
        policy.action(step, seed=3)
