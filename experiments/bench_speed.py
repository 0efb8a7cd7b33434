"""How fast? Ratios against TF-Agents' DqnAgent, measured in turns, in several processes.

  python -m experiments.bench_speed

Writes docs/results/speed.md. Figures in ms are of this run; on busy machines trust ratios.
"""
from __future__ import annotations

import os
from typing import Any, Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
from absl import app, flags
from tf_agents.agents import tf_agent
from tf_agents.drivers import dynamic_step_driver, py_driver
from tf_agents.environments import suite_gym, tf_py_environment
from tf_agents.policies import py_tf_eager_policy
from tf_agents.specs import tensor_spec
from tf_agents.utils import common

from experiments import command_line, ratios
from experiments.baselines import UniformReplay
from infonodes import presets
from infonodes.agent import InfoNodeAgent
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.pred_node import PredNode
from infonodes.info_nodes.reward_node import RewardNode
from infonodes.replay import CostPrioritizedReplay
from infonodes.testing import fakes

flags.declare_key_flag("turns")
flags.declare_key_flag("processes")
_OUT = flags.DEFINE_string("out", os.path.join("docs", "results", "speed.md"), "The report.")

BATCH = 64


def stock(specs: tuple) -> tf_agent.TFAgent:
    """Returns the peer: DqnAgent with a (100, 50) network."""
    agent = presets.dqn()(*specs, tf.Variable(0, dtype=tf.int64))
    agent.initialize()
    return agent


def wide(specs: tuple, preds: int) -> InfoNodeAgent:
    """Returns an agent with `preds` PredNodes, the first of them controlled by a RewardNode."""
    sensors, actuators = gym.sensors(specs[0].observation), gym.actuators(specs[1])
    nodes = [*sensors, *actuators, gym.RewardSensor("reward"), PredNode("pred0", ("obs", "act"), ("act",))]
    nodes += [PredNode(f"pred{i}", (f"pred{i - 1}",)) for i in range(1, preds)]
    return InfoNodeAgent(*specs, [*nodes, RewardNode("value", "reward", "pred0")], train_sequence_length=6)


def collecting(agent: tf_agent.TFAgent, replay: Any, steps: int) -> Callable[[], Any]:
    """Returns a call that makes `steps` steps in a stock PyDriver, written to Reverb."""
    env = suite_gym.load("CartPole-v1")
    policy = py_tf_eager_policy.PyTFEagerPolicy(agent.collect_policy, use_tf_function=True)
    driver = py_driver.PyDriver(env, policy, [replay.observer()], max_steps=steps)
    state = [env.reset(), policy.get_initial_state(1)]

    def call() -> None:
        state[:] = driver.run(*state)

    return call


def training(agent: tf_agent.TFAgent, length: int) -> Callable[[], Any]:
    """Returns a call of `train`, in a tf.function, on one batch."""
    data = tensor_spec.sample_spec_nest(agent.collect_data_spec, outer_dims=(BATCH, length))
    ones = tf.ones([BATCH, length])
    data = data._replace(
        observation=tf.random.normal([BATCH, length, 4]), reward=ones, discount=ones,
        step_type=tf.ones([BATCH, length], tf.int32), next_step_type=tf.ones([BATCH, length], tf.int32),
    )
    train = common.function(agent.train)
    return lambda: train(data)


def in_graph(specs: tuple, batch: int, ticks: int) -> Callable[[], Any]:
    """Returns a call of DynamicStepDriver over an environment made of TensorFlow operations."""
    agent = presets.predictive(*specs)
    env = fakes.random_tf_environment(specs[0].observation, specs[1], batch)
    driver = dynamic_step_driver.DynamicStepDriver(env, agent.collect_policy, [], num_steps=ticks * batch)
    run = common.function(driver.run)
    return lambda: run()


def measure() -> list[ratios.Ratio]:
    """Measures everything."""
    env = tf_py_environment.TFPyEnvironment(suite_gym.load("CartPole-v1"))
    specs = (env.time_step_spec(), env.action_spec())
    ours, peer = presets.predictive(*specs), stock(specs)
    rows = []

    def add(what: str, ratio: float, bar: float, at_least: bool, found: dict[str, float]) -> None:
        rows.append(ratios.Ratio(what, ratio, bar, at_least, {f"{name} (ms)": ms for name, ms in found.items()}))

    with CostPrioritizedReplay(ours.collect_data_spec, ours.train_sequence_length) as replay:
        uniform = UniformReplay(peer.collect_data_spec, 2, 100_000)
        found = ratios.in_turns({"ours": collecting(ours, replay, 200), "dqn": collecting(peer, uniform, 200)}, 1)
        add("env steps/s in PyDriver with Reverb, predictive / DqnAgent", found["dqn"] / found["ours"], 0.75, True,
            {k: v / 200 for k, v in found.items()})
        uniform.close()
    found = ratios.in_turns({"ours": training(ours, ours.train_sequence_length), "dqn": training(peer, 2)}, 100)
    add(f"train step at batch {BATCH}, predictive / DqnAgent", found["ours"] / found["dqn"], 1.5, False, found)

    graphs = {f"{n + 4} nodes": wide(specs, n) for n in (1, 26)}
    steps = {}
    for name, agent in graphs.items():
        policy = py_tf_eager_policy.PyTFEagerPolicy(agent.collect_policy, use_tf_function=True)
        start, state = env.pyenv.envs[0].reset(), policy.get_initial_state(1)
        steps[name] = lambda p=policy, t=start, s=state: p.action(t, s)
    found = ratios.in_turns(steps, 100)
    ratio = found["30 nodes"] / found["5 nodes"]
    add("action at the Python boundary, 30-node / 5-node graph", ratio, 1.5, False, found)

    ticks = 500
    found = ratios.in_turns({f"B={b}": in_graph(specs, b, ticks) for b in (1, 32)}, 1)
    add("DynamicStepDriver in graph, steps/s at batch 32 / batch 1", 32 * found["B=1"] / found["B=32"], 20.0, True,
        {k: v / ticks for k, v in found.items()})

    start, state = env.reset(), ours.collect_policy.get_initial_state(1)
    found = ratios.in_turns({"eager": lambda: ours.collect_policy.action(start, state)}, 50)
    add("eager action, ms", found["eager"], 15.0, False, found)
    return rows


def main(argv: list) -> None:
    """Prints and writes the table; exits with 1 on a miss."""
    command_line.check(argv)
    title = "# Speed\n\n`python -m experiments.bench_speed`: CartPole-v1."
    ratios.exit_with(title, measure, _OUT.value)


if __name__ == "__main__":
    app.run(main)
