"""A driver for Python environments that is not the bottleneck."""
from __future__ import annotations

import inspect
from typing import Any, Callable, Iterable, Optional, Sequence

import numpy as np
from absl import logging
from tf_agents.drivers import driver
from tf_agents.environments import py_environment
from tf_agents.policies import tf_policy
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory as trajectory_lib

from infonodes.py_policy import PackedPyPolicy
from infonodes.types import Nest


class PackedDriver(driver.Driver):
    """TF-Agents' `PyDriver` with a packed policy, replays that can be flushed, and environments that may fail.

    ```
    driver = PackedDriver(env, agent.collect_policy, [replay.observer(env.batch_size)], max_steps=1000)
    time_step, state = env.reset(), ()
    with driver:
        for _ in range(100):
            time_step, state = driver.run(time_step, state)
            driver.flush()
    ```

    It differs from `PyDriver` in this: it takes the `TFPolicy` itself; the state of an environment's policy is reset by
    the policy, in the call that chooses, and its generator goes on, where `PyDriver` draws a fresh one an episode;
    and an exception drops the open episodes of its observers, so that no window holds frames from both sides of it.

    Attributes:
      faults: Exceptions of the environment that were survived, since the beginning.
    """

    def __init__(
        self,
        env: py_environment.PyEnvironment,
        policy: tf_policy.TFPolicy,
        observers: Sequence[Callable[[trajectory_lib.Trajectory], Any]],
        transition_observers: Sequence[Callable[[tuple], Any]] = (),
        info_observers: Sequence[Callable[[Any], Any]] = (),
        max_steps: Optional[int] = None,
        max_episodes: Optional[int] = None,
        end_episode_on_boundary: bool = True,
        max_faults_in_a_row: int = 0,
    ):
        """Builds the driver; nothing is run.

        Args:
          env: Batched or not.
          policy: A TF policy; or a `PackedPyPolicy` over one, to share its trace with other drivers.
          observers: As `PyDriver` has them: each is called with every Trajectory.
          transition_observers: The same.
          info_observers: The same: each is called with `env.get_info()`.
          max_steps: Moves of a `run`, over all rows; boundary frames are not counted.
          max_episodes: Episodes of a `run`, over all rows.
          end_episode_on_boundary: Whether an episode counts when its boundary frame was seen, or before.
          max_faults_in_a_row: How many failures of the environment, without a step between them, are survived: the
            open episodes are dropped, the environment is reset, and the driver goes on.

        Raises:
          ValueError: if there is neither max_steps nor max_episodes.
          TypeError: if the policy is one of TF-Agents' Python policies.
        """
        if not (max_steps or max_episodes):
            raise ValueError("PackedDriver: expected max_steps or max_episodes of 1 or more, got neither")
        if not isinstance(policy, PackedPyPolicy):
            if not isinstance(policy, tf_policy.TFPolicy):
                raise TypeError(
                    f"PackedDriver: policy: expected a TFPolicy, got {type(policy).__name__}; pass what it wraps"
                )
            policy = PackedPyPolicy(policy, batch_time_steps=not env.batched)
        super().__init__(env, policy, observers, list(transition_observers), list(info_observers))
        self._max_steps = max_steps or np.inf
        self._max_episodes = max_episodes or np.inf
        self._end = ts.StepType.FIRST if end_episode_on_boundary else ts.StepType.LAST
        self._max_faults = max_faults_in_a_row
        self.faults = 0

    def run(self, time_step: ts.TimeStep, policy_state: Nest = ()) -> tuple[ts.TimeStep, Nest]:
        """Moves until max_steps or max_episodes is reached.

        Args:
          time_step: Where to begin, as `env.reset()` or the run before returned it.
          policy_state: As the run before returned it; `()` for a fresh one.

        Returns:
          Where it ended, and the policy's state there.

        Raises:
          Exception: what the environment, the policy or an observer raised; open episodes were dropped.
        """
        steps = episodes = in_a_row = 0
        while steps < self._max_steps and episodes < self._max_episodes:
            try:
                chosen = self.policy.action(time_step, policy_state)
                try:
                    after = self.env.step(chosen.action)
                except Exception as error:  # pylint: disable=broad-except
                    if in_a_row == self._max_faults:
                        raise
                    in_a_row += 1
                    time_step, policy_state = self._start_anew(error), ()
                    continue
                in_a_row = 0
                self._tell(time_step, chosen._replace(state=policy_state), after)
            except BaseException:
                self._discard()
                raise
            steps += np.count_nonzero(time_step.step_type != ts.StepType.LAST)
            episodes += np.count_nonzero(after.step_type == self._end)
            time_step, policy_state = after, chosen.state
        for drain in self._having("drain"):
            drain()
        return time_step, policy_state

    def flush(self, timeout_s: Optional[float] = None) -> None:
        """Waits until what was written can be sampled.

        Args:
          timeout_s: How long each observer may take; their own deadlines by default.
        """
        for flush in self._having("flush"):
            flush(*() if timeout_s is None else (timeout_s,))  # TF-Agents' observers take none.

    def close(self) -> None:
        """Sends what is pending and closes the observers that can be; a later run opens them again."""
        for close in self._having("close"):
            close()

    def __enter__(self) -> "PackedDriver":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _tell(self, before: ts.TimeStep, chosen: Any, after: ts.TimeStep) -> None:
        for observe in self._transition_observers:
            observe((before, chosen, after))
        frame = trajectory_lib.from_transition(before, chosen, after)
        for observe in self.observers:
            observe(frame)
        for observe in self.info_observers:
            observe(self.env.get_info())

    def _start_anew(self, error: Exception) -> ts.TimeStep:
        self.faults += 1
        logging.warning("the environment failed (%s: %s); its open episodes are dropped", type(error).__name__, error)
        self._discard()
        return self.env.reset()

    def _discard(self) -> None:
        for observer in self.observers:
            if hasattr(observer, "discard"):
                observer.discard()
            elif "write_cached_steps" in inspect.signature(getattr(observer, "reset", dict)).parameters:
                observer.reset(write_cached_steps=False)  # TF-Agents' name for it, in its Reverb observers.

    def _having(self, method: str) -> Iterable[Callable]:
        return [getattr(o, method) for o in self.observers if hasattr(o, method)]
