"""One cell of Stable-Baselines3: `PEER_PYTHON -m experiments.benchmarks.sb3_cell CELL_JSON RESULT`.

Runs in an environment of its own, without TensorFlow: its PyTorch needs another typing-extensions
than TF-Agents pins.
"""
from __future__ import annotations

import json
import os
import sys
from typing import Any

import torch
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback

from experiments.benchmarks import agent_settings as settings
from experiments.benchmarks.cells import Cell
from experiments.benchmarks.gymnasium_form import GymnasiumWorld
from experiments.benchmarks.playing import Result, evaluate
from experiments.benchmarks.tasks import TASKS
from experiments.benchmarks.watch import Watch


def build(cell: Cell, env: GymnasiumWorld) -> Any:
    """Returns the learner: the same settings as TF-Agents' of the same name where both have them."""
    common = {"policy": "MlpPolicy", "env": env, "seed": cell.seed, "device": "cpu", "gamma": settings.GAMMA}
    if cell.agent == "sb3_ppo":
        return PPO(**common, **_named(settings.PPO, n_steps="horizon", n_epochs="epochs"))
    replay = {"buffer_size": settings.REPLAY_SIZE, "learning_starts": settings.WARMUP, "train_freq": 1}
    if cell.agent == "sb3_sac":
        net = {"net_arch": list(settings.SAC["layers"])}
        return SAC(**common, **replay, **_named(settings.SAC), tau=settings.SAC["tau"], policy_kwargs=net)
    values, net = settings.DQN, {"net_arch": list(settings.DQN["layers"])}
    return DQN(
        **common, **replay, **_named(values), policy_kwargs=net,
        target_update_interval=values["target_update_period"],
        exploration_initial_eps=values["epsilon"], exploration_final_eps=values["epsilon"],
    )


def _named(values: dict[str, Any], **names: str) -> dict[str, Any]:
    shared = {"learning_rate": values["learning_rate"], "batch_size": values["batch_size"]}
    return {**shared, **{theirs: values[ours] for theirs, ours in names.items()}}


class _Evaluating(BaseCallback):
    """Evaluates before the move that follows each `eval_moves`: all updates of the last move are made by then."""

    def __init__(self, cell: Cell, result: Result, watch: Watch):
        super().__init__()
        self._cell, self._result, self._moves = cell, result, 0
        self._watch, self._worlds = watch, [watch.over(cell.world()) for _ in range(cell.eval_episodes)]

    def _on_rollout_start(self) -> None:
        if not isinstance(self.model, PPO):
            self.due()

    def _on_step(self) -> bool:
        if isinstance(self.model, PPO):
            self.due()
        return True

    def due(self) -> None:
        """Evaluates if the watch is at a multiple of `eval_moves` that was not yet."""
        moves = self._watch.moves
        if moves and moves % self._cell.eval_moves == 0 and moves != self._moves and moves <= self._cell.moves:
            self._moves = moves
            act = lambda observation: self.model.predict(observation, deterministic=True)[0]
            self._result.add(moves, evaluate(act, self._worlds, self._cell))


def main(cell_json: str, path: str) -> None:
    """Trains, and puts the result in its place."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    cell = Cell(**json.loads(cell_json))
    watch = Watch()
    world = cell.world()
    if TASKS[cell.task].source == "bsuite":
        world.log()
    env = GymnasiumWorld(watch.over(world))
    env.reset(seed=cell.seed)
    result = Result(cell, watch)
    model = build(cell, env)
    evaluating = _Evaluating(cell, result, watch)
    # PPO finishes a whole rollout: what it does after the last evaluation is not recorded.
    model.learn(cell.moves, callback=evaluating)
    evaluating.due()
    result.write(path, world.rows if TASKS[cell.task].source == "bsuite" else None)


if __name__ == "__main__":
    main(*sys.argv[1:])
