"""What the contract's tests share: an agent tried at one moment, and comparisons of nests."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Optional

import numpy as np
import tensorflow as tf
from tf_agents.trajectories import time_step as ts

from infonodes import graph as graph_lib
from infonodes.graph import NodeGraph, States
from infonodes.info_nodes.info_node import InfoNode
from infonodes.modes import Modes
from infonodes.networks.slow import Slow
from infonodes.policy import obs2dict
from infonodes.testing.trajectories import trajectory_of
from infonodes.types import ENVIRONMENT, SUPPLIER, Nest, Spec, State, Tick

if TYPE_CHECKING:
    from infonodes.testing.contract import NodeContract

GREEDY = Modes(greedy=True)


class Tried:
    """An agent, a trajectory it made, and the moment its ticks are tried at."""

    def __init__(self, case: NodeContract):
        tf.keras.utils.set_random_seed(0)
        self.agent = case.make_agent()
        self.agent.initialize()
        self.trajectory = trajectory_of(self.agent, case.batch, case.time)
        # A frame in the midst of an episode, where the trajectory is long enough.
        frame = tf.nest.map_structure(lambda x: x[:, min(2, case.time - 1)], self.trajectory)
        info = self.agent.collect_policy.unpack_info(frame.policy_info)
        self.states: States = info["state"]
        self.time_step = ts.TimeStep(
            frame.step_type,
            info["environment"]["reward"],
            info["environment"]["discount"],
            frame.observation,
        )
        self._functions: dict[bool, Callable[..., Any]] = {}

    def recorded(self, name: str) -> State:
        """Returns the states a node had before each tick of the trajectory, `[B, T, ...]`."""
        return self.agent.collect_policy.unpack_info(self.trajectory.policy_info)["state"][name]

    def parents_of(self, name: str) -> dict[str, State]:
        """Returns what `bottom_up` of a node reads."""
        states = {**self.states, ENVIRONMENT: obs2dict(self.time_step)}
        node = self.agent.graph[name]
        parents = {p: states[p] for p in node.parent_names}
        if node.energy_size and node.energy_node_name is not None:
            parents[SUPPLIER] = self.states[node.energy_node_name]
        return parents

    def tick(self, modes: Modes, graph: Optional[NodeGraph] = None) -> tuple:
        """Runs a tick eagerly: actions by actuator, states by node."""
        graph = graph or self.agent.graph
        tick = Tick(tf.constant([3, 4]), modes)
        return graph_lib.run_tick(graph, obs2dict(self.time_step), self.states, tick)

    def compiled(self, rows: slice = slice(None), jit: bool = False) -> tuple:
        """The same, greedy, in a `tf.function`; without XLA one of unknown batch size."""
        if jit not in self._functions:
            self._functions[jit] = self._compile(jit)
        cut = tf.nest.map_structure(lambda x: x[rows], (self.time_step, self.states))
        return self._functions[jit](*cut)

    def _compile(self, jit: bool) -> Callable[..., Any]:
        def run(time_step: ts.TimeStep, states: States) -> tuple:
            tick = Tick(tf.constant([3, 4]), GREEDY)
            return graph_lib.run_tick(self.agent.graph, obs2dict(time_step), states, tick)

        unknown = tf.nest.map_structure(
            lambda x: tf.TensorSpec([None, *x.shape[1:]], x.dtype), (self.time_step, self.states)
        )
        signature = None if jit else list(unknown)
        return tf.function(run, input_signature=signature, jit_compile=jit, autograph=False)


def flat_size(nest: Nest) -> int:
    """Returns the common leading dimension of a nest."""
    return tf.nest.flatten(nest)[0].shape[0]


def not_learned(node: InfoNode, learned: list[tf.Variable]) -> list[tf.Variable]:
    """Returns slow copies and frozen variables of a node, its own agent's aside."""
    taken = {id(v) for v in learned}
    slow = [v for m in node.submodules if isinstance(m, Slow) for v in getattr(m.slow, "variables", ())]
    inner = {id(v) for v in getattr(getattr(node, "agent", None), "variables", ())}
    every = [*slow, *node.trainable_variables]
    return [v for v in {id(v): v for v in every}.values() if id(v) not in taken | inner]


def copy_variables(source: NodeGraph, target: NodeGraph) -> None:
    """Makes the variables of `target` equal to those of `source`, node by node."""
    for node in source.nodes:
        for variable, copied in zip(node.variables, target[node.name].variables):
            copied.assign(variable)


def assert_fits(spec: Spec, nest: Nest, batch: int, what: str) -> None:
    """Asserts that `nest` has the structure, dtypes and shapes `[batch, ...]` of `spec`."""
    tf.nest.assert_same_structure(spec, nest)
    for one, leaf in zip(tf.nest.flatten(spec), tf.nest.flatten(nest)):
        expected = [batch, *one.shape]
        assert leaf.dtype == one.dtype and leaf.shape == expected, (
            f"{what}: expected {expected} of {one.dtype.name}, got {leaf.shape} of {leaf.dtype.name}"
        )


def assert_finite(nest: Nest) -> None:
    """Asserts that no float in `nest` is infinite or NaN."""
    for leaf in tf.nest.flatten(nest):
        values = np.asarray(leaf)
        if np.issubdtype(values.dtype, np.floating):
            assert np.all(np.isfinite(values)), f"not finite: {values}"


def assert_close(one: Nest, other: Nest, tolerance: float) -> None:
    """Asserts that two nests agree, floats within `tolerance`."""
    tf.nest.assert_same_structure(one, other)
    for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other)):
        a, b = np.asarray(a), np.asarray(b)
        if np.issubdtype(a.dtype, np.floating):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
        else:
            np.testing.assert_array_equal(a, b)
