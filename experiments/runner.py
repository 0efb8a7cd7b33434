"""Trains one agent on one environment and leaves a folder that tells all about it."""
from __future__ import annotations

import dataclasses
import os
import time
from typing import Any, Callable, Optional

import gin
import numpy as np
import tensorflow as tf
from tf_agents.environments import py_environment
from tf_agents.specs import tensor_spec
from tf_agents.utils import common

from experiments import settings, tasks
from experiments.collecting import Collector, Updater, make_replay, on_policy, random_policy
from experiments.errors import RunError
from experiments.evaluation import Evaluation, Evaluator
from experiments.reporting import Reporter
from experiments.run_config import RunConfig
from experiments.run_folder import RunFolder
from infonodes.environments import guarded

MakeEnv = Callable[[], py_environment.PyEnvironment]

# Steps a resumed run collects before it trains on, as its replay starts empty.
REFILL = 1000
_EVALUATION_SEED = 10_000
_CHECKPOINTS_KEPT = 2


@dataclasses.dataclass(frozen=True)
class RunResult:
    """What came of a run.

    Attributes:
      folder: Where its files are.
      config: What was asked.
      evaluations: In order of steps; of the resumed part only, if it was resumed.
      episodes: (step, return) of training episodes, likewise.
      seconds: Wall clock.
      steps_per_s: Of collecting and training together, evaluations left out.
    """

    folder: str
    config: RunConfig
    evaluations: tuple[Evaluation, ...]
    episodes: tuple[tuple[int, float], ...]
    seconds: float
    steps_per_s: float

    @property
    def final_return(self) -> float:
        """Mean return of the last evaluation."""
        return self.evaluations[-1].mean


def train(config: RunConfig, make_env: Optional[MakeEnv] = None, progress: bool = True) -> RunResult:
    """Trains from scratch.

    Args:
      config: See `RunConfig`.
      make_env: Returns an environment that `config.env` merely names; one to collect from
        and `config.eval_episodes` to evaluate on.
      progress: Whether to show a progress bar.

    Raises:
      RunError: if the config, the folder or the environment does not fit.
    """
    make_env = make_env or (lambda: tasks.load(config.env))
    make_env()  # Fails here, before there is a folder.
    return _Run(config, RunFolder.create(config), make_env, progress).go(resumed=False)


def resume(
    folder: str, steps: Optional[int] = None, make_env: Optional[MakeEnv] = None, progress: bool = True
) -> RunResult:
    """Goes on from a run's last checkpoint: networks, optimiser, counters.

    The replay's contents and the episode under way are not in it: the replay is filled
    with `REFILL` steps of the agent first, which do not count.

    Args:
      folder: The run's.
      steps: Train up to this step instead of the one asked for at first.
      make_env: As for `train`.
      progress: As for `train`.

    Raises:
      RunError: if there is nothing to go on from.
    """
    opened = RunFolder.reopen(folder)
    config = dataclasses.replace(opened.config(), out=opened.path)
    if steps is not None:
        config = dataclasses.replace(config, steps=steps)
    run = _Run(config, opened, make_env or (lambda: tasks.load(config.env)), progress)
    return run.go(resumed=True)


class _Run:
    """One run; the parts are built at construction."""

    def __init__(self, config: RunConfig, folder: RunFolder, make_env: MakeEnv, progress: bool):
        tf.random.set_seed(config.seed)
        np.random.seed(config.seed)
        self._config, self._folder = config, folder
        observers: list[Any] = []
        env = guarded.GuardedEnvironment(
            make_env(), name=config.env, on_fault=[lambda: [o.discard() for o in observers]]
        )
        env.seed(config.seed)
        specs = tensor_spec.from_spec((env.time_step_spec(), env.action_spec()))
        self._agent = settings.build_agent(config.preset, config.settings, *specs, config.seed)
        self._env_step = tf.Variable(0, dtype=tf.int64, trainable=False, name="env_step")
        self._checkpointer = common.Checkpointer(
            folder.file("checkpoints"),
            max_to_keep=_CHECKPOINTS_KEPT,
            agent=self._agent,
            policy=self._agent.policy,
            global_step=self._agent.train_step_counter,
            env_step=self._env_step,
        )
        self._evaluator = Evaluator(
            self._agent.policy, make_env, config.eval_episodes, _EVALUATION_SEED + config.seed
        )
        self._report = Reporter(config, folder, progress)
        self._replay = make_replay(self._agent, config)
        self._observer = self._replay.observer()
        observers.append(self._observer)
        self._collector = Collector(env, self._observer)
        self._updater: Optional[Updater] = None
        self._step, self._trained, self._training_s = 0, 0, 0.0

    def go(self, resumed: bool) -> RunResult:
        """Warms up, trains, evaluates; closes the replay whatever happens."""
        try:
            if resumed:
                self._restore()
            self._updater = self._on_policy_start(resumed) if on_policy(self._agent) else self._filled(resumed)
            while self._step < self._config.steps:
                every = self._config.eval_every
                self._train_until(min((self._step // every + 1) * every, self._config.steps))
                self._evaluate()
            return self._finish()
        except KeyboardInterrupt:
            if self._updater is not None and self._updater.metrics():
                self._save()
                print(f"\nstopped at step {self._step}; go on with --resume={self._folder.path}")
            raise
        finally:
            self._report.close()
            self._replay.close()

    def _filled(self, resumed: bool) -> Updater:
        """Fills the replay first."""
        if resumed:
            self._refill()
        else:
            self._warm_up()
        return Updater(self._agent, self._replay, self._config.batch_size)

    def _on_policy_start(self, resumed: bool) -> Updater:
        """Starts with the first move: neither random moves nor old ones are to be learned from."""
        self._collector.use(self._agent.collect_policy)
        if not resumed:
            self._report.evaluation(self._evaluator.run(self._step), {})
        return Updater(self._agent, self._replay, 1, self._observer)

    def _restore(self) -> None:
        """Takes the state from the folder's last checkpoint, all of it or none."""
        path = self._checkpointer.manager.latest_checkpoint
        inside, where = self._folder.file("checkpoints"), self._folder.path
        if path is None or os.path.dirname(os.path.realpath(path)) != inside:
            raise RunError(
                f"--resume {where!r}: found no checkpoint in {inside!r}; the run ended before its first: start anew"
            )
        self._checkpointer.initialize_or_restore().assert_existing_objects_matched()
        self._step = int(self._env_step)
        if self._step >= self._config.steps:
            raise RunError(
                f"--resume {where!r}: it has done {self._step} of {self._config.steps} steps; pass a greater --steps"
            )
        self._folder.write_json("config.json", self._config.to_json())
        self._report.start_at(self._step)

    def _refill(self) -> None:
        self._collector.use(self._agent.collect_policy)
        for _ in range(max(REFILL, self._config.warmup)):
            self._collector.step()
        self._await_data()

    def _warm_up(self) -> None:
        self._collector.use(random_policy(self._agent))
        for _ in range(min(self._config.warmup, self._config.steps)):
            self._collect()
        self._await_data()
        self._collector.use(self._agent.collect_policy)
        self._report.evaluation(self._evaluator.run(self._step), {})

    def _await_data(self) -> None:
        self._collector.flush()
        self._replay.wait_for(1, timeout_s=30.0)

    def _collect(self) -> None:
        ended = self._collector.step()
        self._step += 1
        self._report.step(self._step, ended)

    def _train_until(self, stop: int) -> None:
        assert self._updater is not None
        began, start = time.monotonic(), self._step
        while self._step < stop:
            self._collect()
            if self._step % self._config.train_every == 0:
                self._updater.step()
        self._trained += stop - start
        self._training_s += time.monotonic() - began

    def _evaluate(self) -> None:
        assert self._updater is not None
        self._replay.check()
        metrics = self._updater.metrics()  # Raises if a loss is not finite: such weights are not saved.
        self._report.evaluation(self._evaluator.run(self._step), metrics)
        self._save()
        self._report.draw(self._agent, metrics, self._updater.priorities())

    def _save(self) -> None:
        self._env_step.assign(self._step)
        self._checkpointer.save(self._env_step)

    def _finish(self) -> RunResult:
        rate = self._trained / self._training_s if self._trained else 0.0
        self._report.result(rate)
        self._folder.write_text("operative.gin", gin.operative_config_str())
        return RunResult(
            self._folder.path,
            self._config,
            tuple(self._report.evaluations),
            tuple(self._report.episodes),
            self._report.seconds,
            rate,
        )
