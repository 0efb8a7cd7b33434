"""SymbolWorkspaceNode: data too large to see at once, and a cursor that looks at a part."""
from __future__ import annotations

import abc
from typing import Mapping, Optional

import numpy as np
import tensorflow as tf
import tree

from infonodes.info_nodes.info_node import SCALAR, InfoNode
from infonodes.info_nodes.organs.gym import GymSpaceNode
from infonodes.info_nodes.organs.navigable_modality.settings import WorkspaceSettings
from infonodes.info_nodes.organs.navigable_modality.sub_nodes import DataNode, LocNode
from infonodes.info_nodes.rows import where_row
from infonodes.packing import outer_shape
from infonodes.types import ENVIRONMENT, GraphError, Nest, State, Target, Tick, leaf_key


class SymbolWorkspaceNode(InfoNode, abc.ABC):
    """Keeps data and a cursor on them, and sees the window at the cursor.

    ```
    sees   the window of the data at `loc`
    keeps  data (but for load='every'), loc, the window
    says   the window, flat; its sub-nodes say what perception_fns make of it, and the place
    costs  nothing
    ```

    Two **sub-nodes** stand between it and the rest of the graph: `<name>_loc` is a control that
    takes moves of the cursor, `<name>_data` says what is seen, and is a control that takes
    writes if the workspace is interactive. Both are children of the workspace and its only
    senders; a graph takes all three, `workspace.info_nodes`.

    ```
    bottom_up  window_t = f_window(data_t, loc_t)
    top_down   data_{t+1} = data_t with what is written at loc_t
               loc_{t+1} = loc_t moved        (a write lands where the window was read)
    state  {'data': [*data] or (), 'loc': [...], 'window': [*window], 'did': [U], 'cost': []}
    ```

    Nothing here is learned, and training re-runs perception from recorded states, so that
    ticks are independent of each other there. Subclasses say what a window is, how a cursor
    moves and how a write lands.

    Attributes:
      settings: As given.
      data_spec: Of one row's data as kept.
      window_spec: Of one row's window.
      places: How many places the data have: the window covers a share of them.
      loc_info_nodes: The sub-node that moves the cursor.
      data_info_nodes: The sub-node that shows the window and takes writes.
    """

    def __init__(
        self,
        name: str,
        data_spec: tf.TensorSpec,
        window_spec: tf.TensorSpec,
        start: np.ndarray,
        place_size: int,
        move_codec: GymSpaceNode,
        write_codec: Optional[GymSpaceNode],
        settings: WorkspaceSettings,
    ):
        """Builds the node and its sub-nodes.

        Args:
          name: Name of the node.
          data_spec: Of one row's data, as kept.
          window_spec: float32, of one row's window.
          start: Where the cursor is at an episode's start.
          place_size: Width of what `place` returns.
          move_codec: Actuator whose spec is that of a move.
          write_codec: The same of a write; used if the workspace is interactive.
          settings: See `WorkspaceSettings`.

        Raises:
          GraphError: if the settings do not fit each other.
        """
        super().__init__(name, parent_names=(ENVIRONMENT,))
        settings.check(name)
        self.settings = settings
        self.data_spec, self.window_spec = data_spec, window_spec
        self._start = start
        self._codecs = {"move": move_codec}
        if settings.interactive:
            assert write_codec is not None
            self._codecs["write"] = write_codec
        self._widths = [codec.control_size for codec in self._codecs.values()]
        self.target_spec = {part: codec.spec for part, codec in self._codecs.items()}
        self.control_size = sum(self._widths)
        self.signal_size = int(np.prod(window_spec.shape.as_list()))
        did = tf.TensorSpec([self.control_size], tf.float32)
        self.state_spec = {
            "data": data_spec if settings.load == "first" else (),
            "loc": tf.TensorSpec(start.shape, tf.as_dtype(start.dtype)),
            "window": window_spec,
            "did": did,
            "cost": SCALAR,
        }
        self.decision_spec = {"value": did}
        self.loc_info_nodes = (LocNode(self, move_codec, place_size),)
        self.data_info_nodes = (DataNode(self, self._codecs.get("write")),)

    @property
    def info_nodes(self) -> tuple[InfoNode, ...]:
        """The workspace and its sub-nodes, for a graph's list of nodes."""
        return (self, *self.data_info_nodes, *self.loc_info_nodes)

    @property
    @abc.abstractmethod
    def places(self) -> int:
        """How many places the data have."""

    @abc.abstractmethod
    def f_window(self, data: tf.Tensor, loc: tf.Tensor) -> tf.Tensor:
        """Returns the window of `data` `[B, *data]` at `loc`: float32 `[B, *window]`."""

    @abc.abstractmethod
    def place(self, loc: tf.Tensor) -> tf.Tensor:
        """Returns `loc` `[B, ...]` as features in [-1, 1], `[B, place_size]`."""

    @abc.abstractmethod
    def _moved(self, loc: tf.Tensor, move: tf.Tensor) -> tf.Tensor:
        """Returns the cursor after a move, a value of the move codec's spec `[B, ...]`."""

    @abc.abstractmethod
    def _written(self, data: tf.Tensor, loc: tf.Tensor, write: tf.Tensor) -> tf.Tensor:
        """Returns the data after a write, a value of the write codec's spec; zeros write nothing."""

    def _loaded(self, leaf: tf.Tensor) -> tf.Tensor:
        """Returns the observation's leaf as `data_spec` has it."""
        return tf.cast(leaf, self.data_spec.dtype)

    # -- the tick ----------------------------------------------------------------------

    def _initial_state(self, batch_size: int | tf.Tensor) -> State:
        state = super()._initial_state(batch_size)
        return {**state, "loc": tf.broadcast_to(tf.constant(self._start), [batch_size, *self._start.shape])}

    def _bottom_up(self, parent_states: Mapping[str, State], state: State, tick: Tick) -> State:
        world = parent_states[ENVIRONMENT]
        data = state["data"]
        if self.settings.source is not None:
            shown = self._loaded(self._observed(world["observation"]))
            kept = self.settings.load == "first"
            data = where_row(tf.equal(world["step_type"], 0), shown, data) if kept else shown
        after = {**state, "window": self.f_window(data, state["loc"]), "cost": tf.zeros_like(state["cost"])}
        return {**after, "data": data} if self.settings.load == "first" else after

    def _top_down(self, targets, parent_states, state: State, tick: Tick):
        senders = {"move": self.loc_info_nodes[0].name, "write": self.data_info_nodes[0].name}
        strangers = sorted(set(targets) - set(senders.values()))
        if strangers:
            raise GraphError(
                f"node {self.name!r}: {strangers} ask it for targets; it takes moves from its sub-node "
                f"{senders['move']!r} and writes from {senders['write']!r} alone: control those"
            )
        asked = {
            part: self._asked(codec, targets.get(senders[part]), part, state)
            for part, codec in self._codecs.items()
        }
        data = state["data"]
        if "write" in asked:
            data = self._written(data, state["loc"], asked["write"])
        loc = self._moved(state["loc"], asked["move"])
        return {}, {**state, "data": data, "loc": loc, "did": self._encode(asked)}

    def _asked(self, codec: GymSpaceNode, target: Optional[Target], part: str, state: State) -> tf.Tensor:
        """Returns what is asked of one part, rest where nothing is."""
        rest = tf.zeros(outer_shape(state["cost"], 1) + codec.spec.shape.as_list(), codec.spec.dtype)
        return rest if target is None else where_row(target.valid, target.value[part], rest)

    def _decision(self, state: State) -> Nest:
        return {"value": state["did"]}

    def _signal(self, state: State) -> tf.Tensor:
        window = state["window"]
        return tf.reshape(window, outer_shape(window, window.shape.rank - len(self.window_spec.shape)) + [-1])

    # -- as a control, of its sub-nodes ------------------------------------------------------

    def _executed(self, state: State) -> tf.Tensor:
        return state["did"]

    def _encode(self, target: Nest) -> tf.Tensor:
        return tf.concat([codec.encode(target[part]) for part, codec in self._codecs.items()], axis=-1)

    def _decode(self, control: tf.Tensor) -> Nest:
        parts = tf.split(control, self._widths, axis=-1)
        return {part: codec.decode(code) for (part, codec), code in zip(self._codecs.items(), parts)}

    def _candidates(self, state: State, count: int, seed: tf.Tensor) -> tf.Tensor:
        seeds = tf.unstack(tf.random.experimental.stateless_split(seed, len(self._codecs)))
        outer = outer_shape(state["cost"], 1) + [count]
        drawn = [
            codec._sample(outer, s)  # pylint: disable=protected-access
            for codec, s in zip(self._codecs.values(), seeds)
        ]
        return tf.concat(drawn, axis=-1)

    # -- help for subclasses -----------------------------------------------------------------

    def _observed(self, observation: Nest) -> tf.Tensor:
        """Returns the leaf of the observation that holds the data.

        Raises:
          GraphError: if there is none at `source`, or it is of another shape.
        """
        leaves = {leaf_key(p): leaf for p, leaf in tree.flatten_with_path(observation)}
        if self.settings.source not in leaves:
            raise GraphError(
                f"node {self.name!r} reads its data at {self.settings.source!r}, and the observation has the leaves "
                f"{sorted(leaves)}; set source to one of them"
            )
        leaf = leaves[self.settings.source]
        if leaf.shape[1:].as_list() != self.data_spec.shape.as_list():
            raise GraphError(
                f"node {self.name!r}: expected data {self.data_spec.shape.as_list()} a row at "
                f"{self.settings.source!r}, got {leaf.shape[1:].as_list()}; set bounds (and channels) to what is shown"
            )
        return leaf
