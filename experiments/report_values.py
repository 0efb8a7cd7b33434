"""How right a RewardNode's values are: against the returns that followed, on the greedy path and off it."""
from __future__ import annotations

from typing import Callable, NamedTuple, Sequence

import numpy as np
import tensorflow as tf
from tf_agents.environments import batched_py_environment, py_environment
from tf_agents.trajectories import trajectory as trajectory_lib

from infonodes.agent import InfoNodeAgent
from infonodes.driver import PackedDriver
from infonodes.info_nodes import reward_learning
from infonodes.info_nodes.reward_node import RewardNode
from infonodes.modes import Modes
from infonodes.types import Experience

# Random moves before the greedy ones begin, of a batch of episodes each.
LEADS = (0, 1, 2, 4, 8, 16)
_EPISODES = 16
# Of the episodes without random moves every so-many-th tick is judged.
_EVERY = 10
# How much of a judged return may be the value of the frame where the episode was cut.
_UNSEEN = 0.1


class Judged(NamedTuple):
    """Values of frames, and the normalised returns of the greedy policy from there.

    Attributes:
      value: `[N]`.
      came: `[N]`, in the same units.
      off_path: bool `[N]`, whether random moves led to the frame.
    """

    value: np.ndarray
    came: np.ndarray
    off_path: np.ndarray


class Fit(NamedTuple):
    """How values lie beside returns.

    Attributes:
      frames: How many.
      bias: Mean of value - return.
      rms: Root mean square of it.
      correlation: Of value and return; NaN where one of them does not vary.
    """

    frames: int
    bias: float
    rms: float
    correlation: float


def play(
    agent: InfoNodeAgent, make_env: Callable[[], py_environment.PyEnvironment], seed: int, ticks: int
) -> list[trajectory_lib.Trajectory]:
    """Plays a batch of episodes for each of `LEADS`: so many random moves, then `ticks` greedy ones.

    Args:
      agent: Whose.
      make_env: Returns an environment without batch dimension.
      seed: Of the starts.
      ticks: Greedy ticks.

    Returns:
      The frames of each batch, `[B, T, ...]`.
    """
    env = batched_py_environment.BatchedPyEnvironment([make_env() for _ in range(_EPISODES)], multithreading=False)
    random = agent.make_policy(Modes(collect="random"))
    found = []
    for i, lead in enumerate(LEADS):
        for row, one in enumerate(env.envs):
            one.seed(seed + i * _EPISODES + row)
        frames: list[trajectory_lib.Trajectory] = []
        time_step, state = env.reset(), ()
        for policy, moves in ((random, lead), (agent.policy, ticks)):
            if moves:
                driver = PackedDriver(env, policy, [frames.append], max_steps=moves * _EPISODES)
                time_step, state = driver.run(time_step, state)
        found.append(tf.nest.map_structure(lambda *leaves: tf.convert_to_tensor(np.stack(leaves, 1)), *frames))
    return found


def judge(node: RewardNode, played: Sequence[Experience]) -> Judged:
    """Returns the node's values of what `play` went through, by its trained weights, and what came.

    Judged are the frames where the greedy policy took over, and every tenth of the episodes that it played alone: of a
    row's first episode, and only where nine tenths of the return's weight lie before the cut.

    Args:
      node: Whose values.
      played: What `play` returned, as the agent's `perceive` tells it for this node.
    """
    gamma, hold, terminal = node.gamma, node.pred.settings.hold, float(node.terminal)
    parts = []
    for lead, experience in zip(LEADS, played):
        value = experience.state["value"].numpy().astype(np.float64)
        signal = reward_learning.signal(node, experience).numpy().astype(np.float64)
        ended, last = experience.discount.numpy() <= 0.0, experience.step_type.numpy() == 2
        for row in range(len(value)):
            cut = int(np.argmax(last[row])) if last[row].any() else len(value[row]) - 1
            came, rest = returns_to_go(signal[row, :cut], bool(ended[row, cut - 1]), value[row], gamma, hold, terminal)
            at = np.array([lead]) if lead else np.arange(0, cut, _EVERY)
            at = at[at < cut]
            at = at[rest[at] <= _UNSEEN]
            parts.append((value[row, at], came[at], np.full(len(at), lead > 0)))
    return Judged(*(np.concatenate(part) for part in zip(*parts)))


def returns_to_go(
    signal: np.ndarray, ended: bool, value: np.ndarray, gamma: float, hold: int, terminal: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the normalised return from each frame, and how much of it is the value at the cut, `[T-1]` each.

    As a RewardNode counts: G_t = (1 - γ) mean(r_t … r_{t+hold-1}) + γ G_{t+hold}.

    Args:
      signal: Of the moves up to the end or the cut, `[T-1]`.
      ended: Whether the last of them ended the episode by termination.
      value: At least of the frames up to where the last move led, `[T or more]`.
      gamma: Discount of `hold` ticks.
      hold: Ticks of a prediction.
      terminal: Normalised value of having ended.
    """
    moves = len(signal)
    came, unseen = np.zeros(moves + 1), np.zeros(moves + 1)
    came[moves], unseen[moves] = (terminal, 0.0) if ended else (value[moves], 1.0)
    for t in reversed(range(moves)):
        after = min(t + hold, moves)
        came[t] = (1 - gamma) * signal[t:after].mean() + gamma * came[after]
        unseen[t] = gamma * unseen[after]
    return came[:-1], unseen[:-1]


def fit(judged: Judged, off_path: bool) -> Fit:
    """Returns how the values on the path, or off it, lie beside the returns; NaN of no frames."""
    of = judged.off_path == off_path
    value, came = judged.value[of], judged.came[of]
    if not len(value):
        return Fit(0, np.nan, np.nan, np.nan)
    wrong = value - came
    varies = value.std() > 1e-9 and came.std() > 1e-9
    correlation = float(np.corrcoef(value, came)[0, 1]) if varies else np.nan
    return Fit(len(value), float(wrong.mean()), float(np.sqrt((wrong**2).mean())), correlation)
