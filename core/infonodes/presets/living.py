"""A mind with a body."""
from __future__ import annotations

from typing import Any, Iterable, Optional

import gin
from tf_agents.trajectories import time_step as ts

from infonodes.agent import InfoNodeAgent
from infonodes.info_nodes.info_node import InfoNode
from infonodes.info_nodes.organs.energetics import BodySettings, DriveSensor, bill_body, body_nodes
from infonodes.info_nodes.pred_node import PredNode, PredSettings
from infonodes.info_nodes.reward_node import RewardNode, RewardSettings
from infonodes.info_nodes.rl_node import AgentFn, RLNode
from infonodes.presets.makers import dqn
from infonodes.presets.parts import decider, model_agent, names, shell
from infonodes.presets.reacting import PAIR
from infonodes.types import GraphError, Spec

MINDS = ("predictive", "reactive")
# A slow target network, which evaluates, and an outlook of twenty ticks.
BODY_DQN = dqn((128, 64), gamma=0.95, target_update_tau=0.01)


@gin.configurable(module="infonodes")
def embodied(
    time_step_spec: ts.TimeStep,
    action_spec: Spec,
    body: BodySettings = BodySettings(),
    pred: PredSettings = PredSettings(),
    reward: RewardSettings = RewardSettings(signal="sensed"),
    mind: str = "predictive",
    agent_fn: Optional[AgentFn] = None,
    organs: Iterable[InfoNode] = (),
    **agent_kwargs: Any,
) -> InfoNodeAgent:
    """A mind with a body: acting, thinking and exposure are billed to its blood.

    The mind also senses the blood and the further organs, and values what the body feels: how
    much nearer its blood came to its set point, beside the environment's reward.

    Args:
      time_step_spec: The environment's.
      action_spec: The same.
      body: Settings of the blood, the bills and the feelings.
      pred: Settings of the PredNode of a predictive mind.
      reward: Settings of the RewardNode of a predictive mind.
      mind: `predictive`: a PredNode `pred` and a RewardNode `value`, as in `predictive`;
        `reactive`: an RLNode `rl…` an action leaf, as in `reactive`.
      agent_fn: What the RLNodes wrap; by default as in `reactive`.
      organs: Further organs, which may name `blood` or each other as suppliers.
      **agent_kwargs: Passed on to `InfoNodeAgent`.

    Returns:
      The agent. Nodes: `obs…`, `reward`, `blood`, the organs, `drive`, `act…`, and the mind's.

    Raises:
      GraphError: if the body eats or is exposed to what is no leaf of the observation, or for
        an unknown mind.
    """
    sensors, actuators = shell(time_step_spec, action_spec)
    keys = {sensor.key: sensor for sensor in sensors[:-1]}
    for field in ("intake", "exposure"):
        key = getattr(body, field)
        if key is not None and key not in keys:
            raise GraphError(
                f"preset embodied: BodySettings.{field}={key!r} is no leaf of the observation, which has "
                f"{sorted(keys)}; set it to one of them, or to None"
            )
    if mind not in MINDS:
        raise GraphError(f"preset embodied: mind={mind!r}: expected one of {MINDS}")
    inner = [*body_nodes(body), *organs]
    senses = names(sensors[:-1]) + names(inner)
    drive = DriveSensor("drive", ("blood",), body.form, body.weight, body.task)
    if mind == "reactive":
        thinkers: list[InfoNode] = [_felt(a, senses, agent_fn) for a in actuators]
        agent_kwargs.setdefault("train_sequence_length", PAIR)
    else:
        thinkers = [PredNode("pred", senses + names(actuators), names(actuators), settings=pred)]
    bill_body(body, keys.get(body.exposure), actuators, thinkers)
    if mind == "predictive":
        thinkers.append(RewardNode("value", "drive", "pred", settings=reward))
    nodes = [*sensors, *inner, drive, *actuators, *thinkers]
    return model_agent(time_step_spec, action_spec, nodes, agent_kwargs)


def _felt(actuator: InfoNode, senses: tuple[str, ...], agent_fn: Optional[AgentFn]) -> RLNode:
    """Returns the RLNode of an actuator of a body: it values what `drive` says, and evaluates by its slow network."""
    maker = agent_fn or (BODY_DQN if actuator.blocks else None)
    return decider(actuator, senses, maker, reward="sensed", reward_name="drive", greedy_slow=True)
