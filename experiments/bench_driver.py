"""How fast are environments stepped? PackedDriver and TF-Agents' PyDriver, same policy, with Reverb.

  python -m experiments.bench_driver

Writes docs/results/driver.md. Figures in µs are of this run; on busy machines trust ratios.
"""
from __future__ import annotations

import os
from typing import Any, Callable, Optional

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
from absl import app, flags
from tf_agents.agents import tf_agent
from tf_agents.drivers import py_driver
from tf_agents.environments import batched_py_environment, suite_gym, wrappers
from tf_agents.policies import py_tf_eager_policy
from tf_agents.specs import tensor_spec

from experiments import command_line, ratios
from infonodes import presets
from infonodes.driver import PackedDriver
from infonodes.replay import CostPrioritizedReplay
from infonodes.types import Nest

flags.declare_key_flag("turns")
flags.declare_key_flag("processes")
_OUT = flags.DEFINE_string("out", os.path.join("docs", "results", "driver.md"), "The report.")

BATCH = 32
TICKS = {None: 300, BATCH: 60}


class _TakesTensors(wrappers.PyEnvironmentBaseWrapper):
    """For PyDriver: what TF-Agents' eager policy asks of a batch are tensors, which gym refuses."""

    def _step(self, action: Nest) -> Any:
        return self._env.step(tf.nest.map_structure(lambda a: a.numpy(), action))


def world(batch: Optional[int]) -> Any:
    """Returns CartPole, or a batch of it."""
    if batch is None:
        return suite_gym.load("CartPole-v1")
    worlds = [suite_gym.load("CartPole-v1") for _ in range(batch)]
    return batched_py_environment.BatchedPyEnvironment(worlds, multithreading=False)


def contestant(kind: str, agent: tf_agent.TFAgent, replay: CostPrioritizedReplay, batch: Optional[int]
               ) -> Callable[[], Any]:
    """Returns a call that makes `TICKS[batch]` moves of each row, written to Reverb."""
    env, steps = world(batch), TICKS[batch] * (batch or 1)
    if kind == "PackedDriver":
        observer = replay.observer(batch, write_every=64 if batch is None else 1)
        driver: Any = PackedDriver(env, agent.collect_policy, [observer], max_steps=steps)
        state = [env.reset(), ()]
    else:
        env = env if batch is None else _TakesTensors(env)
        policy = py_tf_eager_policy.PyTFEagerPolicy(agent.collect_policy, True, batch_time_steps=batch is None)
        driver = py_driver.PyDriver(env, policy, [replay.observer(batch)], max_steps=steps)
        state = [env.reset(), policy.get_initial_state(batch or 1)]

    def call() -> None:
        state[:] = driver.run(*state)

    return call


def measure() -> list[ratios.Ratio]:
    """Measures both drivers, alone and in a batch."""
    env = suite_gym.load("CartPole-v1")
    agent = presets.predictive(*map(tensor_spec.from_spec, (env.time_step_spec(), env.action_spec())))
    with CostPrioritizedReplay(agent.collect_data_spec, agent.train_sequence_length) as replay:
        found = ratios.in_turns({
            (kind, batch): contestant(kind, agent, replay, batch)
            for batch in TICKS for kind in ("PyDriver", "PackedDriver")
        }, 1)
    step_us = {key: 1e3 * ms / TICKS[key[1]] / (key[1] or 1) for key, ms in found.items()}

    def ratio(ours: Optional[int], theirs: Optional[int], bar: Optional[float]) -> ratios.Ratio:
        what = f"steps/s, PackedDriver at batch {ours or 1} / PyDriver at batch {theirs or 1}"
        times = {"PackedDriver": step_us["PackedDriver", ours], "PyDriver": step_us["PyDriver", theirs]}
        units = {f"{name} (µs a row)": us for name, us in times.items()}
        return ratios.Ratio(what, times["PyDriver"] / times["PackedDriver"], bar, True, units)

    return [ratio(None, None, 2.5), ratio(BATCH, None, 10.0), ratio(BATCH, BATCH, None)]


def main(argv: list) -> None:
    """Prints and writes the table; exits with 1 on a miss."""
    command_line.check(argv)
    title = ("# Drivers\n\n`python -m experiments.bench_driver`: CartPole-v1, `presets.predictive`, windows written to "
             "Reverb by both.")
    ratios.exit_with(title, measure, _OUT.value)


if __name__ == "__main__":
    app.run(main)
