"""A collector of a distributed run: takes weights, acts, writes experience.

  python -m experiments.distributed.collect --root_dir=runs/FOLDER --address=localhost:PORT --task=0
"""
from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import collections
import threading
import time
from typing import Any, Optional

import numpy as np
import tensorflow as tf
from absl import flags

from experiments import collecting, tasks
from experiments.distributed import roles
from infonodes.agent import InfoNodeAgent
from infonodes.environments import guarded
from infonodes.replay import ReplayFault, ReplayTimeout
from infonodes.replay.base import Replay
from infonodes.replay.weights import Published, WeightsChannel

flags.adopt_module_key_flags(roles)
_TASK = flags.DEFINE_integer("task", 0, "Number of this collector; part of its seed.")
_PULL_EVERY_S = flags.DEFINE_float("pull_every_s", 0.05, "Time from one look for weights to the next.")
# A collector that hears nothing for so long acts no more until it does.
_DEAF_S = 5.0
_AGES = 2000
# How often an environment may fail to begin an episode after a fault, and the pause after each time.
_BEGINNINGS, _PAUSE_S = 5, 1.0


class Puller(threading.Thread):
    """Keeps the newest weights at hand, and knows whether the server is there.

    Attributes:
      heard_s: When weights last came, on the monotonic clock; None before the first.
    """

    def __init__(self, role: roles.Role, agent: InfoNodeAgent):
        """Does not start yet."""
        super().__init__(daemon=True)
        self._role, self._variables = role, agent.collect_policy.variables()
        self._endpoint = roles.Endpoint(roles.ADDRESS.value)
        self._channel: Optional[WeightsChannel] = None
        self._newest: Optional[tuple[Any, Published]] = None
        self.heard_s: Optional[float] = None

    def run(self) -> None:
        """Pulls until the role is told to stop."""
        connected = False
        while not self._role.stop.wait(_PULL_EVERY_S.value):
            try:
                connected = connected or self._connect()
                if connected:
                    self._newest = self._channel.pull()  # type: ignore[union-attr]
                    self.heard_s = time.monotonic()
            except ReplayTimeout as error:
                connected = False
                self._role.say(f"the replay server is gone, no weights: {error}", roles.SILENCE_S, "gone")
            except (ReplayFault, RuntimeError) as fault:
                self._role.say(str(fault), 30.0, "weights")
                connected = False

    def apply(self) -> Optional[Published]:
        """Gives the policy the newest weights, if there are any new ones, and returns what came with them."""
        newest, self._newest = self._newest, None
        if newest is None:
            return None
        assert self._channel is not None
        self._channel.apply(newest[0])
        return newest[1]

    def _connect(self) -> bool:
        if not self._endpoint.answers():
            return False
        address = self._endpoint.fresh()
        if self._channel is None:
            self._channel = WeightsChannel(self._variables, address, 3.0)
        else:
            self._channel.connect(address)
        # Pulling before there is anything would leave a waiting thread behind at each look.
        return self._channel.is_published


class Collect:
    """One collector."""

    def __init__(self, role: roles.Role):
        """Builds environment and policy."""
        self._role, config = role, role.config
        seed = config.seed + 1000 * (_TASK.value + 1)
        tf.keras.utils.set_random_seed(seed)
        self._agent = roles.build_agent(config)
        observers: list[Any] = []
        self._env = guarded.GuardedEnvironment(
            tasks.load(config.env), name=config.env, on_fault=[lambda: [o.discard() for o in observers]]
        )
        self._env.seed(seed)
        self._endpoint = roles.Endpoint(roles.ADDRESS.value)
        self._replay: Optional[Replay] = None
        self._observers = observers
        self._moves, self._episodes, self._faults, self._outages = 0, 0, 0, 0
        self._returns: collections.deque = collections.deque(maxlen=20)
        self._ages: collections.deque = collections.deque(maxlen=_AGES)
        self._weights = Published(-1, 0.0)

    def go(self) -> int:
        """Collects until told to stop."""
        if not self._open():
            return roles.STOPPED
        puller = Puller(self._role, self._agent)
        puller.start()
        random_moves = max(0, self._role.config.warmup - self._size())
        collector = self._collector(random=random_moves > 0)
        self._began_s = time.monotonic()
        while not self._role.stop.is_set():
            if not self._hears(puller):
                break
            self._weights = puller.apply() or self._weights
            if random_moves and self._moves >= random_moves:
                random_moves = 0
                collector.use(self._agent.collect_policy)
            try:
                ended = collector.step()
            except ReplayTimeout as error:
                if not self._ride_out(error):
                    break
            except guarded.EnvironmentFault as fault:
                self._faults += 1
                self._role.say(f"{fault}; starting a new episode")
            else:
                self._count(ended)
                continue
            again = self._begin_again(random=random_moves > 0)
            if again is None:
                break
            collector = again
        return self._close()

    # -- waiting -----------------------------------------------------------------------------

    def _open(self) -> bool:
        while self._role.await_server(self._endpoint):
            try:
                self._replay = roles.make_replay(self._agent, self._role.config, self._endpoint.fresh())
                self._observers.append(self._replay.observer())
                return True
            except ReplayTimeout as error:
                self._role.say(str(error))
        return False

    def _hears(self, puller: Puller) -> bool:
        """Waits for a server that gives weights; returns False if told to stop meanwhile."""
        start = time.monotonic()
        silent = False
        while puller.heard_s is None or time.monotonic() - puller.heard_s > _DEAF_S:
            silent = True
            waited = time.monotonic() - start
            if waited > roles.GIVE_UP_S.value:
                raise roles.Away(f"no weights from {roles.ADDRESS.value} for {waited:.0f} s; is a learner running?")
            self._role.say(f"waiting for weights from {roles.ADDRESS.value} ({waited:.0f} s)", roles.SILENCE_S, "deaf")
            self._report()
            if self._role.stop.wait(0.1):
                return False
        if silent and self._moves:
            self._outages += 1
            self._role.say("hears of weights again")
        return True

    def _ride_out(self, error: Exception) -> bool:
        """Waits until the server takes what is due: the writer sends again what it did not confirm.

        A fresh client would be quicker and lose that.
        """
        start, was_gone = time.monotonic(), False
        self._outages += 1
        while not self._role.stop.is_set():
            waited = time.monotonic() - start
            if waited > roles.GIVE_UP_S.value:
                raise roles.Away(str(error))
            gone = not self._endpoint.answers()
            was_gone = was_gone or gone
            whom = "the replay server" if gone else "the learner to sample: the replay takes no more until then"
            if was_gone and not gone:
                whom = "the writer to connect again: the server is back, gRPC pauses up to 30 s"
            self._role.say(f"waiting for {whom} ({waited:.0f} s)", roles.SILENCE_S, "ride out")
            self._report()
            try:
                self._observers[0].flush(2.0)
                self._role.say("the replay takes experience again, nothing lost")
                return True
            except ReplayTimeout:
                continue
        return False

    # -- collecting --------------------------------------------------------------------------

    def _collector(self, random: bool) -> collecting.Collector:
        collector = collecting.Collector(self._env, self._observers[0])
        collector.use(collecting.random_policy(self._agent) if random else self._agent.collect_policy)
        return collector

    def _begin_again(self, random: bool) -> Optional[collecting.Collector]:
        """Returns a collector at the beginning of an episode, or None if told to stop meanwhile.

        Raises:
          RuntimeError: if the environment fails each time; the process is then started anew.
        """
        for left in reversed(range(_BEGINNINGS)):
            try:
                return self._collector(random)
            except guarded.EnvironmentFault as fault:
                self._faults += 1
                if not left:
                    raise RuntimeError(f"the environment began no episode in {_BEGINNINGS} attempts") from fault
                self._role.say(f"{fault}; trying again in {_PAUSE_S:g} s")
            if self._role.stop.wait(_PAUSE_S):
                break
        return None

    def _count(self, ended: Optional[tuple[float, int]]) -> None:
        self._moves += 1
        self._ages.append(time.time() - self._weights.time_s)
        if ended is not None:
            self._episodes += 1
            self._returns.append(ended[0])
        self._report()

    def _size(self) -> int:
        assert self._replay is not None
        try:
            return self._replay.size
        except ReplayTimeout:
            return 0

    def _report(self, every_s: float = 1.0) -> None:
        ages = sorted(self._ages)
        at = lambda q: ages[int(q * (len(ages) - 1))] if ages else None
        began = getattr(self, "_began_s", time.monotonic())
        self._role.report(
            every_s, moves=self._moves, episodes=self._episodes, written=self._observers[0].written,
            mean_return=float(np.mean(self._returns)) if self._returns else None,
            weights_step=self._weights.step, age_median_s=at(0.5), age_p95_s=at(0.95),
            moves_per_s=self._moves / max(time.monotonic() - began, 1e-9), faults=self._faults, outages=self._outages,
        )

    def _close(self) -> int:
        try:
            self._observers[0].flush(5.0)
            self._role.say(f"stopped after {self._moves} moves, all of them written")
        except ReplayTimeout as error:
            self._role.say(f"stopped; what the server had not confirmed is lost: {error}")
        self._report(0.0)
        return roles.STOPPED


def main() -> int:
    """Collects."""
    role = roles.Role(f"collect-{_TASK.value}")
    return Collect(role).go()


if __name__ == "__main__":
    roles.run(main)
