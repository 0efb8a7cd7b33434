"""Trains on forage in graph: many bodies, TF-Agents' own driver and uniform replay.

Every agent is trained by the same loop, so that they differ by what they are alone.
"""
from __future__ import annotations

import dataclasses
from typing import Any, Callable, Mapping

import tensorflow as tf
import tqdm
from tf_agents.agents import tf_agent
from tf_agents.drivers import dynamic_step_driver
from tf_agents.policies import greedy_policy, q_policy, random_tf_policy, tf_policy
from tf_agents.replay_buffers import tf_uniform_replay_buffer
from tf_agents.utils import common

from experiments import forage_living
from experiments.errors import RunError
from experiments.forage_settings import body
from infonodes import presets
from infonodes.agent import InfoNodeAgent
from infonodes.environments.forage import ForageSettings, ForageTFEnvironment
from infonodes.info_nodes.organs.energetics import BodySettings
from infonodes.info_nodes.pred_settings import PredSettings
from infonodes.info_nodes.reward_settings import RewardSettings
from infonodes.info_nodes.rl_node import AgentFn
from infonodes.modes import Modes

AGENTS = ("random", "dqn", "embodied")


@dataclasses.dataclass(frozen=True)
class ForageRun:
    """What fixes a run.

    Attributes:
      agent: One of `AGENTS`.
      mind: Of the embodied agent: `predictive` or `reactive`, a DQN like the baseline's.
      bill: Whether acting is charged, in the world and in the body alike.
      seed: Of everything.
      steps: Environment steps, random ones included.
      bodies: Bodies that live side by side.
      warmup: Steps at random before the first update.
      every: Environment steps an update, a divisor of `bodies` or a multiple of it.
      batch_size: Windows an update.
      capacity: Steps that the replay keeps.
      epsilon_steps: Updates over which the chance of a random action falls from 1 to
        `final_epsilon`.
      final_epsilon: Where it stays.
      gamma: Discount of every agent.
      learning_rate: Adam's, of every agent.
      weight: Of the drive's reduction in what the body feels.
      task: Of the reward for being alive in it.
      life_rows: Bodies an evaluation.
      settings: Further settings: `pred` and `reward` of the embodied agent, `dqn`, `world`.
    """

    agent: str = "embodied"
    mind: str = "reactive"
    bill: bool = True
    seed: int = 0
    steps: int = 60_000
    bodies: int = 8
    warmup: int = 1000
    every: int = 2
    batch_size: int = 64
    capacity: int = 100_000
    epsilon_steps: int = 6000
    final_epsilon: float = 0.05
    gamma: float = 0.95
    learning_rate: float = 1e-3
    weight: float = 4.0
    task: float = 0.2
    life_rows: int = 32
    settings: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.agent not in AGENTS:
            raise RunError(f"ForageRun.agent={self.agent!r}: expected one of {AGENTS}")
        if self.bodies < 1 or self.every < 1 or (self.bodies % self.every and self.every % self.bodies):
            raise RunError(f"ForageRun.every={self.every}: expected a divisor or a multiple of bodies={self.bodies}")

    @property
    def world(self) -> ForageSettings:
        """The world's settings."""
        return ForageSettings(bill=self.bill, **self.settings.get("world", {}))


def make_agent(run: ForageRun, env: ForageTFEnvironment) -> tf_agent.TFAgent:
    """Returns the run's agent, its variables initialised; of a random one, the embodied one untrained."""
    specs = (env.time_step_spec(), env.action_spec())
    given = run.settings
    if run.agent == "dqn":
        agent = _dqn(run)(*specs, tf.Variable(0, trainable=False, dtype=tf.int64, name="train_step"))
    else:
        frames = given.get("dqn", {}).get("n_step_update", 1) + 1 if run.mind == "reactive" else presets.WINDOW
        reward = {
            "signal": "sensed", "gamma": run.gamma, "epsilon_steps": run.epsilon_steps,
            "final_epsilon": run.final_epsilon, **given.get("reward", {}),
        }
        agent = presets.embodied(
            *specs,
            body=BodySettings(weight=run.weight, task=run.task, **body(run.world)),
            pred=PredSettings(**given.get("pred", {})),
            reward=RewardSettings(**reward),
            mind=run.mind,
            agent_fn=_dqn(run),
            optimizer=tf.keras.optimizers.legacy.Adam(run.learning_rate),
            seed=run.seed,
            train_sequence_length=frames,
        )
    agent.initialize()
    return agent


def _dqn(run: ForageRun) -> AgentFn:
    """Returns a maker of TF-Agents' DqnAgent, as baseline and as reactive mind."""

    def make(time_step_spec: Any, action_spec: Any, counter: tf.Variable) -> tf_agent.TFAgent:
        def epsilon() -> tf.Tensor:
            done = tf.minimum(tf.cast(counter, tf.float32) / run.epsilon_steps, 1.0)
            return 1.0 + (run.final_epsilon - 1.0) * done

        arguments = {"fc_layers": (128, 64), "target_update_tau": 0.01, **run.settings.get("dqn", {})}
        maker = presets.dqn(learning_rate=run.learning_rate, gamma=run.gamma, epsilon_greedy=epsilon, **arguments)
        return maker(time_step_spec, action_spec, counter)

    return make


def train(
    run: ForageRun, evaluations: int = 3, progress: bool = True
) -> tuple[tf_agent.TFAgent, tf_policy.TFPolicy, list[dict[str, Any]]]:
    """Trains from scratch.

    Args:
      run: What to train.
      evaluations: How many, evenly spread, the last at the end.
      progress: Whether to show a bar.

    Returns:
      The agent, its greedy policy (the random one of a random agent), and the evaluations.
    """
    tf.keras.utils.set_random_seed(run.seed)
    env = ForageTFEnvironment(run.world, run.bodies, run.seed)
    agent = make_agent(run, env)
    random = random_tf_policy.RandomTFPolicy(env.time_step_spec(), env.action_spec())
    if run.agent == "random":
        return agent, random, [_evaluate(random, run, 0)]
    loop = _Loop(run, env, agent, random)
    bar = tqdm.tqdm(total=run.steps, unit="step", disable=not progress)
    found: list[dict[str, Any]] = []
    while loop.step < run.steps:
        bar.update(loop.advance())
        if loop.step * evaluations // run.steps > len(found):
            found.append(_evaluate(agent.policy, run, loop.step))
            if run.agent == "dqn":  # What evaluating by averaged weights alone would bring.
                found[-1]["life_slow"] = _evaluate(_slow(agent), run, loop.step)["life"]
            bar.set_postfix(life=f"{found[-1]['life']:.0f}")
    bar.close()
    return agent, agent.policy, found


def _slow(agent: tf_agent.TFAgent) -> tf_policy.TFPolicy:
    """Returns the greedy policy of a DqnAgent's target network."""
    net = agent._target_q_network  # pylint: disable=protected-access
    return greedy_policy.GreedyPolicy(q_policy.QPolicy(agent.time_step_spec, agent.action_spec, net))


class _Loop:
    """Collects a round of steps, and makes the updates that are due.

    Attributes:
      step: Environment steps so far.
    """

    def __init__(
        self, run: ForageRun, env: ForageTFEnvironment, agent: tf_agent.TFAgent, random: tf_policy.TFPolicy
    ):
        self._run, self._agent = run, agent
        self._buffer = tf_uniform_replay_buffer.TFUniformReplayBuffer(
            agent.collect_data_spec, run.bodies, run.capacity // run.bodies
        )
        self._round = max(run.every, run.bodies)
        if isinstance(agent, InfoNodeAgent):
            random = agent.make_policy(Modes(collect="random"))
        self._collect = [self._driver(env, policy) for policy in (random, agent.collect_policy)]
        self._moment = [env.reset(), agent.collect_policy.get_initial_state(run.bodies)]
        self._warm = False
        self.step = 0

    def _driver(self, env: ForageTFEnvironment, policy: tf_policy.TFPolicy) -> Callable[..., Any]:
        driver = dynamic_step_driver.DynamicStepDriver(
            env, policy, [self._buffer.add_batch], num_steps=self._round
        )
        return common.function(driver.run)

    def advance(self) -> int:
        """Makes a round; returns how many steps it was."""
        warm = self.step >= self._run.warmup
        if warm and not self._warm:
            self._start()
        self._moment[:] = self._collect[warm](*self._moment)
        self.step += self._round
        if warm:
            for _ in range(self._round // self._run.every):
                self._update()
        return self._round

    def _start(self) -> None:
        """Opens the dataset, now that there is something in it."""
        self._warm = True
        frames = self._agent.train_sequence_length or 2
        data = self._buffer.as_dataset(
            sample_batch_size=self._run.batch_size, num_steps=frames, num_parallel_calls=1
        )
        batches = iter(data.prefetch(2))
        self._update = common.function(lambda: self._agent.train(next(batches)[0]).loss)


def _evaluate(policy: tf_policy.TFPolicy, run: ForageRun, step: int) -> dict[str, Any]:
    life = forage_living.live(policy, run.world, run.life_rows, 10_000 + run.seed)
    food = max(float(life.eaten.sum()), 1e-6)
    return {
        "step": step,
        "life": float(life.ticks.mean()),
        "lives": life.ticks.tolist(),
        "spent_per_food": float(life.spent.sum()) / food,
        "food_per_tick": food / float(life.ticks.sum()),
        "poison_per_tick": float(life.poison.sum()) / float(life.ticks.sum()),
        "actions": life.actions.tolist(),
    }
