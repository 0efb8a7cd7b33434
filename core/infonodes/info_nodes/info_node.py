"""The contract of a node."""
from __future__ import annotations

import abc
from typing import Any, Iterable, Mapping, Optional

import tensorflow as tf

from infonodes.info_nodes import billing
from infonodes.info_nodes.rows import fold_time, scan_bottom_up
from infonodes.packing import outer_shape
from infonodes.types import (
    ENVIRONMENT,
    SUPPLIER,
    Experience,
    GraphError,
    Nest,
    NodeError,
    NodeLoss,
    Spec,
    State,
    Target,
    Tariff,
    Tick,
    check_name,
)

SCALAR = tf.TensorSpec([], tf.float32)


class InfoNode(tf.Module, metaclass=abc.ABCMeta):
    """A node: parameters and structure only; what changes by tick is its state.

    The public methods check and call a private hook of the same name; subclasses
    override only the hooks. All are pure: the same inputs give the same outputs,
    randomness comes from `tick.seed`.

    ```
    bottom_up  parents before children   what the node perceives; sets `cost`
    forward    all at once               what neighbours make of it
    top_down   children before parents   what it asks of its controls
    ```

    Attributes:
      parent_names: Nodes it reads, towards the senses.
      neighbor_names: Nodes it reads sideways, as they were before the pass.
      control_names: Parents that it may send targets to.
      energy_node_name: The node that supplies its energy, or None; see `charge`.
      energy_size: E of the energy that others may draw from it; 0 for none.
      tariff: What it is billed for, if it has a supplier and is no organ.
      state_spec: Nest of specs of its state, with a scalar `cost`; final once the
        node is bound to a graph, as are the specs below.
      target_spec: What others may ask of it, or None if it takes no targets.
      decision_spec: What it records of a tick for training, or `()`.
      signal_size: Width of what children read of it.
      control_size: Width of the encoding of its targets.
      blocks: Widths of the one-hot blocks that its encoding is made of, if it is.
      is_latent: True for a control whose targets are latents.
      recurrent: True if perception reads the node's own previous state, so that
        training must re-run it tick by tick.
      trains_itself: True for nodes that override `train`.
      stateless: False for nodes that draw from TensorFlow's global generator, whose seed
        XLA would ignore: their graphs are not compiled unless asked.
      on_policy: True for nodes whose data may be trained on once only.
      trainable: False freezes it: its variables take no gradient.
      lr_multiplier: Scale of the optimiser's step on its variables.
    """

    _TF_MODULE_IGNORED_PROPERTIES = frozenset(
        ("_peers", *(tf.Module._TF_MODULE_IGNORED_PROPERTIES or ()))
    )

    def __init__(
        self,
        name: str,
        parent_names: Iterable[str] = (),
        neighbor_names: Iterable[str] = (),
        control_names: Iterable[str] = (),
        energy_node_name: Optional[str] = None,
        recurrent: bool = False,
        trainable: bool = True,
        lr_multiplier: float = 1.0,
    ):
        super().__init__(name=check_name(name))
        self.parent_names = tuple(parent_names)
        self.neighbor_names = tuple(neighbor_names)
        self.control_names = tuple(control_names)
        self.energy_node_name = energy_node_name
        self.recurrent = recurrent
        self.trainable = trainable
        self.lr_multiplier = lr_multiplier
        self.state_spec: Spec = {"cost": SCALAR}
        self.target_spec: Optional[Spec] = None
        self.decision_spec: Spec = ()
        self.signal_size = 0
        self.control_size = 0
        self.blocks: tuple[int, ...] = ()
        self.is_latent = False
        self.trains_itself = False
        self.stateless = True
        self.on_policy = False
        self.energy_size = 0
        self.tariff = Tariff()
        self._peers: dict[str, InfoNode] = {}
        self._is_bound = False
        strangers = [c for c in self.control_names if c not in (*self.parent_names, ENVIRONMENT)]
        if strangers:
            raise GraphError(
                f"node {name!r} controls {strangers}, which are no parents of it; a control is "
                f"a parent that accepts targets: add them to parent_names {self.parent_names}"
            )

    # -- binding ---------------------------------------------------------------

    def bind(self, peers: Mapping[str, "InfoNode"]) -> None:
        """Gives the node the parents it named; called once, by the graph.

        Raises:
          GraphError: if it stands in another graph already, or a parent does not fit.
        """
        if self._is_bound:
            raise GraphError(f"node {self.name!r} is bound to a graph already; build a new node")
        self._peers, self._is_bound = dict(peers), True
        self._bind()
        if "cost" not in self.state_spec or self.state_spec["cost"].shape.rank != 0:
            raise GraphError(
                f"node {self.name!r}: state_spec {self.state_spec} lacks a scalar 'cost'; add it"
            )

    def bind_neighbors(self, neighbors: Mapping[str, "InfoNode"]) -> None:
        """Gives the node its neighbours, once every node is bound."""
        self._peers.update(neighbors)
        self._bind_neighbors()

    def charge(
        self,
        energy_node_name: str,
        per_tick: Any = 0.0,
        per_control: Any = None,
        per_signal: Any = None,
    ) -> "InfoNode":
        """Has the node billed for computing, acting or sensing; call it before the graph is built.

        Args:
          energy_node_name: The supplier that the bills go to: an organ.
          per_tick: See `Tariff`; ≥ 0, as the others are.
          per_control: See `Tariff`.
          per_signal: See `Tariff`.

        Returns:
          The node.
        """
        self.energy_node_name = energy_node_name
        self.tariff = Tariff(per_tick, per_control, per_signal)
        return self

    def bind_supplier(self, supplier: "InfoNode") -> None:
        """Gives the node the supplier that it named, once every node is bound.

        Raises:
          GraphError: if that holds no energy, or is billed in another number of components.
        """
        if not supplier.energy_size:
            raise GraphError(
                f"node {self.name!r}: energy_node_name {supplier.name!r} is a {type(supplier).__name__}, which "
                "holds no energy; name an organ"
            )
        self._bind_supplier(supplier)

    def bind_clients(self, clients: Mapping[str, "InfoNode"]) -> None:
        """Gives a supplier the nodes that named it; called before any state is made."""
        self._bind_clients(clients)

    def peer(self, name: str) -> "InfoNode":
        """Returns the bound parent or neighbour `name`.

        Raises:
          GraphError: if that is no node: the environment, say, which sensors alone can read.
        """
        if name not in self._peers:
            raise GraphError(f"node {self.name!r}: {name!r} is no node that it can read; name a sensor")
        return self._peers[name]

    # -- the tick --------------------------------------------------------------

    def initial_state(self, batch_size: int | tf.Tensor) -> State:
        """Returns the state before the first tick of an episode, `[B, ...]`."""
        return self._initial_state(batch_size)

    def bottom_up(self, parent_states: Mapping[str, State], state: State, tick: Tick) -> State:
        """Perceives.

        Args:
          parent_states: This tick's states of the parents, by name, `[B, ...]`.
          state: The node's state after the last tick.
          tick: Seed and modes.

        Returns:
          The node's new state, with `cost` as far as perception sets it.

        Raises:
          NodeError: if what comes out does not fit `state_spec`.
        """
        return self._checked("bottom_up", self._bottom_up(parent_states, state, tick))

    def forward(
        self, neighbor_states: Mapping[str, State], state: State, tick: Tick
    ) -> tuple[Optional[Target], State]:
        """Lets neighbours act on the node; returns a target for itself or None, and its state."""
        target, state = self._forward(neighbor_states, state, tick)
        return target, self._checked("forward", state)

    def top_down(
        self,
        targets: Mapping[str, Target],
        parent_states: Mapping[str, State],
        state: State,
        tick: Tick,
    ) -> tuple[dict[str, Target], State]:
        """Acts.

        Args:
          targets: What is asked of the node, one slot a sender.
          parent_states: This tick's states of the parents, controls among them.
          state: The node's state after `forward`.
          tick: Seed and modes.

        Returns:
          What it asks of its controls, by name, and its final state of the tick.

        Raises:
          NodeError: if it addresses a node that is no control of it, or its state does
            not fit `state_spec`.
        """
        asked, state = self._top_down(targets, parent_states, state, tick)
        strangers = sorted(set(asked) - set(self.control_names))
        if strangers:
            raise NodeError(
                f"node {self.name!r}, top_down: sends targets to {strangers}, which it does not "
                f"control; its controls are {self.control_names}: name them in control_names"
            )
        return asked, self._checked("top_down", state)

    def decision(self, state: State) -> Nest:
        """Returns what to record of a tick that ended in `state` (`decision_spec`)."""
        return self._decision(state)

    # -- energy ----------------------------------------------------------------------

    def bill(self, state: State, unpaid: tf.Tensor) -> tf.Tensor:
        """Returns what the node owes or asks of its supplier after a tick: `[B, E]`, ≥ 0.

        Args:
          state: The node's final state of the tick.
          unpaid: What is left of its earlier bills, `[B, E]`.
        """
        return self._bill(state, unpaid)

    def take_bills(self, states: Mapping[str, State], state: State) -> State:
        """Returns a supplier's state with the bills of the tick that ended in `states`."""
        return self._checked("take_bills", self._take_bills(states, state))

    # -- what readers and controllers see -----------------------------------------

    def signal(self, state: State) -> tf.Tensor:
        """Returns what children read: floats `[..., signal_size]`."""
        return self._signal(state)

    def executed(self, state: State) -> tf.Tensor:
        """Returns what a control did at the tick that ended in `state`: `[..., control_size]`."""
        return self._executed(state)

    def encode(self, target: Nest) -> tf.Tensor:
        """Returns a target as the floats that predictors read: `[..., control_size]`."""
        return self._encode(target)

    def decode(self, control: tf.Tensor) -> Nest:
        """Returns the target whose encoding is nearest to `control` `[..., control_size]`."""
        return self._decode(control)

    def candidates(self, state: State, count: int, seed: tf.Tensor) -> tf.Tensor:
        """Returns encoded targets the control can reach from `state`: `[B, N, control_size]`.

        All there are if they can be enumerated, else `count` samples.
        """
        return self._candidates(state, count, seed)

    # -- learning ---------------------------------------------------------------

    def replayed(self, experience: Experience) -> tf.Tensor:
        """Returns what the control did at each frame, encoded: `[B, T, control_size]`."""
        return self._replayed(experience)

    def perceive(self, parents: Mapping[str, State], recorded: State, experience: Experience) -> State:
        """Re-runs `bottom_up` over recorded time with today's parameters.

        Args:
          parents: Recomputed states of the parents, `[B, T, ...]`.
          recorded: The node's states before each tick as recorded, `[B, T, ...]`.
          experience: Step types, controls, decision and the like; its `state` is `recorded`
            and its `neighbors` are empty.

        Returns:
          The node's recomputed states `[B, T, ...]`.
        """
        # What parents add for losses ("imagined", say) is not one row a frame.
        seen = {
            p: s if p in (ENVIRONMENT, SUPPLIER) else {k: s[k] for k in self.peer(p).state_spec}
            for p, s in parents.items()
        }
        return self._perceive(seen, recorded, experience)

    def loss(self, experience: Experience) -> Optional[NodeLoss]:
        """Returns the node's differentiable loss, or None if the optimiser is not its teacher."""
        return self._loss(experience)

    def train(self, experience: Experience, weights: tf.Tensor) -> Optional[NodeLoss]:
        """Learns by the node's own means (an RLNode's agent), or returns None."""
        return self._train(experience, weights)

    def assess(self, experience: Experience, weights: tf.Tensor) -> Optional[NodeLoss]:
        """Returns what `train` would, without learning; None for nodes without `train`."""
        return self._assess(experience, weights)

    def learned(self) -> list[tuple[tf.Variable, float]]:
        """Returns what the optimiser steps, with the scale of each variable's step."""
        return self._learned()

    def after_update(self, experience: Experience, step: tf.Tensor) -> None:
        """Moves slow copies and running statistics, each update, before the optimiser's step."""
        self._after_update(experience, step)

    def initialize(self) -> None:
        """Makes slow copies equal to what they follow; called by `agent.initialize`."""
        self._initialize()

    # -- hooks --------------------------------------------------------------------

    def _bind(self) -> None:
        """Reads `self.peer(name)` and fixes the specs."""

    def _bind_neighbors(self) -> None:
        """As `_bind`, for neighbours."""

    def _bind_supplier(self, supplier: "InfoNode") -> None:
        self._prices = billing.prices(self, supplier)

    def _bind_clients(self, clients: Mapping[str, "InfoNode"]) -> None:
        """Reads whom it supplies and fixes the specs; its clients refuse what holds no energy."""

    def _bill(self, state: State, unpaid: tf.Tensor) -> tf.Tensor:
        return billing.owed(self, self._prices, state, unpaid)

    def _take_bills(self, states: Mapping[str, State], state: State) -> State:
        raise self._cannot("supplies no energy", "_bind_clients and _take_bills")

    def _initial_state(self, batch_size: int | tf.Tensor) -> State:
        return tf.nest.map_structure(lambda s: tf.zeros([batch_size, *s.shape], s.dtype), self.state_spec)

    def _bottom_up(self, parent_states: Mapping[str, State], state: State, tick: Tick) -> State:
        return state

    def _forward(
        self, neighbor_states: Mapping[str, State], state: State, tick: Tick
    ) -> tuple[Optional[Target], State]:
        return None, state

    def _top_down(
        self,
        targets: Mapping[str, Target],
        parent_states: Mapping[str, State],
        state: State,
        tick: Tick,
    ) -> tuple[dict[str, Target], State]:
        return {}, state

    def _decision(self, state: State) -> Nest:
        return ()

    def _signal(self, state: State) -> tf.Tensor:
        raise self._cannot("is read by a child, but says nothing", "_signal and signal_size")

    def _executed(self, state: State) -> tf.Tensor:
        raise self._cannot("is no control", "_executed and control_size")

    def _encode(self, target: Nest) -> tf.Tensor:
        raise self._cannot("is no control", "_encode and control_size")

    def _decode(self, control: tf.Tensor) -> Nest:
        raise self._cannot("is no control", "_decode and control_size")

    def _replayed(self, experience: Experience) -> tf.Tensor:
        return experience.decision["value"]

    def _candidates(self, state: State, count: int, seed: tf.Tensor) -> tf.Tensor:
        raise self._cannot("proposes no candidates", "_candidates")

    def _perceive(
        self, parents: Mapping[str, State], recorded: State, experience: Experience
    ) -> State:
        tick = Tick(experience.seed, experience.modes)
        if self.recurrent:
            return scan_bottom_up(self, parents, recorded, experience.step_type, tick)
        outer = outer_shape(experience.step_type, 2)
        parents, recorded = tf.nest.map_structure(fold_time, (dict(parents), recorded))
        state = self.bottom_up(parents, recorded, tick)
        return tf.nest.map_structure(
            lambda x: tf.reshape(x, outer + x.shape[1:].as_list()), state
        )

    def _loss(self, experience: Experience) -> Optional[NodeLoss]:
        return None

    def _train(self, experience: Experience, weights: tf.Tensor) -> Optional[NodeLoss]:
        return None

    def _assess(self, experience: Experience, weights: tf.Tensor) -> Optional[NodeLoss]:
        return None

    def _learned(self) -> list[tuple[tf.Variable, float]]:
        return [(v, self.lr_multiplier) for v in self.trainable_variables]

    def _after_update(self, experience: Experience, step: tf.Tensor) -> None:
        pass

    def _initialize(self) -> None:
        pass

    # -- checks -------------------------------------------------------------------

    def _checked(self, stage: str, state: State) -> State:
        try:
            tf.nest.assert_same_structure(self.state_spec, state)
        except (ValueError, TypeError) as error:
            raise NodeError(
                f"node {self.name!r}, {stage}: returned a state that does not fit its "
                f"state_spec. Expected {_brief(self.state_spec)}, got {_brief(state)}; return "
                "every entry of state_spec and nothing else"
            ) from error
        leaves = zip(tf.nest.flatten(self.state_spec), tf.nest.flatten(state))
        for spec, leaf in leaves:
            if leaf.dtype != spec.dtype or not leaf.shape[1:].is_compatible_with(spec.shape):
                raise NodeError(
                    f"node {self.name!r}, {stage}: expected a state leaf [B, *{spec.shape}] of "
                    f"{spec.dtype.name}, got {leaf.shape} of {leaf.dtype.name}"
                )
        return state

    def _cannot(self, why: str, hooks: str) -> NodeError:
        return NodeError(f"node {self.name!r} ({type(self).__name__}) {why}: override {hooks}")


def _brief(nest: Nest) -> str:
    return str(tf.nest.map_structure(lambda x: f"{x.dtype.name}{x.shape.as_list()}", nest))
