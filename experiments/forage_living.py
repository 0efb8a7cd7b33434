"""Lives in forage with a fixed policy, in graph, and tells how long and at what price."""
from __future__ import annotations

from typing import Any, NamedTuple, Optional

import numpy as np
import tensorflow as tf
from tf_agents.policies import tf_policy

from infonodes.environments.forage import ForageSettings, ForageTFEnvironment
from infonodes.environments.forage.world import COMPONENTS
from infonodes.info_nodes.organs.energetics import Organ, ledger


class Life(NamedTuple):
    """First episodes of some bodies; rows after an end are to be left out.

    Attributes:
      ticks: How long each lived, `[B]`.
      spent: Energy spent on acting by the price list, `[B]`.
      eaten: Energy eaten, toxin aside, `[B]`.
      poison: Toxin eaten, `[B]`.
      actions: Times that each action was taken, `[A]`.
      flows: Ledger of the body at each tick by name, `[T, B]`, of policies with organs.
      places: World states at each tick, `[T, B, ...]`, if asked for.
    """

    ticks: np.ndarray
    spent: np.ndarray
    eaten: np.ndarray
    poison: np.ndarray
    actions: np.ndarray
    flows: Optional[dict[str, np.ndarray]]
    places: Optional[Any]


def live(policy: tf_policy.TFPolicy, world: ForageSettings, rows: int, seed: int, film: bool = False) -> Life:
    """Lives first episodes until all have ended.

    Args:
      policy: Whose choices.
      world: Settings of the world.
      rows: B.
      seed: Of the worlds; the same seed gives the same starts.
      film: Whether to keep the world's states, and the flows.
    """
    env = ForageTFEnvironment(world, rows, seed)
    graph = getattr(policy, "graph", None)
    flowing = film and graph is not None and any(isinstance(n, Organ) for n in graph.nodes)
    nodes = {node.name: node for node in graph.nodes} if flowing else {}

    def tick(time_step: Any, policy_state: Any, state: Any, over: tf.Tensor, key: tf.Tensor) -> tuple:
        chosen = policy.action(time_step, policy_state)
        flows = ledger(nodes, policy.unpack_state(chosen.state)) if flowing else ()
        after, following, price = env.advance(state, over, chosen.action, key)
        return following, chosen.state, after, price, chosen.action, flows

    run = tf.function(tick, autograph=False)
    time_step, policy_state = env.reset(), policy.get_initial_state(rows)
    state = type(env._state)(*(tf.identity(leaf) for leaf in env._state))  # pylint: disable=protected-access
    playing, frames = np.ones(rows, bool), []
    ticks, sums, actions = np.zeros(rows, int), np.zeros([3, rows]), np.zeros(10, int)
    for number in range(world.ticks):
        if film:
            frames.append([state])
        time_step, policy_state, state, price, action, flows = run(
            time_step, policy_state, state, tf.constant(~playing), tf.constant([seed, number + 1])
        )
        eaten = state.eaten.numpy()
        ticks += playing
        sums += playing * np.stack([price.numpy(), eaten[:, :COMPONENTS].sum(1), eaten[:, COMPONENTS]])
        actions += np.bincount(action.numpy()[playing], minlength=10)
        if film:
            frames[-1].append(flows)
        playing &= ~time_step.is_last().numpy()
        if not playing.any():
            break
    stack = lambda parts: tf.nest.map_structure(lambda *leaves: np.stack([x.numpy() for x in leaves]), *parts)
    places = stack([frame[0] for frame in frames]) if film else None
    flows = stack([frame[1] for frame in frames])._asdict() if flowing else None
    return Life(ticks, *sums, actions, flows, places)
