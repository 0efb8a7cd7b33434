"""DriveSensor: the reward of a body that wants to stay at its set points."""
from __future__ import annotations

from typing import Iterable, Mapping

import gin
import tensorflow as tf

from infonodes.info_nodes.info_node import SCALAR, InfoNode
from infonodes.info_nodes.organs.energetics.storage import EnergyStorage
from infonodes.rules import energy as rules
from infonodes.types import ENVIRONMENT, GraphError, State, Tick

FORMS = ("drive_reduction", "negative_cost")


@gin.configurable(module="infonodes")
class DriveSensor(InfoNode):
    """Feels how well the last move was for the body.

    ```
    D      = Σ over storages of D(balance), their drives
    value  = task · the environment's reward + weight · (D before − D now)    drive_reduction
                                             or − weight · D                  negative_cost
    ```

    The balance counts what the body has already used and not yet paid, so that a move is felt
    when it was made; but for what is billed by signal, such as exposure, which is sensed before it
    is billed, and felt a tick after the move. At an episode's first step there is no move: the value is 0. It says the
    value, and costs nothing: the storages cost their drives themselves.

    ```
    state  {'value': [], 'drive': [], 'discount': [], 'first': [], 'cost': []}
    ```
    """

    def __init__(
        self,
        name: str,
        organ_names: Iterable[str],
        form: str = "drive_reduction",
        weight: float = 1.0,
        task: float = 0.0,
        power: float = 2.0,
        root: float = 2.0,
    ):
        """Builds the node.

        Args:
          name: Name of the node.
          organ_names: The storages whose drives it feels.
          form: `drive_reduction` (Keramati & Gutkin 2014) or `negative_cost` (the notes').
          weight: Of the drives, ≥ 0.
          task: Weight of the environment's reward, ≥ 0.
          power: n of `rules.energy.drive`.
          root: m of it.

        Raises:
          GraphError: for an unknown form, or a negative weight.
        """
        self._organ_names = tuple(organ_names)
        super().__init__(name, (*self._organ_names, ENVIRONMENT))
        if form not in FORMS:
            raise GraphError(f"node {name!r}: form={form!r}: expected one of {FORMS}")
        if weight < 0 or task < 0:
            raise GraphError(f"node {name!r}: weight={weight}, task={task}: expected 0 or more; raise them")
        self._form, self._weight, self._task = form, weight, task
        self._power, self._root = power, root
        self.state_spec = dict.fromkeys(("value", "drive", "discount", "first", "cost"), SCALAR)
        self.signal_size = 1

    def _bind(self) -> None:
        for name in self._organ_names:
            if not isinstance(self.peer(name), EnergyStorage):
                raise GraphError(
                    f"node {self.name!r}: organ_names has {name!r}, a {type(self.peer(name)).__name__} without a set "
                    "point; name EnergyStorages"
                )

    def _bottom_up(self, parent_states: Mapping[str, State], state: State, tick: Tick) -> State:
        world = parent_states[ENVIRONMENT]
        first = tf.equal(world["step_type"], 0)
        task = tf.cast(world["reward"], tf.float32)
        drives = []
        for name in self._organ_names:
            organ = self.peer(name)
            assert isinstance(organ, EnergyStorage)
            balance = organ.balance(parent_states[name])
            drives.append(rules.drive(balance, tf.constant(organ.set_point), self._power, self._root))
        drive = tf.add_n(drives) if drives else tf.zeros_like(task)
        felt = rules.negative_cost(drive)
        if self._form == "drive_reduction":
            felt = rules.drive_reduction(state["drive"], drive)
        return {
            "value": tf.where(first, 0.0, self._task * task + self._weight * felt),
            "drive": drive,
            "discount": tf.cast(world["discount"], tf.float32),
            "first": tf.cast(first, tf.float32),
            "cost": tf.zeros_like(task),
        }

    def _signal(self, state: State) -> tf.Tensor:
        return state["value"][..., None]
