"""Four actors whose environments crash and stall: all live on, and no window straddles a crash."""
from __future__ import annotations

import concurrent.futures
import time

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.environments import suite_gym, wrappers
from tf_agents.specs import tensor_spec

from experiments import settings
from experiments.evaluation import Evaluator
from infonodes.driver import PackedDriver
from infonodes.replay import CostPrioritizedReplay
from tests.straddling import assert_none_straddles

ITERATIONS, ACTORS, STEPS = 5, 4, 400


class Crashing(wrappers.PyEnvironmentBaseWrapper):
    """CartPole that raises, or takes its time, at random moves."""

    def __init__(self, seed, p_crash, p_stall=0.0, stall_s=0.0):
        env = suite_gym.load("CartPole-v1")
        env.seed(seed)
        super().__init__(env)
        self._rng, self._p_crash, self._p_stall, self._stall_s = np.random.default_rng(seed), p_crash, p_stall, stall_s

    def _step(self, action):
        if self._rng.random() < self._p_stall:
            time.sleep(self._stall_s)
        if self._rng.random() < self._p_crash:
            self._current_time_step = None
            raise RuntimeError("segmentation fault of the simulator")
        return self._env.step(action)


def build(env, preset):
    tf.keras.utils.set_random_seed(0)
    return settings.build_agent(preset, {}, *tensor_spec.from_spec((env.time_step_spec(), env.action_spec())), 0)


def test_four_actors_live_on():
    """p_crash is ten times RLlib's 0.001, so that each actor crashes, and nearly surely in each iteration."""
    agent = build(suite_gym.load("CartPole-v1"), "predictive")
    with CostPrioritizedReplay(agent.collect_data_spec, agent.train_sequence_length) as replay:
        envs = [Crashing(seed, 0.01, 0.005, 0.05) for seed in range(ACTORS)]
        drivers = [
            PackedDriver(env, agent.collect_policy, [replay.observer()], max_steps=STEPS, max_faults_in_a_row=3)
            for env in envs
        ]
        at = [(env.reset(), ()) for env in envs]
        with concurrent.futures.ThreadPoolExecutor(ACTORS) as pool:
            for _ in range(ITERATIONS):
                at = list(pool.map(lambda d, where: d.run(*where), drivers, at, timeout=120))
        for driver in drivers:
            driver.flush()
            assert driver.faults > 0
        assert replay.size == sum(d.observers[0].written for d in drivers) > ACTORS * ITERATIONS * STEPS / 2
        for batch, _ in replay.dataset(500).take(4):
            assert_none_straddles(batch)


@pytest.mark.slow
def test_it_learns_all_the_same():
    """RLlib's figures: p_crash 1e-4, a return of 450 on CartPole."""
    env = Crashing(1, 1e-3)
    agent = build(env, "reactive")
    best = 0.0
    with CostPrioritizedReplay(agent.collect_data_spec, agent.train_sequence_length) as replay:
        driver = PackedDriver(env, agent.collect_policy, [replay.observer()], max_steps=1, max_faults_in_a_row=3)
        evaluator = Evaluator(agent.policy, lambda: suite_gym.load("CartPole-v1"), 10, 10_000)
        train = tf.function(agent.train, autograph=False)
        time_step, state, batches = env.reset(), (), None
        for step in range(20_000):
            time_step, state = driver.run(time_step, state)
            if step == 1000:
                driver.flush()
                batches = iter(replay.dataset(64))
            if batches is not None:
                experience, info = next(batches)
                replay.update_priorities(info, train(experience).extra["cost"])
            if step % 2000 == 1999:
                best = max(best, evaluator.run(step).mean)
                if best >= 450.0:
                    break
    assert driver.faults > 0
    assert best >= 450.0
