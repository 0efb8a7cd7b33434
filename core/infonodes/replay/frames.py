"""Checks one frame against the data spec before anything of it is written."""
from __future__ import annotations

from typing import Callable, Optional

import numpy as np
import tree
from tf_agents.trajectories import trajectory as trajectory_lib

from infonodes.replay.faults import ReplayFault
from infonodes.types import Nest, Spec
from infonodes.wire import Wire

Explain = Callable[[Nest], Optional[str]]


class FrameCheck:
    """Turns frames that fit `data_spec` into bytes, and refuses the others.

    Reverb's writer takes any shape and any NaN; it is the learner that would die of them.

    Attributes:
      wire: How the bytes lie.
    """

    def __init__(self, data_spec: Spec, explain: Optional[Explain] = None):
        """Builds the check.

        Args:
          data_spec: Trajectory of `TensorSpec`s of one frame.
          explain: Takes a frame's `policy_info` and says whose value is not finite, for
            the message: the replay itself knows no nodes.
        """
        self._explain = explain
        self.wire = Wire(data_spec)
        self._spec = self.wire.form(self.wire.paths)  # Without the dicts that `tf.Module` wraps, which are slow.

    def encode(self, frame: trajectory_lib.Trajectory, outer: tuple = ()) -> np.ndarray:
        """Returns the frame's bytes, `[*outer, n]`.

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
                f"frame: expected the structure of the data spec, leaves {self.wire.paths}; got "
                f"another ({error}). Collect with the policy whose collect_data_spec this "
                "replay was built from; warm up with its random mode, which emits the same info"
            ) from error
        try:
            return self.wire.encode_arrays(frame, outer)
        except ValueError as error:
            raise ReplayFault(
                f"frame: {error}; mend the environment or the policy (for a batched environment use "
                "observer(batch_size=...))"
            ) from error

    def describe_nonfinite(self, data: np.ndarray, policy_info: Nest) -> str:
        """Returns a message about the first leaf of a frame that is not finite, with the node if it can be told."""
        floats = (pair for pair in zip(self.wire.paths, self.wire.decode_arrays(data)) if pair[1].dtype.kind == "f")
        path, leaf = next((path, leaf) for path, leaf in floats if not np.isfinite(leaf).all())
        bad = leaf[~np.isfinite(leaf)]
        owner = None
        if self._explain is not None and path.startswith("policy_info"):
            owner = self._explain(policy_info)
        return (
            f"frame: {path}{f' ({owner})' if owner else ''}: expected finite values, got "
            f"{bad.size} of {leaf.size} not finite ({bad.flat[0]}). Nothing of this frame was "
            "written and its open episode was dropped; what is stored stays. Mend the "
            "environment or the node, or catch ReplayFault and reset the environment"
        )
