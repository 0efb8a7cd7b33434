"""The policy: the three passes behind TF-Agents' `TFPolicy`."""
from __future__ import annotations

import copy
from typing import Any, Callable, Optional

import gin
import tensorflow as tf
import tensorflow_probability as tfp
import tree
from tf_agents.policies import tf_policy
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import policy_step as ps
from tf_agents.trajectories import time_step as ts

from infonodes import graph as graph_lib
from infonodes.graph import NodeGraph, States
from infonodes.modes import Modes
from infonodes.packing import Packer
from infonodes.rewards import CostTree
from infonodes.types import ENVIRONMENT, GraphError, Nest, Spec, State, Tick, leaf_key

RNG_SPEC = tensor_spec.BoundedTensorSpec([2], tf.int32, -(2**31), 2**31 - 1, "rng")
COST_SPEC = tensor_spec.BoundedTensorSpec([], tf.float32, 0.0, 1e6, "cost")


def obs2dict(time_step: ts.TimeStep) -> State:
    """Returns what sensors read under the name `environment`."""
    return {
        "observation": time_step.observation,
        "reward": time_step.reward,
        "discount": time_step.discount,
        "step_type": time_step.step_type,
    }


@gin.configurable(module="infonodes")
class InfoNodePolicy(tf_policy.TFPolicy):
    """Runs one tick of a node graph at each `action`.

    State and info cross the boundary packed, one flat tensor a dtype:

    ```
    policy_state  {'nodes': packed states, 'rng': int32 [2]}
    policy_info   {'cost':  [] weighted sum of this tick's costs,
                   'packed': {'state':       states before the tick (after the reset),
                              'decision':    what nodes recorded of the tick,
                              'environment': the reward and discount the tick saw,
                              'costs':       each node's cost}}
    ```

    `unpack_state` and `unpack_info` give the nests back by name. The state's `rng` is
    drawn from TensorFlow's global generator when a fresh state is made and carried from
    then on, so that a run is fixed by `tf.keras.utils.set_random_seed` (`tf.random.set_seed` leaves out how
    Keras' networks begin) and resumes with its state. A greedy tick does not depend on it.

    Attributes:
      graph: The bound nodes.
      modes: The switches.
      cost_tree: How node costs sum up.
      jit_compile: Whether the tick is compiled with XLA.
    """

    def __init__(
        self,
        time_step_spec: ts.TimeStep,
        action_spec: Spec,
        graph: NodeGraph,
        modes: Modes = Modes(),
        cost_tree: Optional[CostTree] = None,
        observation_to_dict: Callable[[ts.TimeStep], State] = obs2dict,
        dict_to_action: Optional[Callable[[dict[str, Nest]], Nest]] = None,
        jit_compile: Optional[bool] = None,
        name: str = "InfoNodePolicy",
    ):
        """Builds the policy.

        Args:
          time_step_spec: As TF-Agents' policies take it.
          action_spec: The same.
          graph: The bound nodes. Several policies may share one graph.
          modes: The switches.
          cost_tree: How node costs sum up; by default all weights are 1.
          observation_to_dict: The notes' `obs2dict`: a time step as the dict that sensors
            read.
          dict_to_action: The notes' `dict2act`: actions by actuator name as the action
            nest. By default the actuator whose `key` is the action leaf's path gives it.
          jit_compile: Compile the tick with XLA. By default where all nodes are stateless:
            XLA ignores the seed of TensorFlow's global generator.
          name: Name of the policy.

        Raises:
          GraphError: if the actuators' actions do not make up `action_spec`.
        """
        tf.Module.__init__(self, name=name)
        self.graph = graph
        self.modes, self._greedy_modes = modes, modes.replace(greedy=True)
        self.cost_tree = cost_tree or CostTree()
        self._obs2dict = observation_to_dict
        self._dict2act = dict_to_action
        self._action_keys = tuple(leaf_key(p) for p, _ in tree.flatten_with_path(action_spec))
        if dict_to_action is None:
            self._check_actuators()
        self._states = Packer(graph.state_spec)
        self._info = Packer({
            "costs": {n: tf.TensorSpec([], tf.float32) for n in graph.names},
            "decision": graph.decision_spec,
            "environment": {k: tf.TensorSpec([], tf.float32) for k in ("reward", "discount")},
            "state": graph.state_spec,
        })
        if jit_compile is None:
            jit_compile = graph.stateless
        self.jit_compile = jit_compile
        self._run = tf.function(self._run_tick, jit_compile=jit_compile, autograph=False)
        # A function, so that a graph of many nodes is traced once and not wherever a state begins.
        self._fresh = tf.function(lambda batch: self._states.pack(graph.initial_state(batch)), autograph=False)
        super().__init__(
            time_step_spec,
            action_spec,
            policy_state_spec={
                "nodes": copy.deepcopy(self._states.packed_spec),
                "rng": RNG_SPEC,
            },
            info_spec={"cost": COST_SPEC, "packed": copy.deepcopy(self._info.packed_spec)},
            automatic_state_reset=True,
            name=name,
        )

    # -- packing -------------------------------------------------------------------

    def unpack_state(self, policy_state: Nest) -> States:
        """Returns the node states in `policy_state`, by name."""
        return self._states.unpack(policy_state["nodes"])

    def unpack_info(self, policy_info: Nest) -> dict[str, Any]:
        """Returns `{'state', 'decision', 'environment', 'costs'}`; any outer dimensions."""
        return self._info.unpack(policy_info["packed"])

    # -- TFPolicy --------------------------------------------------------------------

    def _action(self, time_step: ts.TimeStep, policy_state: Nest, seed: Any) -> ps.PolicyStep:
        rng = policy_state["rng"]
        if seed is not None:
            folded = tf.random.experimental.stateless_fold_in(rng[0], tf.cast(seed, tf.int32))
            rng = tf.broadcast_to(folded[None], tf.shape(rng))
        action, nodes, rng, info = self._run(time_step, policy_state["nodes"], rng, self.modes)
        return ps.PolicyStep(action, {"nodes": nodes, "rng": rng}, info)

    def _distribution(self, time_step: ts.TimeStep, policy_state: Nest) -> ps.PolicyStep:
        """The greedy choice as a point distribution: what GreedyPolicy takes the mode of."""
        action, nodes, rng, info = self._run(
            time_step, policy_state["nodes"], policy_state["rng"], self._greedy_modes
        )
        point = tf.nest.map_structure(lambda a: tfp.distributions.Deterministic(loc=a), action)
        return ps.PolicyStep(point, {"nodes": nodes, "rng": rng}, info)

    def _get_initial_state(self, batch_size: int | tf.Tensor) -> Nest:
        nodes = self._fresh(batch_size)
        rng = tf.random.uniform([2], -(2**31), 2**31 - 1, tf.int32)
        return {"nodes": nodes, "rng": tf.tile(rng[None], [batch_size, 1])}

    def _maybe_reset_state(self, time_step: ts.TimeStep, policy_state: Nest) -> Nest:
        """Makes a state where there is none; rows at first steps are reset by the tick.

        Private in TF-Agents and overridden on purpose: the stock one builds a `tf.function`
        a leaf at every eager call, and fails on `()` and on batch size 0, which `PyDriver`
        and `metric_utils.compute` hand it.
        """
        batch = tf.compat.dimension_value(time_step.discount.shape[0])
        batch = tf.shape(time_step.discount)[0] if batch is None else batch
        if isinstance(policy_state, tuple) or policy_state["rng"].shape[0] == 0:
            return self._get_initial_state(batch)
        if policy_state["rng"].shape[0] is None:
            # An exported policy meets batch size 0 only when it runs.
            return tf.nest.map_structure(
                lambda *rows: tf.concat(rows, axis=0)[:batch],
                {**policy_state},
                self._get_initial_state(batch),
            )
        return policy_state

    # -- the tick ----------------------------------------------------------------------

    def _run_tick(
        self, time_step: ts.TimeStep, packed: Nest, rng: tf.Tensor, modes: Modes
    ) -> tuple:
        keys = tf.random.experimental.stateless_split(rng[0], 2)
        # What a greedy node still draws (candidates, ties) must not tell two evaluations apart.
        seed = tf.constant([0, 0]) if modes.greedy else keys[0]
        first, fresh = time_step.is_first()[:, None], self._fresh(tf.shape(rng)[0])
        packed = {d: tf.where(first, fresh[d], packed[d]) for d in packed}
        environment = self._obs2dict(time_step)
        asked, states = graph_lib.run_tick(
            self.graph, environment, self._states.unpack(packed), Tick(seed, modes)
        )
        costs = {name: states[name]["cost"] for name in self.graph.names}
        info = {
            "cost": self.cost_tree.total(costs),
            "packed": self._info.pack({
                "costs": costs,
                "decision": {n.name: n.decision(states[n.name]) for n in self.graph.nodes},
                "environment": {"reward": time_step.reward, "discount": time_step.discount},
                "state": self._states.unpack(packed),
            }),
        }
        rng = tf.broadcast_to(keys[1][None], tf.shape(rng))
        return self._make_action(asked), self._states.pack(states), rng, info

    def _make_action(self, asked: dict[str, Nest]) -> Nest:
        if self._dict2act is not None:
            return self._dict2act(asked)
        by_key = {self.graph[name].key: value for name, value in asked.items()}
        return tf.nest.pack_sequence_as(self.action_spec, [by_key[k] for k in self._action_keys])

    def _check_actuators(self) -> None:
        keys = [getattr(self.graph[name], "key", f"? of {name!r}") for name in self.graph.senders[ENVIRONMENT]]
        if sorted(keys) != sorted(self._action_keys):
            raise GraphError(
                f"the action spec has leaves {sorted(self._action_keys)}, the graph's actuators act "
                f"on {sorted(keys)}; give each leaf one actuator (organs.gym.actuators builds "
                "them), or pass dict_to_action"
            )
