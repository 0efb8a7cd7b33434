"""The parts of learning, each on a probe with a known optimum; several seeds, slow.

If one fails while CartPole still learns, the part named by the probe is broken and something
else makes up for it.
"""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.environments import tf_py_environment

from experiments import collecting, runner
from experiments.run_config import RunConfig
from infonodes import presets
from infonodes.environments import probes
from infonodes.replay import CostPrioritizedReplay

pytestmark = pytest.mark.slow


def final_returns(tmp_path, env: str, steps: int, seeds: int = 3, **settings) -> list[float]:
    """Trains the predictive preset and returns the last greedy evaluation of each seed."""
    found = []
    for seed in range(seeds):
        config = RunConfig(
            env=f"probe/{env}", steps=steps, eval_every=steps, eval_episodes=20, seed=seed,
            settings=settings, out=str(tmp_path / f"{env}{seed}"),
        )
        found.append(runner.train(config, progress=False).final_return)
    return found


def test_value_only():
    """One move an episode, paid 1: the normalised value is (1 - gamma) * 1, whatever is done."""
    env = probes.load("value_only", seed=0)
    specs = tf_py_environment.TFPyEnvironment(env)
    agent = presets.predictive(specs.time_step_spec(), specs.action_spec())
    agent.initialize()
    with CostPrioritizedReplay(agent.collect_data_spec, agent.train_sequence_length) as replay:
        collector = collecting.Collector(env, replay.observer())
        collector.use(collecting.random_policy(agent))
        for _ in range(200):
            collector.step()
        collector.flush()
        updater = collecting.Updater(agent, replay, 64)
        for _ in range(1000):
            updater.step()
    start = tf.constant(env.reset().observation)[None]
    z = agent.graph["pred"].f_abs(agent.graph["obs"].encode(start), slow=True)
    node = agent.graph["value"]
    np.testing.assert_allclose(node.value(z, slow=True), 1 - node.settings.gamma, atol=0.01)


def test_one_action_matters_at_once(tmp_path):
    """The right action for each of two cues is paid 1, the wrong one less: all seeds find both."""
    assert min(final_returns(tmp_path, "one_action", 2000)) > 0.99


def test_delayed_credit(tmp_path):
    """What was done first is paid five moves later: credit goes back through the value."""
    assert min(final_returns(tmp_path, "delayed_credit", 4000)) > 0.9


def test_quitting_is_no_way_out_of_cost(tmp_path):
    """With intrinsic reward, ending is an absorbing state that costs more than living: it stays.

    Valued by the environment's reward alone, where ending ends all cost, it quits at once:
    what makes it stay is the absorbing state.
    """
    stays = final_returns(tmp_path / "stays", "quitting", 2500, reward={"signal": "intrinsic"})
    assert max(stays) <= -45.0  # -50 is every tick of the episode.
    quits = final_returns(tmp_path / "quits", "quitting", 2500, reward={"signal": "reward"})
    assert min(quits) >= -3.0
