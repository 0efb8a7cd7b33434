"""What a report sees of an agent at work: a greedy episode, and steps collected anew."""
from __future__ import annotations

import dataclasses
from typing import Any, Optional

import numpy as np
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.environments import py_environment
from tf_agents.policies import py_tf_eager_policy
from tf_agents.trajectories import trajectory as trajectory_lib

from experiments.collecting import Collector
from infonodes.agent import InfoNodeAgent
from infonodes.environments.forage import ForagePyEnvironment
from infonodes.info_nodes.organs.energetics import Organ, ledger
from infonodes.replay.observer import ReplayObserver

# The leaf of policy_info that tells at which step of the tape a frame was written.
WRITTEN = "written"


@dataclasses.dataclass(frozen=True)
class Episode:
    """A greedy episode, or its beginning.

    Attributes:
      observations: What it saw, `[T, F]`, all leaves side by side.
      rewards: `[T]`.
      costs: Of each node at each tick, `[T]`, by name; nothing for a stock agent.
      flows: Ledger of the body by name, `[T]`; None without organs.
      pictures: uint8 `[H, W, 3]` each; nothing where the environment does not draw itself.
      places: World states of forage, `[T, 1, ...]`; None elsewhere.
      ended: Whether the end was reached.
    """

    observations: np.ndarray
    rewards: np.ndarray
    costs: dict[str, np.ndarray]
    flows: Optional[dict[str, np.ndarray]]
    pictures: list[np.ndarray]
    places: Optional[Any]
    ended: bool


def play(agent: tf_agent.TFAgent, env: py_environment.PyEnvironment, seed: int, most: int) -> Episode:
    """Plays one episode with the agent's greedy policy.

    Args:
      agent: Whose.
      env: Without batch dimension.
      seed: Of the environment.
      most: Ticks after which it is cut.
    """
    policy = py_tf_eager_policy.PyTFEagerPolicy(agent.policy, use_tf_function=True)
    env.seed(seed)
    time_step, state = env.reset(), policy.get_initial_state(1)
    seen, rewards, chosen_steps, pictures, places = [], [], [], [], []
    draws = True
    while not time_step.is_last() and len(seen) < most:
        seen.append(flat(time_step.observation))
        if isinstance(env, ForagePyEnvironment):
            places.append(env.state)
        elif draws:
            picture = _picture(env)
            draws = picture is not None
            pictures += [picture] if draws else []
        chosen = policy.action(time_step, state)
        time_step, state = env.step(chosen.action), chosen.state
        rewards.append(float(time_step.reward))
        chosen_steps.append(chosen)
    costs, flows = {}, None
    if isinstance(agent, InfoNodeAgent):
        costs, flows = _accounts(agent, chosen_steps)
    world = tf.nest.map_structure(lambda *leaves: np.stack(leaves), *places) if len(places) > 1 else None
    return Episode(np.stack(seen), np.array(rewards), costs, flows, pictures, world, bool(time_step.is_last()))


def flat(observation: Any) -> np.ndarray:
    """Returns an observation's leaves as one vector, `[F]`."""
    return np.concatenate([np.asarray(leaf, np.float64).ravel() for leaf in tf.nest.flatten(observation)])


def _accounts(agent: InfoNodeAgent, steps: list) -> tuple[dict[str, np.ndarray], Optional[dict[str, np.ndarray]]]:
    """Returns each node's cost at each tick, and the body's ledger, from policy steps."""
    stack = lambda parts: tf.nest.map_structure(lambda *leaves: np.stack(leaves), *parts)
    info = agent.policy.unpack_info(stack([step.info for step in steps]))
    costs = {name: np.asarray(cost, np.float64) for name, cost in info["costs"].items()}
    nodes = {node.name: node for node in agent.graph.nodes}
    if not any(isinstance(node, Organ) for node in nodes.values()):
        return costs, None
    states = agent.policy.unpack_state(stack([step.state for step in steps]))
    found = ledger(nodes, tf.nest.map_structure(tf.convert_to_tensor, states))
    return costs, {name: np.asarray(values).reshape([-1]) for name, values in found._asdict().items()}


def _picture(env: py_environment.PyEnvironment) -> Optional[np.ndarray]:
    """Returns what the environment looks like, or None if it does not draw itself."""
    try:
        picture = np.asarray(env.render("rgb_array"))
    except Exception:  # Each environment refuses in its own way.
        return None
    return picture if picture.ndim == 3 and picture.dtype == np.uint8 else None


class Tape:
    """An observer that keeps all frames, and numbers those it passes on to a replay.

    Attributes:
      frames: Trajectories of one frame, in order.
    """

    def __init__(self, replay: Optional[ReplayObserver] = None):
        """Starts empty.

        Args:
          replay: Gets each frame with its number in `policy_info[WRITTEN]`.
        """
        self.frames: list[trajectory_lib.Trajectory] = []
        self._replay = replay

    def __call__(self, frame: trajectory_lib.Trajectory) -> None:
        """Takes a frame."""
        if self._replay is not None:
            numbered = {**frame.policy_info, WRITTEN: np.int64(len(self.frames))}
            self._replay(frame._replace(policy_info=numbered))
        self.frames.append(frame)

    def flush(self) -> None:
        """Makes what was passed on available for sampling."""
        if self._replay is not None:
            self._replay.flush()


def collect(agent: InfoNodeAgent, env: py_environment.PyEnvironment, seed: int, steps: int, tape: Tape) -> None:
    """Lets the agent's collect policy make moves.

    Args:
      agent: Whose.
      env: Without batch dimension.
      seed: Of the environment.
      steps: How many moves.
      tape: What sees them.
    """
    env.seed(seed)
    collector = Collector(env, tape)
    collector.use(agent.collect_policy)
    for _ in range(steps):
        collector.step()
    tape.flush()


def tick_costs(agent: InfoNodeAgent, frames: list[trajectory_lib.Trajectory]) -> dict[str, np.ndarray]:
    """Returns each node's cost at each frame, `[T]`, by name."""
    infos = tf.nest.map_structure(lambda *leaves: np.stack(leaves), *[frame.policy_info for frame in frames])
    return {name: np.asarray(cost, np.float64) for name, cost in agent.policy.unpack_info(infos)["costs"].items()}
