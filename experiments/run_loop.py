"""The loop of one run: warms up, trains, evaluates, saves; stops when asked to and goes on from a checkpoint."""
from __future__ import annotations

import dataclasses
import signal
import time
from typing import Any, Callable

import gin
import tensorflow as tf
from tf_agents.environments import py_environment
from tf_agents.specs import tensor_spec

from experiments import settings
from experiments.baselines import UniformReplay
from experiments.collecting import Collector, Updater, make_replay, on_policy, random_policy
from experiments.errors import RunError, RunStopped
from experiments.evaluation import Evaluation, Evaluator
from experiments.reporting import Reporter
from experiments.run_config import RunConfig, fixed
from experiments.run_folder import RunFolder
from infonodes.checkpoints import Checkpoints, GlobalRandomness, StopSignals
from infonodes.environments import guarded

MakeEnv = Callable[[], py_environment.PyEnvironment]

# Steps that a resumed run of a stock agent collects first: TF-Agents' Reverb replay starts empty.
REFILL = 1000
EVALUATION_SEED = 10_000


@dataclasses.dataclass(frozen=True)
class RunResult:
    """What came of a run.

    Attributes:
      folder: Where its files are.
      config: What was asked.
      evaluations: In order of steps, from the beginning.
      episodes: (step, return) of training episodes, likewise.
      seconds: Wall clock, without the time between being stopped and going on.
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


class _Stop(Exception):
    """A signal came."""


@dataclasses.dataclass
class _Progress:
    """How far a run is.

    Attributes:
      step: Environment steps made.
      trained: Of those, in training.
      training_s: Seconds that took.
    """

    step: int = 0
    trained: int = 0
    training_s: float = 0.0

    def get_state(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def set_state(self, state: dict[str, Any]) -> None:
        self.step, self.trained, self.training_s = state["step"], state["trained"], state["training_s"]


class Run:
    """One run; the parts are built at construction."""

    def __init__(self, config: RunConfig, folder: RunFolder, make_env: MakeEnv, progress: bool):
        """Builds the agent, its replay, and what collects, evaluates, reports and saves.

        Args:
          config: See `RunConfig`.
          folder: The run's, locked.
          make_env: Returns an environment; one to collect from and `config.eval_episodes` to evaluate on.
          progress: Whether to show a progress bar.
        """
        # TensorFlow's, numpy's and Python's: Keras draws the seeds of initial weights from the last.
        tf.keras.utils.set_random_seed(config.seed)
        self._config, self._folder = config, folder
        observers: list[Any] = []
        env = guarded.GuardedEnvironment(
            make_env(), name=config.env, on_fault=[lambda: [o.discard() for o in observers]]
        )
        env.seed(config.seed)
        specs = tensor_spec.from_spec((env.time_step_spec(), env.action_spec()))
        self._agent = settings.build_agent(config.preset, config.settings, *specs, config.seed)
        self._evaluator = Evaluator(
            self._agent.policy, make_env, config.eval_episodes, EVALUATION_SEED + config.seed
        )
        self._report = Reporter(config, folder, progress)
        self._replay = make_replay(self._agent, config)
        self._observer = self._replay.observer()
        observers.append(self._observer)
        self._collector = Collector(env, self._observer)
        self._in_order = on_policy(self._agent)
        self._updater = Updater(
            self._agent, self._replay, 1 if self._in_order else config.batch_size,
            self._observer if self._in_order else None,
        )
        self._progress = _Progress()
        self._checkpoints = Checkpoints(
            folder.file("checkpoints"), self._parts(), fixed(config), config.checkpoints_kept, config.checkpoint_every_s
        )
        self._stop = StopSignals()

    def _parts(self) -> dict[str, Any]:
        """Returns all that a run goes on from."""
        parts = {
            "agent": self._agent,
            "policy": self._agent.policy,
            "replay": self._replay,
            "collector": self._collector,
            "updater": self._updater,
            "report": self._report,
            "files": self._report.files(),
            "progress": self._progress,
            "randomness": GlobalRandomness(),
        }
        if isinstance(self._replay, UniformReplay):
            del parts["replay"]
        return parts

    def go(self, resumed: bool, or_anew: bool = False) -> RunResult:
        """Warms up, trains, evaluates; closes the replay whatever happens.

        Args:
          resumed: Whether to begin with the last checkpoint.
          or_anew: Whether to begin anew if there is none, and to pass for done a run that is.
        """
        try:
            with self._stop:
                try:
                    self._train(resumed and self._restore(or_anew))
                    return self._finish()
                except _Stop:
                    self._save()
                    name = signal.Signals(self._stop.received or 0).name
                    raise RunStopped(
                        f"stopped by {name} at step {self._progress.step}, with a checkpoint; go on with "
                        f"--resume={self._folder.path}"
                    ) from None
        finally:
            self._report.close()
            self._replay.close()

    def _restore(self, or_anew: bool) -> bool:
        """Takes the state from the folder's last checkpoint; returns whether there was one."""
        where = self._folder.path
        if not self._in_order:
            self._collector.use(random_policy(self._agent))  # For the structure of its state.
        else:
            self._collector.use(self._agent.collect_policy)
        if self._checkpoints.restore() is None:
            if not or_anew:
                raise RunError(
                    f"--resume {where!r}: found no checkpoint in {self._checkpoints.folder!r}; the run ended before "
                    "its first: start anew"
                )
            self._report.files().set_state({})
            return False
        if self._progress.step >= self._config.steps and not or_anew:
            raise RunError(
                f"--resume {where!r}: it has done {self._progress.step} of {self._config.steps} steps; pass a "
                "greater --steps"
            )
        self._folder.write_config(self._config)
        self._report.start_at(self._progress.step)
        return True

    def _train(self, resumed: bool) -> None:
        """Collects, learns and evaluates up to the last step, from whatever step it is."""
        if self._in_order:
            # From the first move on: neither random moves nor old ones are to be learned from.
            self._collector.use(self._agent.collect_policy)
        else:
            self._warm_up()
            if resumed and isinstance(self._replay, UniformReplay):
                self._refill()
            self._collector.flush()
            self._replay.wait_for(1, timeout_s=30.0)
        while True:
            if self._must_evaluate():
                self._evaluate()
            if self._progress.step >= self._config.steps:
                return
            every = self._config.eval_every
            self._train_until(min((self._progress.step // every + 1) * every, self._config.steps))

    def _warm_up(self) -> None:
        """Random steps up to `warmup`, if they are still to be made; then the agent moves."""
        if self._progress.step < min(self._config.warmup, self._config.steps):
            self._collector.use(random_policy(self._agent))
            while self._progress.step < min(self._config.warmup, self._config.steps):
                self._look_up()
                self._collect()
        self._collector.use(self._agent.collect_policy)

    def _refill(self) -> None:
        for _ in range(max(REFILL, self._config.warmup)):
            self._collector.step()

    def _look_up(self) -> None:
        """Between two steps: stops if asked to, saves if it is time."""
        self._look_for_stop()
        if self._checkpoints.is_due():
            self._save()

    def _look_for_stop(self) -> None:
        if self._stop.received is not None:
            raise _Stop

    def _collect(self) -> None:
        ended = self._collector.step()
        self._progress.step += 1
        self._report.step(self._progress.step, ended)

    def _train_until(self, stop: int) -> None:
        began, start = time.monotonic(), self._progress.step
        try:
            while self._progress.step < stop:
                self._look_up()
                self._collect()
                if self._progress.step % self._config.train_every == 0:
                    self._updater.step()
        finally:
            self._progress.trained += self._progress.step - start
            self._progress.training_s += time.monotonic() - began

    def _must_evaluate(self) -> bool:
        """At the beginning, at each `eval_every` and at the end; once."""
        step, found = self._progress.step, self._report.evaluations
        if found and found[-1].step == step:
            return False
        return not found or step % self._config.eval_every == 0 or step >= self._config.steps

    def _evaluate(self) -> None:
        self._replay.check()
        metrics = self._updater.metrics()  # Raises if a loss is not finite: such weights are not saved.
        self._report.evaluation(self._evaluator.run(self._progress.step, self._look_for_stop), metrics)
        if metrics:
            self._report.draw(self._agent, metrics, self._updater.priorities())

    def _save(self) -> None:
        self._updater.metrics()  # Raises likewise.
        self._checkpoints.save(self._progress.step)

    def _finish(self) -> RunResult:
        self._save()
        progress = self._progress
        rate = progress.trained / progress.training_s if progress.trained else 0.0
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
