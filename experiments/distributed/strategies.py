"""The learner's update on one device, on several, or on several workers."""
from __future__ import annotations

import contextlib
import json
import os
from typing import Any, Callable, ContextManager, Optional

import tensorflow as tf
from absl import flags

_STRATEGY = flags.DEFINE_enum(
    "strategy",
    "one",
    ("one", "mirrored", "multiworker"),
    "one: a single device. mirrored: --replicas logical devices of this process. multiworker: a process a worker, "
    "which TF_CONFIG lists.",
)
_REPLICAS = flags.DEFINE_integer("replicas", 2, "Devices of a mirrored learner.")
# Those of TF_CONFIG whose processes learn.
_JOBS = ("chief", "worker")


def role_name() -> str:
    """Returns the name of this learner's role: `learn`, or with its number under MultiWorker."""
    return f"learn-{_task()}" if _STRATEGY.value == "multiworker" and _task() else "learn"


class Setup:
    """How an update runs; `one` device has no strategy at all, which lets XLA compile it.

    Attributes:
      replicas: In all; a batch is divided by it.
      workers: Processes that take part in each update.
      local_replicas: Of this process.
      is_chief: Whether this process publishes weights and saves.
    """

    def __init__(self, strategy: Optional[tf.distribute.Strategy] = None, workers: int = 1):
        """Wraps `strategy`, whose replicas are divided among so many processes."""
        self._strategy, self.workers = strategy, workers
        self.replicas = 1 if strategy is None else strategy.num_replicas_in_sync
        self.local_replicas = self.replicas // workers
        self.is_chief = workers == 1 or _task() == 0

    def scope(self) -> ContextManager:
        """Where variables are made."""
        return contextlib.nullcontext() if self._strategy is None else self._strategy.scope()

    def spread(self, shards: list) -> Any:
        """Returns one value a replica as the strategy hands them out."""
        if self._strategy is None:
            return shards[0]
        pick = lambda context: shards[context.replica_id_in_sync_group % self.local_replicas]
        return self._strategy.experimental_distribute_values_from_function(pick)

    def run(self, call: Callable, value: Any) -> Any:
        """Returns `call(value)`, on every replica its own."""
        return call(value) if self._strategy is None else self._strategy.run(call, args=(value,))

    def mean(self, value: Any) -> tf.Tensor:
        """Returns the mean over replicas."""
        return value if self._strategy is None else self._strategy.reduce("MEAN", value, axis=None)

    def total(self, value: tf.Tensor) -> tf.Tensor:
        """Returns the sum of the processes' values."""
        if self._strategy is None or self.workers == 1:
            return value
        return self._strategy.reduce("SUM", self.run(tf.identity, value), axis=None) // self.local_replicas

    def local(self, value: Any) -> tuple:
        """Returns the values of this process's replicas."""
        return (value,) if self._strategy is None else self._strategy.experimental_local_results(value)


def make() -> Setup:
    """Returns the set-up that the flags ask for; before TensorFlow's first operation."""
    if _STRATEGY.value == "one":
        return Setup()
    if _STRATEGY.value == "multiworker":
        options = tf.distribute.experimental.CommunicationOptions(
            implementation=tf.distribute.experimental.CommunicationImplementation.RING
        )
        return Setup(tf.distribute.MultiWorkerMirroredStrategy(communication_options=options), workers())
    gpus = tf.config.list_physical_devices("GPU")
    if len(gpus) >= _REPLICAS.value:
        devices = [f"GPU:{i}" for i in range(_REPLICAS.value)]
    else:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * _REPLICAS.value)
        devices = [f"CPU:{i}" for i in range(_REPLICAS.value)]
    return Setup(tf.distribute.MirroredStrategy(devices))


def workers() -> int:
    """Returns how many processes learn together."""
    cluster = _tf_config().get("cluster", {})
    return sum(len(cluster.get(job, ())) for job in _JOBS) if _STRATEGY.value == "multiworker" and cluster else 1


def _task() -> int:
    """Returns this worker's number; a chief, where TF_CONFIG has one, comes first."""
    config = _tf_config()
    task, chiefs = config.get("task", {}), len(config.get("cluster", {}).get("chief", ()))
    return int(task.get("index", 0)) + (chiefs if task.get("type") == "worker" else 0)


def _tf_config() -> dict[str, Any]:
    return json.loads(os.environ.get("TF_CONFIG", "{}"))
