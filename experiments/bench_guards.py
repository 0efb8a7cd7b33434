"""What do the guards of a step cost, next to a train step?

  python -m experiments.bench_guards

The guards are `GuardedEnvironment` around an environment and the check of each frame by the replay. They are
timed against one update of the predictive agent on 64 windows; rounds alternate, medians are compared. Bar: 5 %.
"""
from __future__ import annotations

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from absl import app, flags
from tf_agents.environments import suite_gym
from tf_agents.specs import tensor_spec

from experiments import command_line, settings
from experiments.collecting import Collector
from infonodes.environments import guarded
from infonodes.replay import LocalReplay
from infonodes.replay.frames import FrameCheck

_ROUNDS = flags.DEFINE_integer("rounds", 25, "Interleaved rounds.")
_STEPS = flags.DEFINE_integer("steps", 20, "Steps a round.")
_BAR = 0.05


def seconds_a_call(call, times: int) -> float:
    """Returns the mean over `times` calls."""
    began = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - began) / times


def main(argv: list) -> None:
    """Prints the medians."""
    command_line.check(argv)
    bare, inner = suite_gym.load("CartPole-v1"), suite_gym.load("CartPole-v1")
    env = guarded.GuardedEnvironment(inner)
    specs = tensor_spec.from_spec((env.time_step_spec(), env.action_spec()))
    agent = settings.build_agent("predictive", {}, *specs, 0)
    replay = LocalReplay(agent.collect_data_spec, agent.train_sequence_length)
    collector = Collector(env, replay.observer())
    collector.use(agent.collect_policy)
    for _ in range(200):
        collector.step()
    batch, _ = replay.sample(64)
    learned_from = tf.nest.map_structure(tf.constant, batch)
    train = tf.function(lambda: agent.train(learned_from).loss, autograph=False)
    train()
    check, frame = FrameCheck(agent.collect_data_spec), tf.nest.map_structure(lambda leaf: leaf[0, 0], batch)
    frame = frame._replace(policy_info={k: v for k, v in frame.policy_info.items() if k in ("cost", "packed")})
    frame = tf.nest.map_structure(np.asarray, frame)
    action = np.array(0, np.int64)
    calls = {
        "train": train, "bare": lambda: bare.step(action), "guarded": lambda: env.step(action),
        "check": lambda: check.wire.is_finite(check.encode(frame)),
    }
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(_ROUNDS.value):
        for name, call in calls.items():
            found[name].append(seconds_a_call(call, _STEPS.value))
    median = {name: float(np.median(values)) for name, values in found.items()}
    cost = median["guarded"] - median["bare"] + median["check"]
    share = cost / median["train"]
    for name, value in median.items():
        print(f"{name:8s}{1e6 * value:9.1f} us")
    print(f"guards  {1e6 * cost:9.1f} us, {100 * share:.1f} % of a train step (bar {100 * _BAR:g} %)")
    raise SystemExit(int(share > _BAR))


if __name__ == "__main__":
    app.run(main)
