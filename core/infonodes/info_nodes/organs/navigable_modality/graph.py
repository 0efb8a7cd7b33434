"""NavigableGraph: a sparse graph walked edge by edge."""
from __future__ import annotations

from typing import Iterable

import numpy as np
import tensorflow as tf
from tf_agents.specs import tensor_spec

from infonodes.info_nodes.organs.gym import BoxNode, DiscreteNode
from infonodes.info_nodes.organs.navigable_modality.base import SymbolWorkspaceNode
from infonodes.info_nodes.organs.navigable_modality.settings import WorkspaceSettings, per_axis, value_limits
from infonodes.rules import walks
from infonodes.types import GraphError


class NavigableGraph(SymbolWorkspaceNode):
    """Sees the features of one place of a graph and of its neighbours, and walks along edges.

    The edges are fixed; the data are the places' features `[places, features]`. The window is
    `[1 + K, features + 1]`, K the most neighbours a place has: this place, then its
    neighbours in ascending order, each with a last feature that is 1 where there is an edge.

    `<name>_loc` takes one of 1 + K: 0 stays, k goes along the k-th edge, and where there is
    none stays too. If it is interactive, `<name>_data` takes this place's new features, and as
    the last number a gate in [0, 1]; zeros write nothing.

    Attributes:
      table: Neighbours of each place, `[places, K]`, filled up with -1.
    """

    def __init__(
        self,
        name: str,
        places: int,
        edges: Iterable[tuple[int, int]],
        features: int,
        directed: bool = False,
        start: int = 0,
        value_bounds: tuple[float, float] = (-1.0, 1.0),
        settings: WorkspaceSettings = WorkspaceSettings(),
    ):
        """Builds the node and its sub-nodes.

        Args:
          name: Name of the node.
          places: How many places there are.
          edges: Pairs of places; of a networkx graph `graph.edges`.
          features: Numbers a place.
          directed: Whether an edge can be walked one way only.
          start: Where an episode starts.
          value_bounds: Least and greatest number that can be written.
          settings: See `WorkspaceSettings`.

        Raises:
          GraphError: for sizes below 1, an edge or a start that is no place, value_bounds
            without 0, or settings that do not fit.
        """
        (self._places,) = per_axis(name, "places", places, 1)
        (features,) = per_axis(name, "features", features, 1)
        if not 0 <= start < self._places:
            raise GraphError(f"node {name!r}: start={start}, expected a place from 0 to {self._places - 1}")
        try:
            self.table = walks.neighbor_table(self._places, edges, directed)
        except ValueError as error:
            raise GraphError(f"node {name!r}: {error}; drop that edge, or raise places={self._places}") from error
        ways = 1 + self.table.shape[1]
        choice = tensor_spec.BoundedTensorSpec([], tf.int32, 0, ways - 1, "move")
        low, high = value_limits(name, value_bounds)
        least = np.array([low] * features + [0.0], np.float32)
        greatest = np.array([high] * features + [1.0], np.float32)
        write = tensor_spec.BoundedTensorSpec([features + 1], tf.float32, least, greatest, "write")
        super().__init__(
            name,
            data_spec=tf.TensorSpec([self._places, features], tf.float32),
            window_spec=tf.TensorSpec([ways, features + 1], tf.float32),
            start=np.array(start, np.int32),
            place_size=self._places,
            move_codec=DiscreteNode(choice, "actuator", "", f"{name}_move"),
            write_codec=BoxNode(write, "actuator", "", f"{name}_write"),
            settings=settings,
        )

    @property
    def places(self) -> int:
        return self._places

    def f_window(self, data: tf.Tensor, loc: tf.Tensor) -> tf.Tensor:
        return walks.look(data, loc, self.table)

    def place(self, loc: tf.Tensor) -> tf.Tensor:
        return tf.one_hot(loc, self._places)

    def _moved(self, loc: tf.Tensor, move: tf.Tensor) -> tf.Tensor:
        return walks.walk(loc, move, self.table)

    def _written(self, data: tf.Tensor, loc: tf.Tensor, write: tf.Tensor) -> tf.Tensor:
        value = write[:, :-1]
        for function in self.settings.action_fns:
            value = function(value)
        return walks.inscribe(data, loc, value, write[:, -1])
