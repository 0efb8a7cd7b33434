"""One cell of ours, of TF-Agents', or of random moves: `python -m experiments.benchmarks.tf_cell CELL_JSON RESULT`."""
from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import tensorflow as tf
from tf_agents.specs import tensor_spec

from experiments import run_loop, runner
from experiments.baselines import UniformReplay
from experiments.benchmarks import agent_settings, tfa_agents
from experiments.benchmarks.cells import AGENTS, VARIANTS, Cell
from experiments.benchmarks.playing import Result, evaluate
from experiments.benchmarks.ppo_updates import PpoUpdater
from experiments.benchmarks.py_form import PyWorld
from experiments.benchmarks.tasks import TASKS
from experiments.benchmarks.watch import EVALUATION_SEED, Watch
from experiments.collecting import Collector, Updater, random_policy
from experiments.evaluation import Evaluator
from experiments.run_config import RunConfig
from infonodes.info_nodes.rl_node import greedy_of


def main(cell_json: str, path: str) -> None:
    """Trains, and puts the result in its place."""
    cell = Cell(**json.loads(cell_json))
    family, watch = AGENTS[cell.agent][0], Watch()
    result = Result(cell, watch)
    run = {"infonodes": run_ours, "tf_agents": run_tfa, "random": run_random}[family]
    world = run(cell, watch, result)
    result.write(path, world.rows if TASKS[cell.task].source == "bsuite" else None)


def run_ours(cell: Cell, watch: Watch, result: Result) -> Any:
    """Trains a preset as it comes, or a variant, by the project's own runner; returns the world it trained in."""
    preset, changed = VARIANTS.get(cell.agent, (cell.agent, {}))
    config = RunConfig(
        env=cell.task, preset=preset, seed=cell.seed, steps=cell.moves, out=cell.out, settings=changed,
        eval_every=cell.eval_moves, eval_episodes=cell.eval_episodes, warmup=agent_settings.WARMUP,
    )
    assert run_loop.EVALUATION_SEED == EVALUATION_SEED  # The watch tells evaluation by it.
    made: list[Any] = []

    def make_env() -> PyWorld:
        # The runner tries one first, trains in the second and evaluates in the others.
        world = cell.world()
        if len(made) == 1 and TASKS[cell.task].source == "bsuite":
            world.log()
        made.append(world)
        return PyWorld(watch.over(world))

    done = runner.train(config, make_env, progress=False)
    for found in done.evaluations:
        if found.step and found.step % cell.eval_moves == 0:
            result.add(found.step, {"returns": list(found.returns), "lengths": list(found.lengths)})
    return made[1]


def run_tfa(cell: Cell, watch: Watch, result: Result) -> Any:
    """Trains one of TF-Agents' agents: collects, updates and evaluates as the runner does; returns its world."""
    tf.keras.utils.set_random_seed(cell.seed)
    world, env = _training_world(cell, watch)
    specs = tensor_spec.from_spec((env.time_step_spec(), env.action_spec()))
    agent = tfa_agents.MAKERS[cell.agent](*specs, TASKS[cell.task].value_range)
    agent.initialize()
    make_env = lambda: PyWorld(watch.over(cell.world()))
    evaluator = Evaluator(greedy_of(agent), make_env, cell.eval_episodes, EVALUATION_SEED + cell.seed)
    if cell.agent == "tfa_ppo":
        updater: Any = PpoUpdater(agent, cell.seed)
        collector, replay = Collector(env, updater), None
        collector.use(agent.collect_policy)
    else:
        replay = UniformReplay(agent.collect_data_spec, 2, agent_settings.REPLAY_SIZE)
        collector, updater = Collector(env, replay.observer()), None
        collector.use(random_policy(agent))
    for move in range(1, cell.moves + 1):
        collector.step()
        if updater is None and move >= agent_settings.WARMUP:
            collector.flush()
            replay.wait_for(1, timeout_s=30.0)
            collector.use(agent.collect_policy)
            updater = Updater(agent, replay, tfa_agents.BATCH[cell.agent])
        elif updater is not None:
            updater.step()
        if move % cell.eval_moves == 0:
            if updater is not None:
                updater.metrics()  # Raises if a loss is not finite.
            found = evaluator.run(move)
            result.add(move, {"returns": list(found.returns), "lengths": list(found.lengths)})
    if replay is not None:
        replay.close()
    return world


def run_random(cell: Cell, watch: Watch, result: Result) -> Any:
    """Plays uniform moves, in training and evaluation alike; returns the world it trained in."""
    world, env = _training_world(cell, watch)
    spec, rng = env.action_spec(), np.random.default_rng(cell.seed)

    def act(_: np.ndarray) -> Any:
        if np.issubdtype(spec.dtype, np.integer):
            return rng.integers(spec.minimum, spec.maximum + 1)
        return rng.uniform(spec.minimum, spec.maximum).astype(np.float32)

    worlds = [watch.over(cell.world()) for _ in range(cell.eval_episodes)]
    time_step = env.reset()
    for move in range(1, cell.moves + 1):
        if time_step.is_last():
            time_step = env.reset()
        time_step = env.step(act(time_step.observation))
        if move % cell.eval_moves == 0:
            result.add(move, evaluate(act, worlds, cell))
    return world


def _training_world(cell: Cell, watch: Watch) -> tuple[Any, PyWorld]:
    world = cell.world()
    if TASKS[cell.task].source == "bsuite":
        world.log()
    env = PyWorld(watch.over(world))
    env.seed(cell.seed)
    return world, env


if __name__ == "__main__":
    main(*sys.argv[1:])
