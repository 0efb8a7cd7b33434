"""The learner of a distributed run: draws experience, trains, publishes weights, saves itself.

  python -m experiments.distributed.learn --root_dir=runs/FOLDER --address=localhost:PORT
"""
from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import contextlib
import functools
import time
from typing import Any, ContextManager, Optional

import numpy as np
import tensorflow as tf
from absl import flags
from tf_agents.utils import common

from experiments.distributed import isolation, roles, strategies
from experiments.distributed.feed import Feed
from experiments.distributed.watchdog import Watchdog
from experiments.errors import RunError
from infonodes.checkpoints import make_slots
from infonodes.eager_leak import plug
from infonodes.replay import CostPrioritizedReplay, ReplayTimeout
from infonodes.replay.base import Replay
from infonodes.replay.weights import WeightsChannel

flags.adopt_module_key_flags(roles)
flags.adopt_module_key_flags(isolation)
flags.adopt_module_key_flags(strategies)
_STEPS = flags.DEFINE_integer("train_steps", None, "Updates in all; the config's steps by default.")
_PUBLISH_EVERY = flags.DEFINE_integer("publish_every", 10, "Updates from one publication of weights to the next.")
_HEARTBEAT_S = flags.DEFINE_float("heartbeat_s", 2.0, "Publish at least this often, so that a new server has weights.")
_EVERY_S = flags.DEFINE_float("checkpoint_every_s", 30.0, "Time from one checkpoint to the next.")
_KEPT = 2
# How long a worker that is told to stop waits for the others to finish an update with it.
_PARTING_S = 10.0


class Learner:
    """One learner; under MultiWorker one of several, of which the chief publishes."""

    def __init__(self, role: roles.Role):
        """Builds the agent and restores its newest checkpoint."""
        self._role, self._config = role, role.config
        together = strategies.workers() > 1
        self._watchdog = Watchdog(role, roles.GIVE_UP_S.value, _PARTING_S) if together else None
        with self._watched("the other workers"):
            self._setup = strategies.make()
        role.take_signals()
        if self._config.batch_size % self._setup.replicas:
            raise RunError(
                f"batch_size={self._config.batch_size}: expected a multiple of the {self._setup.replicas} replicas"
            )
        tf.keras.utils.set_random_seed(self._config.seed)
        with self._watched("the other workers' agents"), self._setup.scope():
            self.agent = roles.build_agent(self._config)
        self._policy_variables = self.agent.collect_policy.variables()
        self._train = tf.function(self._update, autograph=False)
        self._endpoint = roles.Endpoint(roles.ADDRESS.value)
        self._channel: Optional[WeightsChannel] = None
        self._replay: Optional[Replay] = None
        self._feed: Optional[Feed] = None
        self._published_step, self._published_s, self._publications = -1, -1e9, 0
        self._found: Any = None
        self._agreed = False  # To stop, with the other workers.
        parts = {"agent": self.agent, "policy": self.agent.policy, "global_step": self.agent.train_step_counter}
        folder = role.folder.file("checkpoints")
        newest = tf.train.latest_checkpoint(folder)
        if newest is not None:
            with self._setup.scope():
                make_slots(newest, parts)  # Else a stop before the next update would save none.
        self._checkpointer = common.Checkpointer(folder, max_to_keep=_KEPT, **parts)
        self._restore()

    @property
    def step(self) -> int:
        """Updates so far."""
        return self._step

    def go(self) -> int:
        """Trains to the end; returns the exit code."""
        steps = _STEPS.value or self._config.steps
        fed_s = saved_s = began_s = time.monotonic()
        began = self._step
        while self._step < steps and not self._parting():
            if self._feed is None:
                if not self._connect():
                    break
                fed_s = time.monotonic()
            now = time.monotonic()
            batch = self._next()
            if batch is None:
                fed_s = self._starved(fed_s)
            else:
                self._learn(batch)
                fed_s = time.monotonic()
            self._publish_if_due()
            if now - saved_s >= _EVERY_S.value:
                self.save()
                saved_s = time.monotonic()
            self._report(began, began_s)
        self.save()
        self._report(began, began_s, every_s=0.0)
        self._publish(patient=False)
        self._role.say(f"{'done' if self._step >= steps else 'stopped'} after {self._step} updates")
        return roles.DONE if self._step >= steps else roles.STOPPED

    def save(self) -> None:
        """Writes a checkpoint, unless the weights are not fit to go on from."""
        bad = [v.name for v in self._policy_variables if v.dtype.is_floating and not _is_finite(v)]
        if bad:
            raise RunError(
                f"after {self._step} updates {bad[:5]} are not finite; the last checkpoint stands; go on from it with "
                "a lower learning_rate"
            )
        if self._setup.is_chief:
            self._checkpointer.save(tf.constant(self._step, tf.int64))

    # -- the server --------------------------------------------------------------------------

    def _connect(self) -> bool:
        """Opens everything anew; returns False if told to stop meanwhile."""
        self._drop()
        while self._role.await_server(self._endpoint):
            address = self._endpoint.fresh()
            try:
                self._replay = roles.make_replay(self.agent, self._config, address)
                if self._channel is None:
                    self._channel = WeightsChannel(self._policy_variables, address, roles.DEADLINE_S.value)
                else:
                    self._channel.connect(address)
                shard = self._config.batch_size // self._setup.replicas
                self._feed = Feed(functools.partial(self._replay.dataset, shard), self._setup.local_replicas)
                self._publish()
                if self._feed is not None:  # Else it died while the weights were published.
                    self._role.say("connected to the replay server")
                    return True
            except ReplayTimeout as error:
                self._role.say(f"lost the replay server while connecting: {error}")
                self._drop()
        return False

    def _drop(self) -> None:
        if self._feed is not None:
            self._feed.close()
        self._feed, self._replay = None, None

    def _next(self) -> Any:
        assert self._feed is not None
        try:
            return self._feed.next(timeout_s=0.5)
        except RuntimeError as error:
            self._role.say(f"{error}; reading anew")
            self._drop()
            return None

    def _starved(self, fed_s: float) -> float:
        """Says why there is no batch, and connects anew if the server is to blame."""
        waited = time.monotonic() - fed_s
        if self._feed is None or waited < roles.SILENCE_S:
            return fed_s
        if not self._endpoint.answers():
            self._role.say("the replay server is gone")
            self._drop()
            return time.monotonic()
        if waited > roles.GIVE_UP_S.value:
            raise roles.Away(f"no experience for {waited:.0f} s; is anything collecting?")
        self._role.say(f"waiting for experience ({waited:.0f} s)", roles.SILENCE_S, "starved")
        return fed_s

    # -- an update ---------------------------------------------------------------------------

    def _learn(self, shards: list) -> None:
        info = [shard[1] for shard in shards]
        tally = None
        if self._watchdog is not None:
            tally = plug(tf.constant(np.array([self._role.stop.is_set(), self._step], np.int64)))
        try:
            with self._watched("an update with the other workers"):
                found = self._train(self._setup.spread([shard[0] for shard in shards]), tally)
                self._found, costs, tally = plug(found)
                if tally is not None:
                    self._agree(*tally.numpy())
        except tf.errors.UnavailableError as error:
            raise roles.Away("another worker is gone; the last checkpoint stands") from error
        self._step += 1
        if isinstance(self._replay, CostPrioritizedReplay):
            try:
                for one, cost in zip(info, self._setup.local(costs)):
                    self._replay.update_priorities(one, cost)
            except (ReplayTimeout, RuntimeError) as error:
                self._role.say(f"the replay server is gone: {str(error)[:200]}")
                self._drop()

    def _update(self, experience: Any, tally: Optional[tf.Tensor]) -> tuple:
        found = self._setup.run(self.agent.train, experience)
        total = None if tally is None else self._setup.total(tally)
        return self._setup.mean(found.loss), found.extra["cost"], total

    # -- the other workers -------------------------------------------------------------------

    def _agree(self, stopping: int, steps: int) -> None:
        """Takes what all workers said with an update: how many are told to stop, and the sum of their counts."""
        if steps != self._step * self._setup.workers:
            raise RunError(
                f"this worker is at update {self._step}, all {self._setup.workers} together at {steps}: they want the "
                "same --root_dir, for its checkpoints"
            )
        self._agreed = self._agreed or bool(stopping)

    def _parting(self) -> bool:
        """Returns whether to stop: several workers do so after the same update, as none gets through another alone."""
        if self._watchdog is None:
            return self._role.stop.is_set()
        return self._agreed or self._watchdog.is_overdue

    def _watched(self, what: str) -> ContextManager:
        return contextlib.nullcontext() if self._watchdog is None else self._watchdog.over(what)

    # -- what it leaves ----------------------------------------------------------------------

    def _publish_if_due(self) -> None:
        due = self._step - self._published_step >= _PUBLISH_EVERY.value
        if self._feed is not None and (due or time.monotonic() - self._published_s >= _HEARTBEAT_S.value):
            self._publish()

    def _publish(self, patient: bool = True) -> None:
        if not self._setup.is_chief or self._channel is None:
            return
        try:
            self._channel.publish(self._step)
            self._published_step, self._published_s = self._step, time.monotonic()
            self._publications += 1
        except ReplayTimeout as error:
            if patient:
                self._role.say(f"the replay server is gone: {str(error)[:200]}")
                self._drop()

    def _restore(self) -> None:
        path = self._checkpointer.manager.latest_checkpoint
        inside = self._role.folder.file("checkpoints")
        if path is not None:
            if os.path.dirname(os.path.realpath(path)) != inside:
                raise RunError(f"checkpoint {path!r} lies outside {inside!r}; put the files themselves there")
            self._checkpointer.initialize_or_restore().assert_existing_objects_matched()
            self._role.say(f"goes on from update {int(self.agent.train_step_counter.numpy())}")
        self._step = int(self.agent.train_step_counter.numpy())

    def _report(self, began: int, began_s: float, every_s: float = 1.0) -> None:
        loss = None if self._found is None else float(self._found)
        seconds = time.monotonic() - began_s
        self._role.report(
            every_s, step=self._step, loss=loss, steps_per_s=(self._step - began) / max(seconds, 1e-9),
            publications=self._publications, connected=self._feed is not None,
        )


def _is_finite(variable: tf.Variable) -> bool:
    return bool(tf.reduce_all(tf.math.is_finite(variable)))


def main() -> int:
    """Trains."""
    role = roles.Role(strategies.role_name())
    if strategies.workers() > 1:
        isolation.refuse_exposure("this worker")
    return Learner(role).go()


if __name__ == "__main__":
    roles.run(main)
