"""How a replay's priorities change with age, in a replay that is filled and drawn from anew."""
from __future__ import annotations

from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf
from tf_agents.environments import py_environment
from tf_agents.specs import tensor_spec

from experiments.collecting import on_policy
from experiments.report_trial import WRITTEN, Tape, collect
from experiments.run_config import REPLAY, RunConfig
from infonodes.agent import InfoNodeAgent
from infonodes.replay import CostPrioritizedReplay

# Each window is drawn this often on average: with half the batch uniform, 2 % stay undrawn.
_DRAWS = 8
_BATCH = 64
_WAIT_S = 30.0


class Ages(NamedTuple):
    """Windows that were drawn, by age: steps from the frame that filled them to the last one.

    Attributes:
      age: `[N]`.
      written: Priority with which each was written, `[N]`.
      assessed: What it had when drawn last, after an update of priorities; NaN if drawn once.
      windows: How many windows the replay holds; N were drawn.
    """

    age: np.ndarray
    written: np.ndarray
    assessed: np.ndarray
    windows: int


def fill(
    agent: InfoNodeAgent, config: RunConfig, env: py_environment.PyEnvironment, seed: int, steps: int
) -> tuple[Tape, Optional[Ages]]:
    """Collects with the agent's collect policy, into a replay with the run's settings.

    The agent does not learn: priorities are those that its weights give to windows. Items of
    Reverb do not tell their age, so that each frame carries the step at which it was written.

    Args:
      agent: Whose.
      config: Of the run.
      env: Without batch dimension.
      seed: Of the environment.
      steps: Moves to collect.

    Returns:
      The frames, and the ages; None for a queue, which has no priorities.
    """
    if on_policy(agent):
        tape = Tape()
        collect(agent, env, seed, steps, tape)
        return tape, None
    spec = agent.collect_data_spec
    number = tensor_spec.TensorSpec([], tf.int64, WRITTEN)
    spec = spec._replace(policy_info={**spec.policy_info, WRITTEN: number})
    length = agent.train_sequence_length or 2
    with CostPrioritizedReplay(spec, length, **{**REPLAY, **config.replay}) as replay:
        tape = Tape(replay.observer())
        collect(agent, env, seed, steps, tape)
        replay.wait_for(1, timeout_s=_WAIT_S)
        return tape, _draw(agent, replay, len(tape.frames) - 1)


def _draw(agent: InfoNodeAgent, replay: CostPrioritizedReplay, now: int) -> Ages:
    """Draws batches as training does, and gives them new priorities."""
    size = replay.size
    batches = iter(replay.dataset(min(_BATCH, size)))
    written: dict[int, float] = {}
    assessed: dict[int, float] = {}
    filled: dict[int, int] = {}

    def assess() -> tuple[tf.Tensor, ...]:
        experience, info = next(batches)
        policy_info = {k: v for k, v in experience.policy_info.items() if k != WRITTEN}
        found = agent.loss(experience._replace(policy_info=policy_info))
        replay.update_priorities(info, found.extra["cost"])
        return info.key, info.priority, info.times_sampled, experience.policy_info[WRITTEN][:, -1]

    step = tf.function(assess, autograph=False)
    for _ in range(-(-_DRAWS * size // min(_BATCH, size))):
        for key, priority, times, number in zip(*(x.numpy() for x in step())):
            # A batch made ahead may tell of a second draw before the first one's new priority is in.
            if key not in written:
                written[key], filled[key] = float(priority), int(number)
            elif int(times) > 1 and float(priority) != written[key]:
                assessed[key] = float(priority)
    keys = list(written)
    return Ages(
        np.array([now - filled[k] for k in keys]),
        np.array([written[k] for k in keys]),
        np.array([assessed.get(k, np.nan) for k in keys]),
        size,
    )
