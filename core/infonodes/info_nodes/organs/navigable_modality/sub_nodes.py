"""The sub-nodes of a workspace: one shows the window and takes writes, one moves the cursor."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional

import numpy as np
import tensorflow as tf

from infonodes.info_nodes.info_node import SCALAR, InfoNode
from infonodes.info_nodes.organs.gym import GymSpaceNode
from infonodes.packing import outer_shape
from infonodes.types import ENVIRONMENT, GraphError, Nest, State, Target, Tick

if TYPE_CHECKING:
    from infonodes.info_nodes.organs.navigable_modality.base import SymbolWorkspaceNode


class SubNode(InfoNode):
    """A child of a workspace that hands on to it, as one part of its target, what is asked.

    It is an actuator whose environment is the workspace: a row that is asked for nothing
    rests, and `Modes.collect == 'random'` (unless greedy) makes it deaf and act at random.

    ```
    state     {'seen': [signal_size], 'value': [control_size] what it did, 'cost': []}
    decision  {'value': [control_size]} if it is a control
    ```
    """

    def __init__(
        self, workspace: SymbolWorkspaceNode, part: str, suffix: str, size: int, codec: Optional[GymSpaceNode]
    ):
        """Builds the node.

        Args:
          workspace: Its parent and, if there is a codec, its control.
          part: Key of its part in the workspace's target.
          suffix: Its name is the workspace's with this.
          size: Width of what it says.
          codec: Actuator whose values it takes; None takes no targets.
        """
        self.workspace_name = workspace.name
        super().__init__(
            f"{workspace.name}_{suffix}",
            (workspace.name,),
            control_names=(workspace.name,) if codec is not None else (),
        )
        self._part, self._codec = part, codec
        self.signal_size = size
        self.state_spec = {"seen": tf.TensorSpec([size], tf.float32), "cost": SCALAR}
        if codec is not None:
            self.target_spec, self.blocks = codec.spec, codec.blocks
            self.control_size = codec.control_size
            self.decision_spec = {"value": tf.TensorSpec([self.control_size], tf.float32)}
            self.state_spec["value"] = self.decision_spec["value"]

    def _bind(self) -> None:
        workspace = self.peer(self.workspace_name)
        if self not in getattr(workspace, "info_nodes", ()):
            raise GraphError(
                f"node {self.name!r} belongs to another workspace than the {self.workspace_name!r} of this graph; take "
                "both from one workspace.info_nodes"
            )

    def _top_down(self, targets, parent_states, state: State, tick: Tick):
        if self._codec is None:
            return {}, state
        own = {"value": state["value"], "cost": state["cost"]}
        asked, did = self._codec.top_down(targets, {}, own, tick)
        target: Target = asked[ENVIRONMENT]
        batch = outer_shape(state["cost"], 1)
        asked_of_it: Any = self.peer(self.workspace_name).target_spec
        whole = {
            part: tf.zeros(batch + spec.shape.as_list(), spec.dtype) for part, spec in asked_of_it.items()
        }
        whole[self._part] = target.value
        return {self.workspace_name: Target(whole, target.valid)}, {**state, "value": did["value"]}

    def _decision(self, state: State) -> Nest:
        return () if self._codec is None else {"value": state["value"]}

    def _signal(self, state: State) -> tf.Tensor:
        return state["seen"]

    def _executed(self, state: State) -> tf.Tensor:
        return super()._executed(state) if self._codec is None else state["value"]

    def _encode(self, target: Nest) -> tf.Tensor:
        return super()._encode(target) if self._codec is None else self._codec.encode(target)

    def _decode(self, control: tf.Tensor) -> Nest:
        return super()._decode(control) if self._codec is None else self._codec.decode(control)

    def _candidates(self, state: State, count: int, seed: tf.Tensor) -> tf.Tensor:
        if self._codec is None:
            return super()._candidates(state, count, seed)
        return self._codec.candidates({"cost": state["cost"]}, count, seed)


class LocNode(SubNode):
    """Says where the cursor is, and takes moves of it; costs nothing."""

    def __init__(self, workspace: SymbolWorkspaceNode, codec: GymSpaceNode, place_size: int):
        """Builds the node.

        Args:
          workspace: Whose cursor it is.
          codec: Actuator whose values are moves.
          place_size: Width of a place.
        """
        super().__init__(workspace, "move", "loc", place_size, codec)
        self._see = workspace.place

    def _bottom_up(self, parent_states: Mapping[str, State], state: State, tick: Tick) -> State:
        return {**state, "seen": self._see(parent_states[self.workspace_name]["loc"])}


class DataNode(SubNode):
    """Says what `perception_fns` make of the window, and takes writes if the workspace is interactive."""

    def __init__(self, workspace: SymbolWorkspaceNode, codec: Optional[GymSpaceNode]):
        """Builds the node.

        Args:
          workspace: Whose data these are.
          codec: Actuator whose values are writes; None for a workspace that is read only.

        Raises:
          GraphError: if a perception function does not return one row of features a row, or
            makes no finite numbers of a window of zeros.
        """
        self._perceive_fns = workspace.settings.perception_fns
        blank = tf.zeros([2, *workspace.window_spec.shape])
        for i, function in enumerate(self._perceive_fns):
            found = function(blank)
            if found.dtype != tf.float32 or found.shape.rank != 2 or found.shape[0] != 2:
                raise GraphError(
                    f"node {workspace.name!r}: perception_fns[{i}] made {found.dtype.name} {found.shape} of a window "
                    f"{blank.shape}; expected float32 [B, S]"
                )
            if not np.all(np.isfinite(found)):
                raise GraphError(
                    f"node {workspace.name!r}: perception_fns[{i}] made numbers that are not finite of a window of "
                    f"zeros {blank.shape}; take a larger window, or another function"
                )
        super().__init__(workspace, "write", "data", self._features(blank).shape[1], codec)

    def _features(self, window: tf.Tensor) -> tf.Tensor:
        return tf.concat([function(window) for function in self._perceive_fns], axis=-1)

    def _bottom_up(self, parent_states: Mapping[str, State], state: State, tick: Tick) -> State:
        return {**state, "seen": self._features(parent_states[self.workspace_name]["window"])}
