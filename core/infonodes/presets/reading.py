"""A reader of large data."""
from __future__ import annotations

from typing import Any, Optional

import gin
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from infonodes.agent import InfoNodeAgent
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.organs.navigable_modality.page import PageSettings, page
from infonodes.info_nodes.rl_node import AgentFn, RLNode
from infonodes.presets.makers import dqn, sac
from infonodes.presets.parts import WINDOW, names
from infonodes.types import GraphError, Spec

# How the reader's nodes learn by default: where to look, looking ahead; what to answer, at once.
EYE: dict[str, Any] = dict(gamma=0.9, n_step_update=3, target_update_tau=0.1, epsilon_greedy=0.1, decay=3000)
ANSWER: dict[str, Any] = dict(gamma=0.0, epsilon_greedy=0.05, decay=3000)


@gin.configurable(module="infonodes")
def reader(
    time_step_spec: ts.TimeStep,
    action_spec: Spec,
    page_settings: PageSettings = PageSettings(),
    eye_fn: Optional[AgentFn] = None,
    answer_fn: Optional[AgentFn] = None,
    data: str = "data",
    **agent_kwargs: Any,
) -> InfoNodeAgent:
    """A window that an RLNode moves over large data, and RLNodes that act on what it shows.

    ```
    observation[data] → page → page_data → eye → page_loc → page     where to look
    other leaves → obs…   ↘                ↗
                            answer… → act…                           what to do
    ```

    Args:
      time_step_spec: The environment's; its observation is a dict.
      action_spec: The same.
      page_settings: Window and cursor.
      eye_fn: What moves the cursor; by default DQN, SAC for moves `velocity`.
      answer_fn: What acts; by default DQN without foresight for a discrete leaf, SAC for a
        continuous one.
      data: Key of the leaf that is looked at through the window: a text, a sound or an image.
      **agent_kwargs: Passed on to `InfoNodeAgent`.

    Returns:
      The agent. Nodes: `page`, `page_data`, `page_loc`, `obs…`, `act…`, `eye`, `answer…`.

    Raises:
      GraphError: if the observation has no leaf `data`, or it cannot be looked at.
    """
    seen = time_step_spec.observation
    if not isinstance(seen, dict) or data not in seen:
        raise GraphError(f"preset reader: expected an observation dict with the key {data!r}, got {seen}; set data")
    sheet = page("page", tensor_spec.from_spec(seen[data]), data, page_settings)
    sensors = gym.sensors({k: v for k, v in seen.items() if k != data})
    actuators = gym.actuators(action_spec)
    looks = ("page_data", *names(sensors))
    steps = page_settings.moves == "steps"
    eye_fn = eye_fn or (dqn((128, 64), **EYE) if steps else sac())
    nodes = [
        *sheet.info_nodes,
        *sensors,
        *actuators,
        RLNode("eye", (*looks, "page_loc"), "page_loc", eye_fn),
        *[
            RLNode(
                act.name.replace("act", "answer", 1),
                looks,
                act.name,
                answer_fn or (dqn((128, 64), **ANSWER) if act.blocks else sac()),
            )
            for act in actuators
        ],
    ]
    agent_kwargs.setdefault("train_sequence_length", WINDOW)
    return InfoNodeAgent(time_step_spec, action_spec, nodes, **agent_kwargs)
