"""Bad inputs, through the guard, the driver and the replay: each is refused by its path, and nothing is stored."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.environments import wrappers
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import trajectory

from infonodes import presets
from infonodes.driver import PackedDriver
from infonodes.environments.guarded import EnvironmentFault, GuardedEnvironment
from infonodes.replay import CostPrioritizedReplay, ReplayFault
from infonodes.testing.fakes import FakeEnvironment


class Spoilt(wrappers.PyEnvironmentBaseWrapper):
    """Changes the time step of the second move."""

    change = staticmethod(lambda step: step)
    _moves = 0

    def _step(self, action):
        self._moves += 1
        step = self._env.step(action)
        return self.change(step) if self._moves == 2 else step


@pytest.fixture(scope="module", name="agent")
def _agent():
    tf.keras.utils.set_random_seed(0)
    env = FakeEnvironment.continuous()
    return presets.predictive(tensor_spec.from_spec(env.time_step_spec()), tensor_spec.from_spec(env.action_spec()))


@pytest.fixture(scope="module", name="replay")
def _replay(agent):
    with CostPrioritizedReplay(agent.collect_data_spec, 4) as replay:
        yield replay


def seen(change):
    return lambda step: step._replace(observation=change(step.observation))


def nodes(change):
    return lambda state: {**state, "nodes": {"float32": change(state["nodes"]["float32"])}}


@pytest.mark.parametrize("change, path, told", [
    (seen(lambda o: o.astype(np.float64)), "observation", "expected float32"),
    (seen(lambda o: o[:2]), "observation", r"expected float32\[3\], got float32\[2\]"),
    (seen(lambda o: o + np.float32(100.0)), "observation", r"expected a value in \[-8"),
    (seen(lambda o: o * np.float32(np.nan)), "observation", "expected finite numbers"),
    (seen(lambda o: o * np.float32(np.inf)), "observation", "expected finite numbers"),
    (seen(lambda o: {"eye": o}), "observation", "expected"),
    (lambda step: step._replace(reward=np.asarray(np.nan, np.float32)), "reward", "expected finite numbers"),
], ids=["dtype", "shape", "bounds", "nan", "inf", "structure", "reward"])
def test_from_the_environment(agent, replay, change, path, told):
    spoilt = Spoilt(FakeEnvironment.continuous())
    spoilt.change = change
    observer = replay.observer()
    env = GuardedEnvironment(spoilt, name="actor-3", on_fault=[observer.discard])
    driver = PackedDriver(env, agent.collect_policy, [observer], max_steps=20)
    with pytest.raises(EnvironmentFault, match=told) as caught:
        driver.run(env.reset())
    assert caught.value.leaf == path and caught.value.step == 1 and "actor-3" in str(caught.value)
    driver.flush()
    assert replay.size == 0


@pytest.mark.parametrize("change, told", [
    (lambda s: {"nodes": s["nodes"]}, r"policy state: expected \['nodes/float32', 'rng'\], got \['nodes/float32'\]"),
    (nodes(lambda x: x[:, 1:]), r"policy state/nodes/float32: expected float32\["),
    (nodes(lambda x: tf.pad(x, [[0, 0], [0, 3]])), "of the same graph"),
    (nodes(lambda x: x * np.nan), "policy state/nodes/float32: expected finite"),
], ids=["missing_leaf", "missing_node", "extra_node", "nan_state"])
def test_from_the_policy_state(agent, replay, change, told):
    env, observer = FakeEnvironment.continuous(), replay.observer()
    driver = PackedDriver(env, agent.collect_policy, [observer], max_steps=20)
    with pytest.raises(ValueError, match=told):
        driver.run(env.reset(), change(agent.collect_policy.get_initial_state(1)))
    driver.flush()
    assert replay.size == 0


@pytest.mark.parametrize("asked, told", [(5.0, "expected a value in"), (np.nan, "expected finite numbers")])
def test_from_the_action(replay, asked, told):
    observer = replay.observer()
    env = GuardedEnvironment(FakeEnvironment.continuous(), on_fault=[observer.discard])
    env.reset()
    with pytest.raises(EnvironmentFault, match=told) as caught:
        env.step(np.array([asked], np.float32))
    assert caught.value.leaf == "action"
    assert replay.size == 0


def test_into_the_replay(agent, replay):
    """What no guard saw, the replay refuses: a node's record that is not finite is told with its path."""
    env, observer, frames = FakeEnvironment.continuous(), replay.observer(), []
    PackedDriver(env, agent.collect_policy, [frames.append], max_steps=3).run(env.reset())
    for frame in frames[:2]:
        observer(frame)
    info = frames[2].policy_info
    info = {**info, "packed": {"float32": info["packed"]["float32"] * np.float32(np.nan)}}
    with pytest.raises(ReplayFault, match="policy_info/packed/float32"):
        observer(trajectory.Trajectory(**{**frames[2]._asdict(), "policy_info": info}))
    observer.flush()
    assert replay.size == 0
