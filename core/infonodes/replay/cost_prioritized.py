"""Replay that draws half of each batch by cost and half uniformly, from one table."""
from __future__ import annotations

from typing import Any, Callable, Optional

import gin
import reverb
import tensorflow as tf

from infonodes.eager_leak import plug
from infonodes.replay import priorities
from infonodes.replay.base import Replay
from infonodes.replay.faults import ReplayFault
from infonodes.replay.scale import CostScale
from infonodes.types import IMPORTANCE_WEIGHT, Spec


@gin.configurable(module="infonodes")
class CostPrioritizedReplay(Replay):
    """Samples windows by cost^exponent, mixed with uniform sampling.

    ```
    replay = CostPrioritizedReplay(agent.collect_data_spec, sequence_length=6)
    PyDriver(env, policy, [replay.observer()], ...)
    Learner(..., experience_dataset_fn=lambda: replay.dataset(64),
            after_train_strategy_step_fn=replay.after_train_step_fn())
    ```

    The mixture is one table's own distribution (`priorities` has the formula, and
    docs/decisions/0003-half-uniform.md the reasons), so every sampled window can be given a
    new priority and Reverb reports its exact probability. In a process that collects but
    never trains, the scale of priorities is the mean over the windows it inserted itself.

    Security: see `Replay`: the server is open to whoever reaches its port.

    Attributes:
      scale: The mean cost over the table, as estimated by this process.
      tf_client: Reverb's client for graphs.
    """

    def __init__(
        self,
        data_spec: Spec,
        sequence_length: int,
        max_size: int = 100_000,
        exponent: float = 0.6,
        uniform_fraction: float = 0.5,
        beta: float = 0.4,
        stride: int = 1,
        pad: bool = True,
        min_size: int = 1,
        table_name: str = "prioritized",
        server: Optional[reverb.Server] = None,
        address: Optional[str] = None,
        deadline_s: float = 10.0,
        checkpoint_dir: Optional[str] = None,
    ):
        """Starts an embedded server on a free port, or connects to one.

        Args:
          data_spec: The agent's `collect_data_spec`; its `policy_info` has a scalar `cost`.
          sequence_length: L, frames in a window.
          max_size: Windows kept; the oldest go first.
          exponent: How strongly cost counts, from 0.
          uniform_fraction: Share of samples drawn uniformly, in `[0, 1]`.
          beta: Exponent of the importance weights, in `[0, 1]`.
          stride: Frames from one window's start to the next one's.
          pad: Whether windows start up to an episode's last move, filled up by repeating its
            boundary frame.
            If False, episodes shorter than a window are not stored.
          min_size: Windows in the table before sampling starts.
          table_name: Name of the table.
          server: A server of this process that has the table, if not a new one.
          address: `host:port` of a server that has the table, if not a new one.
          deadline_s: How long any call waits for the server.
          checkpoint_dir: A folder for Reverb's checkpoints alone, where the server is this
            object's own: Reverb deletes whatever else is in it. None makes a temporary one.

        Raises:
          ReplayFault: if the spec has no cost, an option is out of range, or the server
            has another table.
          ReplayTimeout: if the server does not answer.
        """
        info = data_spec.policy_info
        if not isinstance(info, dict) or "cost" not in info or info["cost"].shape.rank != 0:
            raise ReplayFault(
                "CostPrioritizedReplay: data_spec.policy_info: expected a dict with a scalar "
                f"'cost', got {info}; use an agent's collect_data_spec whose policy puts it there"
            )
        priorities.check_options("CostPrioritizedReplay", exponent, uniform_fraction, beta)
        self._exponent = exponent
        self._uniform_fraction = uniform_fraction
        self._beta = beta
        self.scale = CostScale()
        super().__init__(
            data_spec, sequence_length, max_size, stride, pad, table_name, min_size, server,
            address, deadline_s, checkpoint_dir,
        )
        self._assess = tf.function(self._new_priorities, autograph=False)

    def make_table(self, max_size: int, min_size: int) -> reverb.Table:
        """Returns a fresh table of this kind, for a server of your own."""
        return reverb.Table(
            self.table_name,
            # The exponent is in the stored priority, so that the uniform share can be too.
            sampler=reverb.selectors.Prioritized(1.0),
            remover=reverb.selectors.Fifo(),
            max_size=max_size,
            rate_limiter=reverb.rate_limiters.MinSize(min_size),
            signature=self._signature(),
        )

    def dataset(self, batch_size: int, prefetch: int = 2) -> tf.data.Dataset:
        """Returns endless batches with their importance weights.

        Args:
          batch_size: B.
          prefetch: Batches made ahead, each drawn with priorities that old.

        Returns:
          Dataset of `(Trajectory, reverb.SampleInfo)`: leaves `[B, L, ...]`, with
          `policy_info['importance_weight']` float32 `[B, L]`, the same along L; and the
          info's fields `[B]`.
        """
        # One worker that asks for a batch at a time: more would only draw ahead.
        samples = self._samples(workers=1, in_flight=batch_size)
        return (
            samples.batch(batch_size, drop_remainder=True)
            .map(self._add_importance_weight)
            .prefetch(prefetch)
        )

    def update_priorities(self, info: reverb.SampleInfo, costs: tf.Tensor) -> None:
        """Gives sampled windows the priorities of their new costs; eagerly or in a graph.

        A NaN cost gets the highest priority, is counted in `scale.nan_costs` and printed.

        Args:
          info: Of the sampled batch.
          costs: `[B]`.

        Raises:
          ReplayTimeout: eagerly, if the server does not answer.
        """
        if not tf.executing_eagerly():
            stored = self._new_priorities(info.probability, info.table_size, costs)
            self.tf_client.update_priorities(self.table_name, info.key, stored)
            return
        stored = plug(self._assess(*map(tf.convert_to_tensor, (info.probability, info.table_size, costs))))
        keys = tf.convert_to_tensor(info.key).numpy().tolist()
        updates = dict(zip(keys, stored.numpy().tolist()))
        self._within(
            lambda: self.py_client.mutate_priorities(self.table_name, updates),
            "updating priorities",
        )

    def after_train_step_fn(self) -> Callable[[tuple, Any], None]:
        """Returns the Learner's `after_train_strategy_step_fn`: new priorities each step.

        It reads `loss_info.extra['cost']` `[B]`.
        """

        def update(experience: tuple, loss_info: Any) -> None:
            _, info = experience
            extra = loss_info.extra
            if not isinstance(extra, dict) or "cost" not in extra or extra["cost"].shape.rank != 1:
                raise ReplayFault(
                    "after_train_step_fn: loss_info.extra: expected a dict with 'cost' [B], got "
                    f"{extra}; return each window's cost from the agent's train"
                )
            self.update_priorities(info, extra["cost"])

        return update

    def uniform_share(self, info: reverb.SampleInfo) -> tf.Tensor:
        """Returns the exact share `[B]` of samples that were drawn uniformly, float64.

        It is `uniform_fraction` as far as `scale` knows the table's mean cost.
        """
        mean_stored = tf.cast(info.priority, tf.float64) * priorities.density_ratio(
            tf.convert_to_tensor(info.probability), tf.convert_to_tensor(info.table_size)
        )
        return self._uniform_fraction / mean_stored

    # -- private -------------------------------------------------------------------------------

    def _connect(self, address: str) -> None:
        super()._connect(address)
        self.tf_client = reverb.TFClient(address)

    def _state(self) -> dict[str, Any]:
        return {"scale": self.scale.get_state()}

    def _set_state(self, state: dict[str, Any]) -> None:
        self.scale.set_state(state["scale"])

    def _insert_priority(self, mean_cost: float) -> float:
        raised = priorities.powered(mean_cost, self._exponent)
        return self._stored(raised, self.scale.on_insert(raised))

    def _new_priorities(
        self, probability: tf.Tensor, table_size: tf.Tensor, costs: tf.Tensor
    ) -> tf.Tensor:
        raised = priorities.powered(costs, self._exponent)
        mean = self.scale.on_batch(
            raised, priorities.density_ratio(probability, table_size), tf.math.is_nan(costs)
        )
        return self._stored(raised, mean)

    def _stored(self, raised: Any, mean: Any) -> Any:
        # Without a uniform share the scale cancels; a constant one keeps old items exact.
        mean = mean if self._uniform_fraction else 1.0
        return priorities.mixed(raised, self._uniform_fraction, mean)

    def _add_importance_weight(self, sample: reverb.ReplaySample) -> tuple:
        info, data = sample.info, self._wire.decode(sample.data["frames"])
        weight = priorities.importance_weights(info.probability, info.table_size, self._beta)
        weight = tf.cast(weight, tf.float32)[:, None]  # [B, 1]
        weight = tf.tile(weight, [1, self.sequence_length])  # [B, L], as data converters want
        policy_info = {**data.policy_info, IMPORTANCE_WEIGHT: weight}
        return data._replace(policy_info=policy_info), info
