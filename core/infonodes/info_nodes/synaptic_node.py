"""SynapticNode: a graph of its own that grows, and learns from reward by local rules."""
from __future__ import annotations

from typing import Any, Iterable, Mapping, Optional

import gin
import numpy as np
import tensorflow as tf

from infonodes.info_nodes import synaptic_drawing
from infonodes.info_nodes import synaptic_learning as learning
from infonodes.info_nodes.info_node import SCALAR, InfoNode
from infonodes.info_nodes.rows import fold_time
from infonodes.info_nodes.synaptic_ports import Inlet, Outlet
from infonodes.info_nodes.synaptic_settings import SynapticSettings
from infonodes.info_nodes.synaptic_wiring import capacity, first_edges
from infonodes.networks.statistic import running_statistic
from infonodes.rules import returns, rewiring
from infonodes.rules.synapse import Edges, Layout, outputs_of
from infonodes.types import ENVIRONMENT, Experience, GraphError, Nest, NodeLoss, State, Target, Tick

__all__ = ["SynapticNode", "SynapticSettings"]

# Codes of one target differ by less; those of two cells by more.
_SAME = 1e-3


@gin.configurable(module="infonodes")
class SynapticNode(InfoNode):
    """Chooses a control's targets by a graph of edges that learn from reward, each for itself.

    ```
    sees   its parents' signals, as activities of input units
    keeps  what each edge did of late (eligibility), and what it chose
    says   the chosen outputs as a target: to an actuator, or a future to a PredNode
    costs  nothing a tick; in replay its mean absolute TD error
    ```

    The notes' graph: inputs, hidden threshold units and outputs, joined by weighted edges;
    feedback flows back along them, edges fall and grow. No gradient: a signal that is the
    same for all edges (dopamine, the TD error) times what each edge did (eligibility). Where
    another node's target was done in its stead, it learns values only.

    It learns on policy and in order: train it on windows that follow each other and share
    one frame (`FifoReplay(..., stride=sequence_length - 1)`), each once. Structure
    changes at the end of episodes if `Modes.self_modification` is on.

    Attributes:
      settings: See `SynapticSettings`.
      layout: Numbers of units.
      edges: The edge list, of variables `[E]`.
      values: `[I]`, the critic's weights.
    """

    def __init__(
        self,
        name: str,
        parent_names: Iterable[str],
        control_name: str,
        settings: SynapticSettings = SynapticSettings(),
        seed: int = 0,
        trainable: bool = True,
    ):
        """Builds the node; its graph is made when it is bound.

        Args:
          name: Name of the node.
          parent_names: What it sees.
          control_name: Whom it controls.
          settings: See `SynapticSettings`.
          seed: Of the first edges, and of growth.
          trainable: False freezes it.

        Raises:
          GraphError: if a setting is out of its range.
        """
        parents = tuple(parent_names)
        if control_name not in parents:
            parents += (control_name,)
        super().__init__(name, (*parents, ENVIRONMENT), control_names=(control_name,), trainable=trainable)
        settings.check(name)
        self.settings = settings
        self.trains_itself = self.on_policy = True
        self._control_name, self._seed = control_name, seed

    def _bind(self) -> None:
        cfg, control = self.settings, self.peer(self._control_name)
        if control.target_spec is None:
            raise GraphError(f"node {self.name!r} controls {self._control_name!r}, which takes no targets")
        self._seen = tuple(
            p for p in self.parent_names
            if p != ENVIRONMENT and self.peer(p).signal_size and (p != self._control_name or control.is_latent)
        )
        width = sum(self.peer(p).signal_size for p in self._seen)
        if not width:
            raise GraphError(
                f"node {self.name!r}: its parents {self.parent_names} say nothing; give it a parent with a signal"
            )
        self._inlet, self._outlet = Inlet(self.name, width, cfg), Outlet(control, cfg)
        self.layout = Layout(self._inlet.size, cfg.hidden, self._outlet.blocks)
        slots = capacity(self.name, self.layout, cfg)
        first = first_edges(self.layout, cfg, slots, self._seed)
        self.edges = Edges(*[_kept(value, f"edge_{field}") for field, value in first._asdict().items()])
        self.values = running_statistic(tf.zeros([self.layout.inputs]), "values")
        self._visits = running_statistic(tf.zeros([self.layout.inputs]), "visits")
        self._wounds = running_statistic(tf.constant(0.0), "wounds")
        groups = tf.TensorSpec([len(self.layout.blocks)], tf.int32)
        self.state_spec = {
            "trace": tf.TensorSpec([slots], tf.float32),
            "critic_trace": tf.TensorSpec([self.layout.inputs], tf.float32),
            "choice": groups,
            "asked": SCALAR,
            "cost": SCALAR,
        }
        self.decision_spec = {"choice": groups, "asked": SCALAR}

    def _learned(self) -> list[tuple[tf.Variable, float]]:
        return []

    def reset(self, seed: int) -> None:
        """Makes the node new: first edges drawn from `seed`, and nothing learned."""
        slots = self.edges.weight.shape[0]
        for variable, value in zip(self.edges, first_edges(self.layout, self.settings, slots, seed)):
            variable.assign(value)
        for variable in (self.values, self._visits, self._wounds):
            variable.assign(tf.zeros_like(variable))
        self._inlet.reset()

    # -- the tick ----------------------------------------------------------------------

    def _signals(self, parents: Mapping[str, State]) -> tf.Tensor:
        joined = tf.concat([self.peer(p).signal(parents[p]) for p in self._seen], axis=-1)
        return tf.stop_gradient(joined)

    def _top_down(self, targets, parent_states, state: State, tick: Tick):
        del targets
        cfg, edges = self.settings, Edges(*[v.read_value() for v in self.edges])
        inputs = tf.transpose(self._inlet(self._signals(parent_states)))  # [I, B]
        activity = learning.pools_of(edges, inputs, self.layout, cfg)
        pools = outputs_of(activity, self.layout)
        choice = learning.choose(pools, self.layout, cfg, tick.seed, tick.modes.greedy)
        asked = tf.ones_like(inputs[0]) * float(tick.modes.collect != "random")
        traces = _traces(state)
        if not tick.modes.greedy:
            traces, _ = learning.remember(edges, traces, activity, inputs, choice, asked, self.layout, cfg)
        after = {
            "trace": tf.transpose(traces.edges),
            "critic_trace": tf.transpose(traces.values),
            "choice": tf.transpose(choice),
            "asked": asked,
            "cost": state["cost"],
        }
        # A fixed seed: the k-th candidate of a tick is the k-th of any other.
        target = self._outlet.target(after["choice"], parent_states.get(self._control_name), tf.constant([0, 1]))
        return {self._control_name: Target(target, tf.ones_like(asked, tf.bool))}, after

    def _decision(self, state: State) -> Nest:
        return {"choice": state["choice"], "asked": state["asked"]}

    def _perceive(self, parents, recorded: State, experience: Experience) -> State:
        return recorded

    # -- learning ------------------------------------------------------------------------

    def _train(self, experience: Experience, weights: tf.Tensor) -> Optional[NodeLoss]:
        del weights  # On policy, none is sampled more often than another.
        if not self.trainable:
            return None
        signals = self._signals(experience.parents)  # [B, T, D]
        self._inlet.learn(tf.reshape(signals, [-1, signals.shape[-1]]))
        modes = experience.modes
        seed = tf.random.experimental.stateless_fold_in(experience.seed, self._seed)
        after, signal = self._learn(experience, signals, modes.train_policy, seed if modes.self_modification else None)
        for variable, value in zip(tf.nest.flatten(self._plastic()), tf.nest.flatten(after)):
            variable.assign(value)
        return self._node_loss(signal, experience)

    def _assess(self, experience: Experience, weights: tf.Tensor) -> Optional[NodeLoss]:
        del weights
        if not self.trainable:
            return None
        _, signal = self._learn(experience, self._signals(experience.parents), False, None)
        return self._node_loss(signal, experience)

    def _plastic(self) -> learning.Plastic:
        return learning.Plastic(self.edges, self.values, self._visits, self._wounds)

    def _learn(
        self, experience: Experience, signals: tf.Tensor, choose_too: bool, seed: Optional[tf.Tensor]
    ) -> tuple[learning.Plastic, tf.Tensor]:
        plastic = tf.nest.map_structure(lambda v: v.read_value(), self._plastic())
        start = tf.nest.map_structure(lambda x: x[:, 0], experience.state)
        inputs = tf.transpose(self._inlet(signals), [1, 2, 0])  # [T, I, B]
        asked = experience.decision["asked"] * self._done(experience)
        moves = moves_of(experience._replace(decision={**experience.decision, "asked": asked}), inputs)
        return learning.learn_all(plastic, _traces(start), moves, seed, self.layout, self.settings, choose_too)

    def _done(self, experience: Experience) -> tf.Tensor:
        """Returns 1 where the control did what was chosen, 0 where it followed another sender, `[B, T]`."""
        control, asked = self.peer(self._control_name), experience.decision["asked"]
        if control.is_latent:  # It says which future came, which need not be the one asked for.
            return tf.ones_like(asked)
        target = self._outlet.target(fold_time(experience.decision["choice"]), None, tf.constant([0, 1]))
        did = fold_time(experience.controls[self._control_name])
        same = tf.reduce_all(tf.abs(control.encode(target) - did) < _SAME, axis=-1)
        return tf.reshape(tf.cast(same, tf.float32), tf.shape(asked))

    def _node_loss(self, signal: tf.Tensor, experience: Experience) -> NodeLoss:
        moves = tf.reduce_sum(returns.is_move(experience.step_type), axis=1)
        mean = signal / tf.maximum(1.0, moves)
        alive = tf.reduce_sum(self.edges.alive)
        weight = tf.reduce_sum(self.edges.weight) / tf.maximum(1.0, alive)
        metrics = {"edges": alive, "mean_weight": weight, "surprise": tf.reduce_mean(mean)}
        return NodeLoss(tf.zeros_like(mean), mean, metrics)

    # -- pictures -------------------------------------------------------------------------

    def to_networkx(self) -> Any:
        """Returns the living graph as a `networkx.DiGraph`; see `synaptic_drawing.to_networkx`."""
        return synaptic_drawing.to_networkx(self)

    def to_dot(self) -> str:
        """Returns Graphviz source, edges as wide as they weigh; see `synaptic_drawing.to_dot`."""
        return synaptic_drawing.to_dot(self)

    # -- damage ---------------------------------------------------------------------------

    def lesion(self, share: float, seed: int = 0) -> int:
        """Kills a share of the living edges; later births mend it, if structure may change.

        Args:
          share: From 0 to 1.
          seed: Which ones.

        Returns:
          How many died.

        Raises:
          GraphError: if `share` is no share.
        """
        if not 0.0 <= share <= 1.0:
            raise GraphError(f"node {self.name!r}: lesion(share={share!r}): expected a number from 0 to 1")
        edges = Edges(*[v.read_value() for v in self.edges])
        hit = rewiring.lesioned(edges, share, tf.constant([self._seed, seed]))
        for variable, value in zip(self.edges, rewiring.killed(edges, hit)):
            variable.assign(value)
        dead = int(np.sum(hit))
        self._wounds.assign_add(float(dead))
        return dead


def moves_of(experience: Experience, inputs: tf.Tensor) -> learning.Move:
    """Returns the moves between the frames of a window, time-major.

    ```
    frame   0    1    2   ...  T-1
    move    0->1 1->2     ...           a move that starts at a boundary frame is none
    ```

    Args:
      experience: `[B, T, ...]`.
      inputs: `[T, I, B]`.
    """
    major = lambda x: tf.transpose(x[:, :-1])  # [T-1, B]
    flag = lambda x: tf.cast(x, tf.float32)
    valid = flag(tf.not_equal(major(experience.step_type), 2))
    return learning.Move(
        inputs=inputs[:-1],
        next_inputs=inputs[1:],
        choice=tf.transpose(experience.decision["choice"][:, :-1], [1, 2, 0]),
        asked=major(experience.decision["asked"]),
        reward=major(experience.reward),
        discount=major(experience.discount),
        valid=valid,
        first=flag(tf.equal(major(experience.step_type), 0)),
        ended=valid * flag(tf.equal(major(experience.next_step_type), 2)),
    )


def _traces(state: State) -> learning.Traces:
    return learning.Traces(tf.transpose(state["trace"]), tf.transpose(state["critic_trace"]))


def _kept(value: tf.Tensor, name: str) -> tf.Variable:
    """Returns a variable that no optimiser steps; whole numbers follow the first replica."""
    if value.dtype.is_floating:
        return running_statistic(value, name)
    return tf.Variable(
        value, trainable=False, name=name,
        synchronization=tf.VariableSynchronization.ON_WRITE,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )
