"""Checks one frame against the data spec before anything of it is written."""
from __future__ import annotations

from typing import Any, Callable, Optional

import numpy as np
import tree
from tf_agents.trajectories import trajectory as trajectory_lib

from infonodes.replay.faults import ReplayFault
from infonodes.types import Nest, Spec

Explain = Callable[[Nest], Optional[str]]


class FrameCheck:
    """Turns frames into flat leaves that fit `data_spec`, and refuses the others.

    Reverb's writer takes any shape and any NaN; it is the learner that would die of them.

    Attributes:
      paths: Names of the leaves, such as `observation/camera`, in the order of `flatten`.
    """

    def __init__(self, data_spec: Spec, explain: Optional[Explain] = None):
        """Builds the check.

        Args:
          data_spec: Trajectory of `TensorSpec`s of one frame.
          explain: Takes a frame's `policy_info` and says whose value is not finite, for
            the message: the replay itself knows no nodes.
        """
        self._spec = data_spec
        self._explain = explain
        found = tree.flatten_with_path(data_spec)
        self.paths = ["/".join(str(p) for p in path) for path, _ in found]
        self._shapes = [tuple(s.shape.as_list()) for _, s in found]
        self._dtypes = [np.dtype(s.dtype.as_numpy_dtype) for _, s in found]
        self._floats = [i for i, d in enumerate(self._dtypes) if d.kind == "f"]

    def flatten(self, frame: trajectory_lib.Trajectory, outer: tuple = ()) -> list[np.ndarray]:
        """Returns the frame's leaves, `[*outer, ...]` each.

        Args:
          frame: A trajectory of NumPy values.
          outer: Outer dimensions, `(B,)` of a batched environment's frame.

        Raises:
          ReplayFault: if structure, dtype or shape differ from the spec.
        """
        try:
            tree.assert_same_structure(self._spec, frame, check_types=False)
        except (ValueError, TypeError) as error:
            raise ReplayFault(
                f"frame: expected the structure of the data spec, leaves {self.paths}; got "
                f"another ({error}). Collect with the policy whose collect_data_spec this "
                "replay was built from; warm up with its random mode, which emits the same info"
            ) from error
        return [self._leaf(i, leaf, outer) for i, leaf in enumerate(tree.flatten(frame))]

    def find_nonfinite(self, leaves: list[np.ndarray]) -> Optional[int]:
        """Returns the index of the first leaf with NaN or infinity, or None."""
        for i in self._floats:
            if not np.isfinite(leaves[i]).all():
                return i
        return None

    def describe_nonfinite(self, index: int, leaf: np.ndarray, policy_info: Nest) -> str:
        """Returns a message about the non-finite `leaf`, with the node if it can be told."""
        path, bad = self.paths[index], leaf[~np.isfinite(leaf)]
        owner = None
        if self._explain is not None and path.startswith("policy_info"):
            owner = self._explain(policy_info)
        return (
            f"frame: {path}{f' ({owner})' if owner else ''}: expected finite values, got "
            f"{bad.size} of {leaf.size} not finite ({bad.flat[0]}). Nothing of this frame was "
            "written and its open episode was dropped; what is stored stays. Mend the "
            "environment or the node, or catch ReplayFault and reset the environment"
        )

    def _leaf(self, i: int, leaf: Any, outer: tuple) -> np.ndarray:
        array = leaf if isinstance(leaf, np.ndarray) else np.asarray(leaf)
        if array.dtype != self._dtypes[i]:
            if not isinstance(leaf, (bool, int, float)):
                raise ReplayFault(
                    f"frame: {self.paths[i]}: expected dtype {self._dtypes[i]}, got "
                    f"{array.dtype}; cast it in the environment or the policy"
                )
            array = array.astype(self._dtypes[i])
        if array.shape != outer + self._shapes[i]:
            raise ReplayFault(
                f"frame: {self.paths[i]}: expected shape {outer + self._shapes[i]}, got "
                f"{array.shape}; mend the environment or the policy (for a batched "
                "environment use observer(batch_size=...))"
            )
        return array
