"""A policy for Python loops: one array in, one compiled call, one array out."""
from __future__ import annotations

from typing import Any, Optional

import numpy as np
import tensorflow as tf
import tree
from tensorflow.python.eager import context
from tf_agents.policies import py_policy, tf_policy
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import policy_step as ps
from tf_agents.trajectories import time_step as ts

from infonodes.eager_leak import plug
from infonodes.types import Nest
from infonodes.wire import Wire, former


class PackedPyPolicy(py_policy.PyPolicy):
    """Does what TF-Agents' `PyTFEagerPolicy` does, through one concrete function.

    ```
    time step -> bytes [B, n] ┐                 ┌ bytes [B, n] -> action, info
                              ├─ policy.action ─┤
    policy state, tensors ────┘                 └ policy state, tensors
    ```

    The stock one converts each leaf at each call and matches them with the signatures of its traces; here that is
    done once a batch size. The policy state stays in tensors, and rows are reset where their episodes begin, by the
    policy itself.

    `action` takes arrays, `[B, ...]` unless `batch_time_steps`, and returns arrays, but for the state, which stays as
    it is, `[B, ...]`. It raises ValueError for a time step or a state that does not fit its spec, naming the leaf, for
    a state that is not finite, and for a seed: the policy's state, or TensorFlow's generator, has it.

    Attributes:
      policy: What is wrapped.
    """

    def __init__(self, policy: tf_policy.TFPolicy, batch_time_steps: bool = True, jit_compile: Optional[bool] = None):
        """Wraps `policy`; it is traced at the first call.

        Args:
          policy: Any TF policy that resets its own state at first steps, as they do by default.
          batch_time_steps: Whether time steps come without batch dimension.
          jit_compile: Compile with XLA what is around the tick too; None does it where the policy's tick is.
        """
        array_specs = [
            tensor_spec.to_nest_array_spec(spec)
            for spec in (policy.time_step_spec, policy.action_spec, policy.policy_state_spec, policy.info_spec)
        ]
        super().__init__(*array_specs)
        self.policy = policy
        self._batched = not batch_time_steps
        self._jit = getattr(policy, "jit_compile", False) if jit_compile is None else jit_compile
        self._seen = Wire(policy.time_step_spec)
        self._chosen = Wire((policy.action_spec, policy.info_spec))
        self._calls: dict[int, Any] = {}
        self._form_state = former(policy.policy_state_spec)
        # The state of the last step, and its leaves: what comes back unchanged needs no check.
        self._returned: Nest = None
        self._flat: list[tf.Tensor] = []

    def _get_initial_state(self, batch_size: Optional[int]) -> Nest:
        return self.policy.get_initial_state(batch_size or 1)

    def _action(self, time_step: ts.TimeStep, policy_state: Nest, seed: Optional[int] = None) -> ps.PolicyStep:
        if seed is not None:
            raise ValueError("PackedPyPolicy: seed: expected None; seed TensorFlow before the first call instead")
        outer = (len(time_step.step_type),) if self._batched else ()
        try:
            seen = self._seen.encode_arrays(time_step, outer)
        except ValueError as error:
            raise ValueError(f"time step: {error}; mend the environment, or wrap it in GuardedEnvironment") from error
        batch = outer[0] if self._batched else 1
        if isinstance(policy_state, tuple) and not policy_state:
            policy_state = self._get_initial_state(batch)
        if batch not in self._calls:
            self._calls[batch] = self._trace(batch)
        state = self._flat if policy_state is self._returned else self._checked(policy_state, batch)
        call = self._calls[batch]
        tensors = [plug(tf.constant(seen if self._batched else seen[None])), *state]
        chosen, *self._flat = plug(_run(call, tensors))
        made = chosen.numpy()
        action, info = self._chosen.form(self._chosen.decode_arrays(made if self._batched else made[0]))
        self._returned = self._form_state(iter(self._flat))
        return ps.PolicyStep(action, self._returned, info)

    def _checked(self, policy_state: Nest, batch: int) -> list[tf.Tensor]:
        """Returns the state's leaves as tensors.

        Raises:
          ValueError: if it does not fit the policy's spec, or is not finite.
        """
        spec = self.policy.policy_state_spec
        try:
            tree.assert_same_structure(spec, policy_state, check_types=False)
        except (ValueError, TypeError) as error:
            raise ValueError(f"policy state: expected {_told(spec)}, got {_told(policy_state)}") from error
        found = tree.map_structure(tf.convert_to_tensor, policy_state)
        for (path, leaf), expected in zip(tree.flatten_with_path(found), tree.flatten(spec)):
            where = "/".join(map(str, ("policy state", *path)))
            if leaf.dtype != expected.dtype or leaf.shape != [batch, *expected.shape]:
                raise ValueError(
                    f"{where}: expected {expected.dtype.name}{[batch, *expected.shape]}, got {leaf.dtype.name}"
                    f"{leaf.shape.as_list()}; pass what get_initial_state({batch}) or the step before returned, of the "
                    "same graph"
                )
            if leaf.dtype.is_floating and not np.isfinite(leaf).all():
                raise ValueError(f"{where}: expected finite values, got NaN or infinity; begin with a fresh state")
        return tree.flatten(found)

    def _trace(self, batch: int) -> Any:
        """Returns the concrete function for this batch size: flat tensors in and out."""
        state_spec = self.policy.policy_state_spec
        specs = [tf.TensorSpec([batch, *s.shape], s.dtype) for s in tf.nest.flatten(state_spec)]

        def act(seen: tf.Tensor, *flat: tf.Tensor) -> list[tf.Tensor]:
            state = tf.nest.pack_sequence_as(state_spec, flat)
            step = self.policy.action(self._seen.decode(seen), state)
            return [self._chosen.encode((step.action, step.info)), *tf.nest.flatten(step.state)]

        signature = [tf.TensorSpec([batch, self._seen.size], tf.uint8), *specs]
        return tf.function(act, signature, jit_compile=self._jit, autograph=False).get_concrete_function()


def _run(call: Any, tensors: list[tf.Tensor]) -> list[tf.Tensor]:
    """Runs a concrete function, of which no gradient is asked.

    Private, and TensorFlow is pinned: `call(*tensors)` matches signatures and looks for tapes first, which takes longer
    than a tick.
    """
    name = call._inference_function.name  # pylint: disable=protected-access
    return context.context().call_function(name, [*tensors, *call.captured_inputs], len(call.outputs))


def _told(nest: Nest) -> list[str]:
    return ["/".join(map(str, path)) for path, _ in tree.flatten_with_path(nest)]
