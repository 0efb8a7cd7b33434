"""EnergyStorage: keeps energy, and asks for more before it runs out."""
from __future__ import annotations

from typing import Iterable, Mapping, Optional

import gin
import tensorflow as tf
from tf_agents.specs import tensor_spec

from infonodes.info_nodes.organs.organ import Organ
from infonodes.info_nodes.organs.organ_settings import OrganSettings, Vector, vector
from infonodes.info_nodes.rows import where_row
from infonodes.rules import energy as rules
from infonodes.types import State, Target, Tick


@gin.configurable(module="infonodes")
class EnergyStorage(Organ):
    """A blood, a fat, a battery.

    It serves each client from all it has, pays what that was too much from its next income, and
    never takes an unpaid bill out on its clients: it raises what it asks of its own supplier. It
    costs the drive D(energy − debt), how far it is from its set point. Targets ask it to hold
    that much above its set point; it **sums** them, where other controls pick one.

    See `Organ` for the tick and the state.

    Attributes:
      set_point: What it wants to have, `[E]`.
    """

    def __init__(
        self,
        name: str,
        settings: OrganSettings = OrganSettings(),
        energy_node_name: Optional[str] = None,
        set_point: Optional[Vector] = None,
        parent_names: Iterable[str] = (),
    ):
        """Builds the node.

        Args:
          name: Name of the node.
          settings: See `OrganSettings`.
          energy_node_name: Its supplier, or None.
          set_point: `[E]`, from 0; its start by default.
          parent_names: Further nodes to read; for subclasses.

        Raises:
          GraphError: as for `Organ`, and for a set point of another length.
        """
        super().__init__(name, settings, energy_node_name, parent_names)
        point = settings.start if set_point is None else set_point
        self.set_point = vector(name, "set_point", point, self.energy_size)
        high = self.capacity.tolist()
        self.target_spec = tensor_spec.BoundedTensorSpec([self.energy_size], tf.float32, 0.0, high, name)

    def _pick(self, targets: Mapping[str, Target], tick: Tick) -> Optional[Target]:
        if not targets or tick.modes.collect == "random" and not tick.modes.greedy:
            return super()._pick(targets, tick)
        slots = [targets[sender] for sender in sorted(targets)]
        none = tf.zeros_like(slots[0].value)
        total = tf.add_n([where_row(slot.valid, slot.value, none) for slot in slots])
        return Target(total, tf.reduce_any(tf.stack([slot.valid for slot in slots]), axis=0))

    def _demand(self, target: tf.Tensor, state: State) -> tf.Tensor:
        return tf.zeros_like(target)  # It is asked to hold energy, not to use it.

    def _cost(self, state: State) -> tf.Tensor:
        return rules.drive(self.balance(state), tf.constant(self.set_point))

    def _bill(self, state: State, unpaid: tf.Tensor) -> tf.Tensor:
        del unpaid  # It asks anew at each tick for what it lacks then.
        return self._ask(self._lacking(state, tf.constant(self.set_point) + self._decode(state["activity"])))

    def _encode(self, target: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(2.0 * target / tf.constant(self.capacity) - 1.0, -1.0, 1.0)

    def _decode(self, control: tf.Tensor) -> tf.Tensor:
        return tf.constant(self.capacity) * (tf.clip_by_value(control, -1.0, 1.0) + 1.0) / 2.0

