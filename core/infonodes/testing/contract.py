"""The contract of a node as tests to inherit."""
from __future__ import annotations

import abc
import unittest
from typing import Optional

import numpy as np
import tensorflow as tf
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from infonodes.agent import InfoNodeAgent
from infonodes.info_nodes.info_node import InfoNode
from infonodes.info_nodes.rows import fold_time
from infonodes.modes import Modes
from infonodes.packing import Packer
from infonodes.testing.fakes import FakeActuatorNode
from infonodes.testing.tried import (
    GREEDY,
    Tried,
    assert_close,
    assert_finite,
    assert_fits,
    copy_variables,
    flat_size,
    not_learned,
)
from infonodes.types import ENVIRONMENT, SUPPLIER, Experience, Spec, Tick


class NodeContract(abc.ABC):
    """Tests that every node passes; a test class inherits them and names its node.

    The node is tried within a small graph, in states that the collect policy led to, and
    compared with itself: eager with compiled, a batch with its rows, one order of the
    nodes with another. An agent is built once a class.

    Attributes:
      node_name: Name of the node under test.
      observation_spec: What the environment shows.
      action_spec: What it takes. By default two floats; a graph without actuator gets a
        `FakeActuatorNode` for them.
      batch: Rows of the trajectories.
      time: Frames of the trajectories.
      tolerance: How far results of one computation, compiled differently, may lie apart.
      compiles_alike: False where XLA need not agree with eager TensorFlow, whose random
        numbers differ from the same seed, or where it is not worth the seconds.
      unreached: Ends of the names of learned variables that no gradient need reach.
    """

    node_name: str
    observation_spec: Spec = tf.TensorSpec([4], tf.float32, "observation")
    action_spec: Spec = tensor_spec.BoundedTensorSpec([2], tf.float32, -1.0, 1.0, "action")
    batch = 4
    time = 6
    tolerance = 1e-4
    compiles_alike = True
    unreached: tuple[str, ...] = ()

    _built: Optional["Tried"] = None

    @abc.abstractmethod
    def make_nodes(self) -> list[InfoNode]:
        """Returns fresh nodes that make a graph with the node under test, at every call."""

    @classmethod
    def teardown_class(cls) -> None:
        """Frees what the class's tests shared."""
        cls._built = None

    # -- what the tests share ---------------------------------------------------------

    def make_agent(self, nodes: Optional[list[InfoNode]] = None) -> InfoNodeAgent:
        """Returns an agent over fresh nodes, not compiled by XLA."""
        nodes = self.make_nodes() if nodes is None else nodes
        if not any(ENVIRONMENT in node.control_names for node in nodes):
            nodes = [*nodes, FakeActuatorNode("contract_act")]
        return InfoNodeAgent(
            ts.time_step_spec(self.observation_spec),
            self.action_spec,
            nodes,
            train_sequence_length=self.time,
            jit_compile=False,
        )

    @property
    def built(self) -> "Tried":
        """The class's agent, and what its collect policy met."""
        cls = type(self)
        built: Optional["Tried"] = cls.__dict__.get("_built")  # Not its base's, which has other nodes.
        if built is None:
            built = cls._built = Tried(self)
        return built

    @property
    def node(self) -> InfoNode:
        """The node under test."""
        return self.built.agent.graph[self.node_name]

    def experience(self) -> Experience:
        """Returns what the node trains on, perceived eagerly."""
        return self.built.agent.perceive(self.built.trajectory)[self.node_name]

    # -- specs and states --------------------------------------------------------------

    def test_has_a_scalar_cost_and_packable_specs(self):
        cost = self.node.state_spec["cost"]
        assert cost.shape.rank == 0 and cost.dtype == tf.float32, f"cost is {cost}"
        Packer({"state": self.node.state_spec, "decision": self.node.decision_spec})

    def test_initial_state_fits_the_spec_for_any_batch(self):
        for batch in (1, 3, tf.constant(2)):
            state = self.node.initial_state(batch)
            assert_fits(self.node.state_spec, state, int(batch), "initial_state")
            assert_finite(state)
            assert np.all(state["cost"].numpy() >= 0), "initial cost is negative"

    def test_passes_return_states_that_fit(self):
        for mode in (GREEDY, Modes(), Modes(collect="random")):
            _, states = self.built.tick(mode)
            state = states[self.node_name]
            assert_fits(self.node.state_spec, state, self.batch, f"a tick in {mode}")
            assert_finite(state)
            assert np.all(state["cost"].numpy() >= 0), f"cost {state['cost']} is negative"

    def test_decision_fits_its_spec(self):
        _, states = self.built.tick(Modes())
        decision = self.node.decision(states[self.node_name])
        assert_fits(self.node.decision_spec, decision, self.batch, "decision")
        assert_finite(decision)

    def test_signal_has_its_size(self):
        if not self.node.signal_size:
            raise unittest.SkipTest("says nothing")
        _, states = self.built.tick(GREEDY)
        signal = self.node.signal(states[self.node_name])
        assert signal.dtype == tf.float32 and signal.shape == [self.batch, self.node.signal_size]
        frames = self.experience().state
        assert self.node.signal(frames).shape == [self.batch, self.time, self.node.signal_size]

    # -- one computation, many ways -------------------------------------------------------

    def test_eager_is_function(self):
        assert_close(self.built.tick(GREEDY), self.built.compiled(), self.tolerance)

    def test_eager_is_xla(self):
        if not self.compiles_alike:
            raise unittest.SkipTest("compiles_alike is False")
        assert_close(self.built.tick(GREEDY), self.built.compiled(jit=True), self.tolerance)

    def test_a_batch_is_its_rows(self):
        """By one function of unknown batch size; a row must not see another."""
        actions, states = self.built.compiled()
        for row in range(self.batch):
            one = slice(row, row + 1)
            rows = [leaf[one] for leaf in tf.nest.flatten((actions, states))]
            assert_close(rows, tf.nest.flatten(self.built.compiled(one)), self.tolerance)

    def test_order_of_nodes_does_not_matter(self):
        nodes = list(reversed(self.make_nodes()))
        agent = self.make_agent(nodes)
        copy_variables(self.built.agent.graph, agent.graph)
        for modes in (GREEDY, Modes()):
            if not (modes.greedy or agent.graph.stateless):
                continue
            assert_close(self.built.tick(modes), self.built.tick(modes, agent.graph), self.tolerance)

    def test_is_pure(self):
        """Same inputs and seed, same outputs; inputs stay; hooks need no hidden instance state."""
        node, tick = self.node, Tick(tf.constant([5, 7]), GREEDY)
        before = tf.nest.map_structure(lambda x: x.numpy().copy(), self.built.states)
        parents = self.built.parents_of(self.node_name)
        state = self.built.states[self.node_name]
        variables = [v.numpy() for v in node.variables]
        first = node.bottom_up(parents, state, tick)
        assert_close(first, node.bottom_up(parents, state, tick), 0.0)
        assert_close(first, type(node).bottom_up(node, parents, state, tick), 0.0)
        if self.built.agent.graph.stateless:
            assert_close(self.built.tick(Modes()), self.built.tick(Modes()), 0.0)
        assert_close(self.built.tick(GREEDY), self.built.tick(GREEDY), 0.0)
        assert_close(before, self.built.states, 0.0)
        assert_close(variables, [v.numpy() for v in node.variables], 0.0)

    def test_first_step_forgets_the_past(self):
        built = self.built
        # The policy that is traced already, unless its draws would tell the two apart.
        policy = built.agent.collect_policy if built.agent.graph.stateless else built.agent.policy
        fresh = policy.get_initial_state(self.batch)
        old = {**fresh, "nodes": policy._states.pack(built.states)}  # pylint: disable=protected-access
        first = built.time_step._replace(step_type=tf.zeros([self.batch], tf.int32))
        steps = [policy.action(first, state) for state in (fresh, old)]
        states = [policy.unpack_state(s.state)[self.node_name] for s in steps]
        assert_close(states[0], states[1], 0.0)
        assert_close(steps[0].action, steps[1].action, 0.0)

    # -- targets ------------------------------------------------------------------------------

    def test_targets_survive_encoding(self):
        node = self._control()
        seed = tf.constant([1, 2])
        options = node.candidates(self.built.tick(GREEDY)[1][self.node_name], 5, seed)
        assert options.shape[0] == self.batch and options.shape[-1] == node.control_size
        targets = node.decode(options)
        codes = node.encode(targets)
        assert codes.shape == options.shape, f"codes {codes.shape}, candidates {options.shape}"
        assert_close(node.decode(codes), targets, self.tolerance)
        flat = tf.nest.map_structure(
            lambda t, s: tf.reshape(t, [-1, *s.shape]), targets, node.target_spec
        )
        assert_fits(node.target_spec, flat, flat_size(flat), "decode")
        for spec, target in zip(tf.nest.flatten(node.target_spec), tf.nest.flatten(flat)):
            if isinstance(spec, tensor_spec.BoundedTensorSpec):
                inside = (target >= spec.minimum) & (target <= spec.maximum)
                assert np.all(inside), f"decode left the bounds of {spec}"

    def test_says_what_it_did(self):
        """What the state tells at the next tick is what replay tells, but across an episode's end."""
        node = self._control()
        _, states = self.built.tick(Modes())
        assert node.executed(states[self.node_name]).shape == [self.batch, node.control_size]
        replayed = node.replayed(self.experience())
        assert replayed.shape == [self.batch, self.time, node.control_size]
        if not node.is_latent:
            follows = self.built.trajectory.step_type[:, 1:] != ts.StepType.FIRST
            did = node.executed(self.built.recorded(self.node_name))[:, 1:]
            assert_close(did[follows], replayed[:, :-1][follows], self.tolerance)

    def _control(self) -> InfoNode:
        if self.node.target_spec is None:
            raise unittest.SkipTest("takes no targets")
        return self.node

    # -- learning -----------------------------------------------------------------------------

    def test_perception_on_replay_fits(self):
        state = self.experience().state
        for key, spec in self.node.state_spec.items():
            for leaf, one in zip(tf.nest.flatten(state[key]), tf.nest.flatten(spec)):
                assert leaf.shape == [self.batch, self.time, *one.shape], f"{key}: {leaf.shape}"

    def test_perception_on_replay_says_what_acting_said(self):
        """With the parameters it acted with: frame by frame from the recorded states, as in a tick."""
        node = self.node
        if not node.signal_size or node.neighbor_names:
            raise unittest.SkipTest("says nothing, or what neighbours make of it")
        found = self.experience()
        parents = {
            p: s if p in (ENVIRONMENT, SUPPLIER) else {k: s[k] for k in node.peer(p).state_spec}
            for p, s in found.parents.items()
        }
        recorded = self.built.recorded(self.node_name)
        parents, recorded = tf.nest.map_structure(fold_time, (parents, recorded))
        acted = node.bottom_up(parents, recorded, Tick(found.seed, found.modes))
        assert_close(fold_time(node.signal(found.state)), node.signal(acted), self.tolerance)

    def test_perception_on_replay_forgets_the_past(self):
        """Frames after an episode's first are perceived as if none had been before it."""
        trajectory = self.built.trajectory
        assert np.all(trajectory.step_type[:, 0] == ts.StepType.FIRST)
        twice = tf.nest.map_structure(lambda x: tf.concat([x, x], axis=1), trajectory)
        after = self.built.agent.perceive(twice)[self.node_name].state
        alone = self.experience().state
        for key in self.node.state_spec:
            cut = tf.nest.map_structure(lambda x: x[:, self.time :], after[key])
            assert_close(cut, alone[key], self.tolerance)

    def test_gradients_reach_what_is_learned_and_stop_there(self):
        learned = [v for v, _ in self.node.learned()]
        rest = not_learned(self.node, learned)
        with tf.GradientTape() as tape:
            tape.watch(rest)
            loss = self.node.loss(self.experience())
        if loss is None:
            raise unittest.SkipTest("has no loss")
        assert loss.loss.shape == [self.batch] and loss.cost.shape == [self.batch]
        assert_finite((loss.loss, loss.cost))
        assert np.all(loss.cost.numpy() >= 0), f"cost {loss.cost} is negative"
        gradients = tape.gradient(loss.loss, learned + rest)
        for variable, gradient in zip(learned, gradients):
            if not variable.name.split(":")[0].endswith(self.unreached or ("\0",)):
                assert gradient is not None, f"no gradient reaches {variable.name}"
        reached = [tf.convert_to_tensor(g) for g in gradients[: len(learned)] if g is not None]
        assert_finite(reached)
        assert not learned or any(np.any(g.numpy() != 0) for g in reached), "all gradients are 0"
        for variable, gradient in zip(rest, gradients[len(learned) :]):
            still = gradient is None or not np.any(tf.convert_to_tensor(gradient))
            assert still, f"a gradient reaches {variable.name}, which is not to be learned"

    def test_training_keeps_everything_finite(self):
        """Two updates; on variables of the class's own agent, which no test takes for new."""
        agent = self.built.agent
        before = int(agent.train_step_counter)
        for _ in range(2):
            found = agent.train(self.built.trajectory)
        assert_finite((found, list(self.node.variables)))
        assert found.extra["cost"].shape == [self.batch]
        assert np.all(found.extra["cost"].numpy() >= 0)
        assert agent.train_step_counter.numpy() == before + 2
