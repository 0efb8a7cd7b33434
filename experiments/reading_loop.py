"""Plays whole batches of reading episodes and learns from the last few rounds of them."""
from __future__ import annotations

import collections
import dataclasses
from typing import Any, Callable, Iterator, NamedTuple, Optional

import numpy as np
import tensorflow as tf
from tf_agents.policies import py_tf_eager_policy, tf_policy
from tf_agents.trajectories import trajectory

from experiments.errors import RunError
from experiments.reading_tasks import ReadingConfig, build_agent
from infonodes.agent import InfoNodeAgent
from infonodes.environments.reading import ReadingTask
from infonodes.info_nodes.organs.navigable_modality.base import SymbolWorkspaceNode

_EVALUATION_SEED = 10_000


class Round(NamedTuple):
    """Episodes that were played together.

    Attributes:
      frames: Trajectory `[rows, ticks + 1]`, the boundary frame last; its observation is `()`.
      observation: Of all its frames, `[rows, ...]`: what is looked at does not change.
      places: Of the cursor before each tick, `[rows, ticks + 1, axes]`.
    """

    frames: trajectory.Trajectory
    observation: Any
    places: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """Whether each episode's answer at the bell was right, `[rows]`."""
        return self.frames.reward[:, -2] > 0.5

    @property
    def silent(self) -> np.ndarray:
        """Whether none was given, `[rows]`."""
        return self.frames.reward[:, -2] == 0.0

    @property
    def returns(self) -> np.ndarray:
        """Ticks with the right answer less those with a wrong one, `[rows]`."""
        return self.frames.reward[:, :-1].sum(axis=1)


@dataclasses.dataclass(frozen=True)
class Score:
    """What an evaluation found.

    Attributes:
      steps: Environment steps learned from.
      right: Share of episodes answered right at the bell.
      silent: Share of episodes not answered.
      mean_return: Mean ticks with the right answer less those with a wrong one.
      bound: The best mean return of a reader that must have the answer's middle in its window; one
        that knows a tone or a mark by its edge may exceed it.
    """

    steps: int
    right: float
    silent: float
    mean_return: float
    bound: float


class Player:
    """Plays episodes of a batched task with a policy.

    Attributes:
      env: The task.
      puzzles: Of the episodes played last.
    """

    def __init__(self, env: ReadingTask, agent: InfoNodeAgent, policy: tf_policy.TFPolicy):
        """Compiles the policy.

        Args:
          env: With rows.
          agent: Whose policy it is.
          policy: The agent's.
        """
        self.env, self._policy = env, policy
        self._act = py_tf_eager_policy.PyTFEagerPolicy(policy, use_tf_function=True, batch_time_steps=False)
        self._page: SymbolWorkspaceNode = agent.graph["page"]

    def play(self) -> Round:
        """Plays one episode a row."""
        time_step, frames = self.env.reset(), []
        self.puzzles = self.env.puzzles
        observation, state = time_step.observation, self._act.get_initial_state(self.env.batch_size)
        for _ in range(self.env.ticks + 1):
            step = self._act.action(time_step, state)
            after = self.env.step(np.asarray(step.action))
            frame = trajectory.from_transition(time_step, step, after)
            frames.append(tf.nest.map_structure(np.asarray, frame._replace(observation=())))
            time_step, state = after, step.state
        whole = tf.nest.map_structure(lambda *x: np.stack(x, axis=1), *frames)
        places = self._policy.unpack_info(whole.policy_info)["state"]["page"]["loc"].numpy()
        # The boundary's step has already begun the next episode; that one is dropped.
        self.env._current_time_step = None  # pylint: disable=protected-access
        return Round(whole, observation, places)


class Learner:
    """Updates an agent from the rounds it remembers."""

    def __init__(self, agent: InfoNodeAgent, config: ReadingConfig):
        """Starts with an empty memory.

        Args:
          agent: Whom to train.
          config: Sizes and seed.
        """
        self._agent, self._config = agent, config
        self._memory: collections.deque[Round] = collections.deque(maxlen=config.memory)
        self._rng = np.random.default_rng(config.seed)
        self._update = tf.function(self._train, autograph=False)

    def remember(self, played: Round) -> None:
        """Adds a round; the oldest goes if there are too many."""
        self._memory.append(played)

    def learn(self) -> float:
        """Makes a round's updates; returns the last loss.

        Raises:
          RunError: if it is not finite.
        """
        loss = tf.zeros([])
        for _ in range(self._config.updates):
            loss = self._update(*self._sample())
        if not np.isfinite(loss.numpy()):
            raise RunError(
                f"loss is {loss.numpy()} after {int(self._agent.train_step_counter)} updates; lower a learning_rate"
            )
        return float(loss)

    def _sample(self) -> tuple[trajectory.Trajectory, Any]:
        rounds = self._rng.integers(len(self._memory), size=self._config.batch_size)
        rows = self._rng.integers(self._config.rows, size=self._config.batch_size)
        picked = [
            tf.nest.map_structure(lambda x, row=row: x[row], self._memory[r][:2]) for r, row in zip(rounds, rows)
        ]
        frames, observation = tf.nest.map_structure(lambda *x: tf.constant(np.stack(x)), *picked)
        return frames, observation

    def _train(self, frames: trajectory.Trajectory, observation: Any) -> tf.Tensor:
        time = frames.reward.shape[1]
        shown = tf.nest.map_structure(lambda x: tf.repeat(x[:, None], time, axis=1), observation)
        return self._agent.train(frames._replace(observation=shown)).loss


class Run:
    """One cell: an agent, its task, and the loop.

    Attributes:
      agent: Whom it trains.
      evaluator: Plays greedily, the same episodes at each evaluation.
    """

    def __init__(self, config: ReadingConfig):
        """Builds everything.

        Args:
          config: What fixes the cell.
        """
        tf.keras.utils.set_random_seed(config.seed)
        self._config = config
        env = config.load(config.rows, config.seed)
        self.agent = build_agent(config, env)
        self._player = Player(env, self.agent, self.agent.collect_policy)
        self._learner = Learner(self.agent, config)
        seen = config.load(config.eval_rows, _EVALUATION_SEED + config.seed)
        self.evaluator = Player(seen, self.agent, self.agent.policy)

    def evaluate(self, steps: int) -> Score:
        """Plays greedily; returns how well."""
        env, page = self.evaluator.env, self.agent.graph["page"]
        env.seed(_EVALUATION_SEED + self._config.seed)
        played = self.evaluator.play()
        env.puzzles, start, reach = self.evaluator.puzzles, played.places[0, 0], max(page.window) / 2.0
        bound = env.optimal_return(start, max(page.max_speed), reach)
        found = [float(np.mean(x)) for x in (played.right, played.silent, played.returns)]
        return Score(steps, *found, bound)

    def go(self, progress: Optional[Callable[..., Iterator[int]]] = None) -> list[Score]:
        """Plays and learns, round by round.

        Args:
          progress: Wraps the range of rounds, such as `tqdm.tqdm`.

        Returns:
          The evaluations in order; the first is of the untrained agent.
        """
        config, scores = self._config, [self.evaluate(0)]
        rounds = range(1, config.rounds + 1)
        for done in progress(rounds) if progress else rounds:
            self._learner.remember(self._player.play())
            self._learner.learn()
            if done % config.eval_every == 0 or done == config.rounds:
                scores.append(self.evaluate(done * config.rows * self._player.env.ticks))
        return scores
