"""Does the learned inverse reach what it is asked for? PredNode on the point-mass probe.

  python -m experiments.inverse_goal --seeds=5

A node above the PredNode asks for one latent only: that of the present observation with the
goal in the place of the position. Nothing rewards coming near: experience is random, and
`f_act` learns from it in hindsight alone.
"""
from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from absl import app, flags
from tf_agents.environments import tf_py_environment
from tf_agents.policies import py_tf_eager_policy

from experiments import command_line, results, sweep_flags
from experiments.collecting import Collector, Updater, random_policy
from infonodes.agent import InfoNodeAgent
from infonodes.environments import probes
from infonodes.info_nodes.info_node import InfoNode
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.pred_node import PredNode, PredSettings
from infonodes.replay import CostPrioritizedReplay
from infonodes.types import Target

_FORM = flags.DEFINE_enum("f_act", "inverse", ("inverse", "search", "gradient"), "Form of f_act.")
sweep_flags.adopt("seeds", "steps")
BAR, EPISODES, WINDOW, STEPS = 0.10, 60, 6, 10_000


class GoalNode(InfoNode):
    """Asks `pred` for the latent of the observation it would have at the goal."""

    def __init__(self):
        super().__init__("goal", ("obs", "pred"), control_names=("pred",))

    def _top_down(self, targets, parent_states, state, tick):
        position, goal = tf.split(parent_states["obs"]["value"], 2, axis=-1)
        there = tf.concat([goal, goal], axis=-1)
        pred = self.peer("pred")
        wish = pred.f_abs(there, slow=pred.slow_in(tick))
        return {"pred": Target(wish, tf.ones(tf.shape(position)[:1], tf.bool))}, state


def build(seed: int) -> tuple[InfoNodeAgent, probes.Probe]:
    """Returns the agent and its environment."""
    tf.keras.utils.set_random_seed(seed)
    env = probes.load("point_mass", seed=seed)
    specs = tf_py_environment.TFPyEnvironment(env)
    settings = PredSettings(f_act=_FORM.value, unroll=5)
    nodes = [
        *gym.sensors(specs.observation_spec()),
        *gym.actuators(specs.action_spec()),
        PredNode("pred", ("obs", "act"), ("act",), settings=settings),
        GoalNode(),
    ]
    optimizer = tf.keras.optimizers.legacy.Adam(1e-3)
    agent = InfoNodeAgent(
        specs.time_step_spec(), specs.action_spec(), nodes, optimizer, train_sequence_length=WINDOW, seed=seed
    )
    agent.initialize()
    return agent, env


def final_distance(agent: InfoNodeAgent, seed: int) -> float:
    """Returns the median distance from the goal after an episode of the greedy policy."""
    env = probes.load("point_mass", seed=10_000 + seed)
    policy = py_tf_eager_policy.PyTFEagerPolicy(agent.policy, use_tf_function=True)
    found = []
    for _ in range(EPISODES):
        time_step, state = env.reset(), policy.get_initial_state(1)
        while not time_step.is_last():
            step = policy.action(time_step, state)
            time_step, state = env.step(step.action), step.state
        position, goal = np.split(time_step.observation, 2)
        found.append(float(np.linalg.norm(position - goal)))
    return float(np.median(found))


def run(seed: int, steps: int) -> tuple[float, float]:
    """Returns the median final distance before and after training on `steps` random moves."""
    agent, env = build(seed)
    before = final_distance(agent, seed)
    with CostPrioritizedReplay(agent.collect_data_spec, WINDOW) as replay:
        collector = Collector(env, replay.observer())
        collector.use(random_policy(agent))
        updater = None
        for step in range(steps):
            collector.step()
            if step == 500:
                collector.flush()
                replay.wait_for(1, timeout_s=30.0)
                updater = Updater(agent, replay, 64)
            if updater is not None:
                updater.step()
    return before, final_distance(agent, seed)


def main(argv: list) -> None:
    """Prints and writes the table; exits with 1 on a miss."""
    command_line.check(argv)
    seeds = range(sweep_flags.SEEDS.value or 5)
    rows = [(seed, *run(seed, sweep_flags.STEPS.value or STEPS)) for seed in seeds]
    middle = results.iqm(np.array([after for *_, after in rows]))
    verdict = f"{'pass' if middle <= BAR else 'MISS'}: interquartile mean {middle:.3f} (bar {BAR:g})"
    lines = [f"# point mass, f_act={_FORM.value}\n", "| seed | untrained | trained |", "| --- | --- | --- |"]
    lines += [f"| {s} | {b:.3f} | {a:.3f} |" for s, b, a in rows]
    text = "\n".join([*lines, "", verdict, ""])
    folder = os.path.join("docs", "results", "point_mass")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, f"{_FORM.value}.md"), "w", encoding="utf-8") as file:
        file.write(text)
    print(text)
    if middle > BAR:
        raise SystemExit(1)


if __name__ == "__main__":
    app.run(main)
