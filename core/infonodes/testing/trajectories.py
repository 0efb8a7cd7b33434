"""Trajectories to train on, made by acting."""
from __future__ import annotations

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.environments import batched_py_environment, tf_py_environment
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import trajectory as trajectory_lib

from infonodes.testing.fakes import FakeEnvironment


def trajectory_of(
    agent: tf_agent.TFAgent,
    batch: int = 4,
    time: int = 6,
    seed: int = 0,
    episode_length: int = 4,
    terminates: bool = True,
) -> trajectory_lib.Trajectory:
    """Returns `[batch, time, ...]` frames of the agent's collect policy in fake environments.

    Other than samples of the spec it is what the agent could meet: recorded states belong
    to the observations, episodes start and end, boundary frames included, and nothing is
    huge. Every other row's episodes are a move longer.

    Args:
      agent: Whose collect policy acts.
      batch: Rows.
      time: Frames.
      seed: Fixes environments and policy (by `tf.random.set_seed`).
      episode_length: Moves in an episode.
      terminates: End episodes truly rather than cut them off.
    """
    tf.random.set_seed(seed)
    policy = agent.collect_policy
    to_arrays = tensor_spec.to_nest_array_spec
    rows = [
        FakeEnvironment(
            to_arrays(policy.time_step_spec.observation),
            to_arrays(policy.action_spec),
            episode_length + b % 2,
            terminates,
            seed=1000 * seed + b,
        )
        for b in range(batch)
    ]
    batched = batched_py_environment.BatchedPyEnvironment(rows, multithreading=False)
    env = tf_py_environment.TFPyEnvironment(batched, isolation=False)
    time_step, state, frames = env.reset(), policy.get_initial_state(batch), []
    for _ in range(time):
        step = policy.action(time_step, state)
        following = env.step(step.action)
        frames.append(trajectory_lib.from_transition(time_step, step, following))
        time_step, state = following, step.state
    return tf.nest.map_structure(lambda *x: tf.stack(x, axis=1), *frames)
