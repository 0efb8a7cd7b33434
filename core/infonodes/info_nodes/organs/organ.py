"""Organ: a node with energy of its own."""
from __future__ import annotations

from typing import Iterable, Mapping, Optional

import gin
import numpy as np
import tensorflow as tf
import tree
from tf_agents.specs import tensor_spec

from infonodes.info_nodes.info_node import SCALAR, InfoNode
from infonodes.info_nodes.organs.organ_settings import OrganSettings, matrix, vector
from infonodes.info_nodes.rows import pick_target, where_row
from infonodes.packing import outer_shape
from infonodes.rules import energy as rules
from infonodes.types import ENVIRONMENT, SUPPLIER, GraphError, Nest, State, Target, Tick, leaf_key

# Targets are logits: σ(±4) is 2 and 98 % of the energy there is.
_MOST = 4.0


@gin.configurable(module="infonodes")
class Organ(InfoNode):
    """Lives on energy from its supplier or from outside, and spends it on what it is asked to do.

    ```
    bottom_up  received = clip(bill, 0, what the supplier had)     energy += usefulness · received
               clients are served the same way from what it had    debt is exacted from the income
    top_down   spent = clip(basal + σ(target) · energy, 0, energy)
    then       bill = unpaid + spent − gained, as it has room       clients' bills are booked
    ```

    It sees its supplier as it was before the pass; keeps its energy, debt and the bills of its
    clients; says how full and how indebted it is, in shares of its capacity `[2 E]`; costs what
    it spends. It is a control: its targets are logits `[E]` of how much of its energy to use.

    ```
    state  {'energy': [E], 'debt': [E], 'activity': [E] encoded target, 'bills': [C, E] if it has
            clients; of this tick: 'spent': [E], 'lost': [], 'gained': [I], 'cost': []}
    ```

    Clients that are no organs have acted already when they are billed: what they owe counts as
    spent at once, and as owed until it is paid. What organs ask for is no debt: they live on
    what they have until it comes.

    Attributes:
      settings: See `OrganSettings`.
      usefulness: `[E, I]`.
      capacity: `[E]`.
      client_names: Whom it supplies, in the order of `bills`.
    """

    # Encoded target of an organ that nobody asks for anything.
    _idle = -1.0

    _TF_MODULE_IGNORED_PROPERTIES = frozenset(("_clients", *InfoNode._TF_MODULE_IGNORED_PROPERTIES))

    def __init__(
        self,
        name: str,
        settings: OrganSettings = OrganSettings(),
        energy_node_name: Optional[str] = None,
        parent_names: Iterable[str] = (),
    ):
        """Builds the node.

        Args:
          name: Name of the node.
          settings: See `OrganSettings`.
          energy_node_name: Its supplier, or None if it lives on its start and its intake.
          parent_names: Further nodes to read; for subclasses.

        Raises:
          GraphError: for vectors of unlike length, a capacity of nothing, or a usefulness that
            makes energy.
        """
        parents = (*parent_names, ENVIRONMENT) if settings.intake is not None else tuple(parent_names)
        super().__init__(name, parents, energy_node_name=energy_node_name)
        self.settings = settings
        if settings.components < 1:
            raise GraphError(f"node {name!r}: components={settings.components}: expected at least 1")
        self.energy_size = size = int(settings.components)
        self.capacity = vector(name, "capacity", settings.capacity, size, positive=True)
        self._start = vector(name, "start", settings.start, size)
        if np.any(self._start > self.capacity):
            raise GraphError(
                f"node {name!r}: start {settings.start} is above its capacity {settings.capacity}; lower it"
            )
        self._basal = vector(name, "basal", settings.basal, size)
        self.usefulness = matrix(name, "usefulness", settings.usefulness, size)
        self.client_names: tuple[str, ...] = ()
        self._clients: tuple[InfoNode, ...] = ()
        self._plain: tuple[int, ...] = ()
        self._row = 0
        self.signal_size = 2 * size
        self.control_size = size
        self.target_spec = tensor_spec.BoundedTensorSpec([size], tf.float32, -_MOST, _MOST, name)
        whole = tf.TensorSpec([size], tf.float32)
        self.decision_spec = {"value": whole}
        self.state_spec = {"energy": whole, "debt": whole, "activity": whole}
        taken_in = tf.TensorSpec([self.usefulness.shape[1]], tf.float32)
        self.state_spec.update(spent=whole, lost=SCALAR, gained=taken_in, cost=SCALAR)

    # -- binding -----------------------------------------------------------------------

    def _bind_clients(self, clients: Mapping[str, InfoNode]) -> None:
        self.client_names = tuple(sorted(clients))
        self._clients = tuple(clients[name] for name in self.client_names)
        self._plain = tuple(i for i, node in enumerate(self._clients) if not node.energy_size)
        self.state_spec["bills"] = tf.TensorSpec([len(clients), self.energy_size], tf.float32)

    def _bind_supplier(self, supplier: InfoNode) -> None:
        wanted = self.usefulness.shape[1]
        if wanted != supplier.energy_size:
            raise GraphError(
                f"node {self.name!r} takes in {wanted} energy components, its supplier {supplier.name!r} has "
                f"{supplier.energy_size}; make them equal, or give a usefulness or conversion matrix of "
                f"[{self.energy_size}, {supplier.energy_size}]"
            )
        self._row = supplier.client_names.index(self.name)  # type: ignore[attr-defined]

    def _initial_state(self, batch_size: int | tf.Tensor) -> State:
        state = super()._initial_state(batch_size)
        return {**state, "energy": tf.tile(tf.constant(self._start)[None], [batch_size, 1])}

    # -- the tick ----------------------------------------------------------------------

    def _bottom_up(self, parent_states: Mapping[str, State], state: State, tick: Tick) -> State:
        gained = tf.zeros_like(state["gained"])
        if self.settings.intake is not None:
            gained = self._eaten(parent_states[ENVIRONMENT]["observation"])
        income = gained
        if self.energy_node_name is not None:
            supplier = parent_states[SUPPLIER]
            row = supplier["bills"][:, self._row : self._row + 1]  # Its own alone: the rows of all would be C² work.
            income += rules.draw(row, supplier["energy"])[:, 0]
        feeds, harms, wasted = rules.digest(income, tf.constant(self.usefulness))
        after = {**state, "spent": tf.zeros_like(state["spent"]), "gained": gained}
        given = tf.zeros_like(state["energy"])
        if self._clients:
            paid = rules.draw(state["bills"], state["energy"])
            after["bills"] = state["bills"] - paid
            given = tf.reduce_sum(paid, axis=1)
        capacity = tf.constant(self.capacity)
        energy, debt, lost = rules.settle(state["energy"], state["debt"], feeds, harms, given, capacity)
        after.update(energy=energy, debt=debt, lost=lost + wasted)
        after["cost"] = self._cost(after)
        return after

    def _eaten(self, observation: Nest) -> tf.Tensor:
        leaves = {leaf_key(p): leaf for p, leaf in tree.flatten_with_path(observation)}
        leaf = leaves.get(self.settings.intake or "")
        size = self.usefulness.shape[1]
        if leaf is None or leaf.shape[1:] != [size]:
            found = {key: each.shape[1:].as_list() for key, each in leaves.items()}
            raise GraphError(
                f"node {self.name!r}: intake {self.settings.intake!r}: expected an observation leaf of shape [{size}], "
                f"as its usefulness is {list(self.usefulness.shape)}; the observation has {found}"
            )
        return tf.maximum(tf.cast(leaf, tf.float32), 0.0)

    def _top_down(self, targets, parent_states, state: State, tick: Tick):
        target = self._pick(targets, tick)
        demanded = tf.constant(self._basal) + tf.zeros_like(state["energy"])
        activity = self._idle * tf.ones_like(state["energy"])
        if target is not None:
            value = self._decode(self._encode(target.value))
            demanded += where_row(target.valid, self._demand(value, state), tf.zeros_like(value))
            activity = where_row(target.valid, self._encode(value), activity)
        energy, spent = rules.spend(state["energy"], demanded)
        after = {**state, "energy": energy, "activity": activity, "spent": spent}
        after["cost"] = self._cost(after)
        return {}, after

    def _pick(self, targets: Mapping[str, Target], tick: Tick) -> Optional[Target]:
        """Returns the target to follow; at random in mode `random`."""
        target = pick_target(targets, tick.seed)
        if target is not None and tick.modes.collect == "random" and not tick.modes.greedy:
            drawn = tf.random.stateless_uniform(tf.shape(target.value), tick.seed, -1.0, 1.0)
            return Target(self._decode(drawn), tf.ones_like(target.valid))
        return target

    def _demand(self, target: tf.Tensor, state: State) -> tf.Tensor:
        return rules.demand(target, state["energy"])

    def _cost(self, state: State) -> tf.Tensor:
        """Returns what the state costs, `[B]` ≥ 0; set in `bottom_up` and after `top_down`."""
        return tf.reduce_sum(state["spent"], axis=-1)

    # -- bills --------------------------------------------------------------------------

    def _ask(self, need: tf.Tensor) -> tf.Tensor:
        """Returns what to ask of the supplier to cover a need `[B, E]`: `[B, I]`."""
        return rules.ask(need, tf.constant(self.usefulness))

    def _bill(self, state: State, unpaid: tf.Tensor) -> tf.Tensor:
        fed, _, _ = rules.digest(state["gained"], tf.constant(self.usefulness))
        used = tf.maximum(state["spent"] - fed, 0.0)
        room = tf.maximum(tf.constant(self.capacity) - state["energy"] + state["debt"], 0.0)
        return rules.refill(unpaid, self._ask(used), self._ask(room))

    def _asked(self, state: State) -> tf.Tensor:
        """Returns the outstanding bills of all clients together, `[B, E]`."""
        return tf.reduce_sum(state["bills"], axis=1) if self._clients else tf.zeros_like(state["energy"])

    def _lacking(self, state: State, set_point: tf.Tensor) -> tf.Tensor:
        """Returns what it must take in to stand at `set_point` once all is paid, as it has room, `[B, E]`."""
        net, asked = state["energy"] - state["debt"], self._asked(state)
        paid = tf.reduce_sum(rules.draw(state["bills"], state["energy"]), axis=1) if self._clients else asked
        return rules.storage_target(net, asked, paid, set_point, tf.constant(self.capacity))

    def _take_bills(self, states: Mapping[str, State], state: State) -> State:
        rows = [
            client.bill(states[client.name], state["bills"][:, i]) for i, client in enumerate(self._clients)
        ]
        bills = tf.stack(rows, axis=1)  # [B, C, E]
        acted = tf.zeros_like(state["spent"])
        if self._plain:
            rise = tf.gather(bills - state["bills"], self._plain, axis=1)
            acted = tf.reduce_sum(rise, axis=1)
        return {**state, "bills": bills, "spent": state["spent"] + acted}

    def deeds(self, state: State) -> tf.Tensor:
        """Returns what clients that are no organs have used and not yet paid, `[..., E]`."""
        if not self._plain:
            return tf.zeros_like(state["energy"])
        return tf.reduce_sum(tf.gather(state["bills"], self._plain, axis=-2), axis=-2)

    def balance(self, state: State) -> tf.Tensor:
        """Returns what the organ has once its debt and its clients' deeds are paid, `[..., E]`."""
        return state["energy"] - state["debt"] - self.deeds(state)

    # -- what readers and controllers see -------------------------------------------------

    def _decision(self, state: State) -> Nest:
        return {"value": state["activity"]}

    def _signal(self, state: State) -> tf.Tensor:
        capacity = tf.constant(self.capacity)
        return tf.concat([state["energy"] / capacity, tf.tanh(state["debt"] / capacity)], axis=-1)

    def _executed(self, state: State) -> tf.Tensor:
        return state["activity"]

    def _encode(self, target: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(target / _MOST, -1.0, 1.0)

    def _decode(self, control: tf.Tensor) -> tf.Tensor:
        return _MOST * tf.clip_by_value(control, -1.0, 1.0)

    def _candidates(self, state: State, count: int, seed: tf.Tensor) -> tf.Tensor:
        shape = outer_shape(state["cost"], 1) + [count, self.control_size]
        return tf.random.stateless_uniform(shape, seed, -1.0, 1.0)
