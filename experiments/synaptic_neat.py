"""neat-python beside the SynapticNode: the same tasks, steps counted, the same greedy evaluation.

  pip install 'infonodes[peers]'
  python -m experiments.synaptic_neat --task=cartpole --seeds=10

A genome's fitness is the return of one episode. Once a generation's best reaches the bar it is
tried on 20 fresh episodes, which do not count; the run ends when their mean reaches it, or
with the steps. Cells go beside those of `experiments.synaptic`, as the variant `neat`.
"""
from __future__ import annotations

import os
import random
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import gym
import numpy as np
import tqdm
from absl import app, flags

from experiments import command_line, sweep_flags, synaptic_cells
from experiments.synaptic_variants import Variant
from experiments.tf_tasks import TASKS, TfTask

_RUNS = flags.DEFINE_string("runs", os.path.join("runs", "synaptic"), "Folder of the cells.")
_DOCS = flags.DEFINE_string("docs", os.path.join("docs", "results", "synaptic"), "Folder of the tables.")
sweep_flags.adopt("seeds", "steps", "task")
_STEPS = 100_000  # Environment steps at most.
_BARS = {"cartpole": 475.0, "acrobot": -100.0, "mountain_car": -110.0}
_EPISODES = 20


class _Enough(Exception):
    """The steps are used up, or the bar is reached."""


class Search:
    """One seed's evolution.

    Attributes:
      rollouts: Episodes that counted.
      steps: Moves that counted.
      best: The best genome's mean return over fresh episodes, and the genome's edges.
    """

    def __init__(self, task: TfTask, bar: float, seed: int, most_steps: int):
        """Builds environments and population."""
        import neat  # pylint: disable=g-import-not-at-top

        self._neat, self._bar, self._most = neat, bar, most_steps
        random.seed(seed)
        self._env = gym.make(task.gym_id)
        self._env.seed(seed)
        self._fresh = gym.make(task.gym_id)
        self._fresh.seed(10_000 + seed)
        low, high = np.array(task.ranges).T
        self._scale = lambda x: (2.0 * (x - low) / (high - low) - 1.0).tolist()
        self._config = neat.Config(
            neat.DefaultGenome, neat.DefaultReproduction, neat.DefaultSpeciesSet, neat.DefaultStagnation,
            os.path.join(os.path.dirname(__file__), "neat.cfg"),
        )
        genome = self._config.genome_config
        genome.num_inputs, genome.num_outputs = len(low), task.actions
        genome.input_keys = [-i - 1 for i in range(len(low))]
        genome.output_keys = list(range(task.actions))
        self.rollouts, self.steps = 0, 0
        self.best: tuple[float, int] = (-np.inf, 0)
        self._fittest: Any = None

    def run(self) -> None:
        """Evolves until the bar or the steps are reached; then tries the fittest genome seen."""
        population = self._neat.Population(self._config)
        try:
            population.run(self._generation, self._most)  # `_Enough` comes first.
        except _Enough:
            pass
        if self.best[0] < self._bar:
            self._try(self._fittest)

    def _generation(self, genomes: list, config: object) -> None:
        for _, genome in genomes:
            genome.fitness, length = self._episode(genome, self._env)
            self.rollouts, self.steps = self.rollouts + 1, self.steps + length
        fittest = max((g for _, g in genomes), key=lambda g: g.fitness)
        if self._fittest is None or fittest.fitness > self._fittest.fitness:
            self._fittest = fittest
        if fittest.fitness >= self._bar:
            self._try(fittest)
        if self.best[0] >= self._bar or self.steps >= self._most:
            raise _Enough

    def _try(self, genome: Any) -> None:
        mean = float(np.mean([self._episode(genome, self._fresh)[0] for _ in range(_EPISODES)]))
        self.best = max(self.best, (mean, sum(c.enabled for c in genome.connections.values())))

    def _episode(self, genome: Any, env: gym.Env) -> tuple[float, int]:
        net = self._neat.nn.FeedForwardNetwork.create(genome, self._config)
        seen, total, length, done = env.reset(), 0.0, 0, False
        while not done:
            seen, reward, done, _ = env.step(int(np.argmax(net.activate(self._scale(seen)))))
            total, length = total + reward, length + 1
        return total, length


def main(argv: list) -> None:
    """Runs the seeds that are missing, writes and prints the table."""
    command_line.check(argv)
    name, most = sweep_flags.task(TASKS, "cartpole"), sweep_flags.STEPS.value or _STEPS
    settings = {"peer": "neat-python 2.0", "steps": most}
    variant = Variant(settings, episodes=0, seeds=sweep_flags.SEEDS.value or 5)
    for seed in tqdm.tqdm(synaptic_cells.missing(_RUNS.value, name, "neat", variant), unit="seed"):
        began, search = time.monotonic(), Search(TASKS[name], _BARS[name], seed, most)
        search.run()
        greedy, edges = search.best
        synaptic_cells.write(_RUNS.value, name, "neat", variant, {
            "seed": seed, "greedy": greedy, "edges": edges, "steps": search.steps, "rollouts": search.rollouts,
            "seconds": round(time.monotonic() - began, 2),
        })
    print(synaptic_cells.tables(_RUNS.value, _DOCS.value, name))


if __name__ == "__main__":
    app.run(main)
