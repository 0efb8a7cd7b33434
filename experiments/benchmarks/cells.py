"""Cells as data: a task, an agent, a seed; imports no learning library."""
from __future__ import annotations

import dataclasses
from typing import Any, Collection, Iterable, Optional, Sequence

from experiments.benchmarks import worlds
from experiments.benchmarks.tasks import TASKS, Task
from experiments.benchmarks.watch import EVALUATION_SEED

# Which agents there are: the library they are of, and the kinds of action they have.
DISCRETE, CONTINUOUS = ("discrete",), ("continuous",)
BOTH = (*DISCRETE, *CONTINUOUS)
AGENTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "random": ("random", BOTH),
    "reactive": ("infonodes", BOTH),
    "predictive": ("infonodes", BOTH),
    "hierarchical": ("infonodes", BOTH),
    "planning": ("infonodes", BOTH),
    "synaptic": ("infonodes", BOTH),
    "embodied": ("infonodes", BOTH),
    "tfa_dqn": ("tf_agents", DISCRETE),
    "tfa_categorical_dqn": ("tf_agents", DISCRETE),
    "tfa_ppo": ("tf_agents", BOTH),
    "tfa_sac": ("tf_agents", CONTINUOUS),
    "sb3_dqn": ("sb3", DISCRETE),
    "sb3_ppo": ("sb3", BOTH),
    "sb3_sac": ("sb3", CONTINUOUS),
}
# Presets with settings of their own, by what is changed: they run where they are asked for by name.
VARIANTS: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "predictive_repeat4": ("predictive", {"reward": {"repeat": 4}}),
    "predictive_curious": ("predictive", {"pred": {"heads": 5}, "reward": {"curiosity": 0.1, "curiosity_gamma": 0.99}}),
    "predictive_reached": ("predictive", {"reward": {"bootstrap": "reached"}}),
    "predictive_hold": ("predictive", {"reward": {"epsilon_hold": 64}}),
    "predictive_recurrent": ("predictive", {"agent": {"recurrent": True, "train_sequence_length": 8}}),
    "predictive_residual": ("predictive", {"pred": {"norm": "layernorm", "residual": True}}),
}
AGENTS.update({name: AGENTS[preset] for name, (preset, _) in VARIANTS.items()})
_SHORT = {"cartpole": 4000, "pendulum": 3000}
_SHORT_AGENTS = ("random", "reactive", "predictive", "tfa_dqn", "tfa_sac", "sb3_dqn", "sb3_sac")
_CLASSIC = ("cartpole", "acrobot", "mountain_car", "pendulum", "mountain_car_continuous")


@dataclasses.dataclass(frozen=True)
class Cell:
    """One run.

    Attributes:
      task: One of `TASKS`.
      agent: One of `AGENTS`.
      seed: Of the agent, and of the worlds it trains in; evaluation starts from `EVALUATION_SEED` + it.
      steps: Environment steps, action repeats counted.
      eval_every: The same, from one evaluation to the next.
      eval_episodes: Greedy episodes an evaluation.
      out: Folder for what the run leaves behind.
    """

    task: str
    agent: str
    seed: int
    steps: int
    eval_every: int
    eval_episodes: int
    out: Optional[str] = None

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"task {self.task!r}: expected one of {sorted(TASKS)}")
        if self.agent not in AGENTS:
            raise ValueError(f"agent {self.agent!r}: expected one of {sorted(AGENTS)}")
        if not fits(self.agent, TASKS[self.task]):
            raise ValueError(f"agent {self.agent!r} has no actions of the kind that task {self.task!r} takes")
        repeat = TASKS[self.task].repeat
        if self.eval_every % repeat or self.steps % self.eval_every:
            raise ValueError(
                f"task {self.task!r}: expected steps={self.steps} as a multiple of eval_every={self.eval_every}, "
                f"and that as one of the action repeat {repeat}"
            )

    @property
    def moves(self) -> int:
        """Decisions: environment steps by the action repeat."""
        return self.steps // TASKS[self.task].repeat

    @property
    def eval_moves(self) -> int:
        """Decisions from one evaluation to the next."""
        return self.eval_every // TASKS[self.task].repeat

    @property
    def eval_seeds(self) -> range:
        """Where the episodes of each evaluation start: the same for every agent."""
        return range(EVALUATION_SEED + self.seed, EVALUATION_SEED + self.seed + self.eval_episodes)

    def world(self) -> worlds.World:
        """Returns a new world."""
        task = TASKS[self.task]
        return worlds.load(task.source, task.name, task.repeat)

    def to_json(self) -> dict[str, Any]:
        """Returns the record as JSON can hold it; `Cell(**…)` reads it back."""
        return dataclasses.asdict(self)


def fits(agent: str, task: Task) -> bool:
    """Returns whether an agent has actions of the task's kind."""
    return ("continuous" if task.continuous else "discrete") in AGENTS[agent][1]


def suite(name: str) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Returns environment steps and agents by task.

    Args:
      name: `short`, `classic`, `all`, or a task.

    Raises:
      ValueError: listing the valid names, for an unknown one.
    """
    if name == "short":
        return {task: (steps, _SHORT_AGENTS) for task, steps in _SHORT.items()}
    chosen: Iterable[str] = {"classic": _CLASSIC, "all": tuple(TASKS)}.get(name, (name,) if name in TASKS else ())
    if not chosen:
        raise ValueError(f"suite {name!r}: expected short, classic, all, or one of {sorted(TASKS)}")
    return {task: (TASKS[task].steps, tuple(AGENTS)) for task in chosen}


def cells(
    name: str, seeds: Sequence[int], agents: Optional[Sequence[str]] = None, steps: Optional[int] = None
) -> dict[str, Cell]:
    """Returns the cells of a suite by `TASK-AGENT-seedK`, in the order they are best run: seed by seed.

    Args:
      name: See `suite`.
      seeds: Of each agent on each task.
      agents: Those to run; all that fit by default, but for the variants.
      steps: Environment steps instead of the suite's own.

    Raises:
      ValueError: for an unknown suite or agent.
    """
    strangers = sorted(set(agents or ()) - set(AGENTS))
    if strangers:
        raise ValueError(f"agents {strangers}: expected some of {sorted(AGENTS)}")
    wanted = set(AGENTS) - set(VARIANTS) if agents is None else set(agents)
    found = {}
    for seed in seeds:
        for task_name, (own, able) in suite(name).items():
            task = TASKS[task_name]
            for agent in (a for a in able if fits(a, task) and a in wanted):
                total = steps or own
                every = min(task.eval_every, total)
                cell = Cell(task_name, agent, seed, total - total % every, every, task.eval_episodes)
                found[f"{task_name}-{agent}-seed{seed}"] = cell
    return found


def named(suite_name: str, names: Collection[str], steps: Optional[int] = None) -> dict[str, Cell]:
    """Returns the cells of a suite that have these names, variants among them; other names are left out.

    Args:
      suite_name: See `suite`.
      names: As `cells` gives them.
      steps: See `cells`.

    Raises:
      ValueError: for an unknown suite.
    """
    seeds = sorted({int(name.rpartition("-seed")[2]) for name in names})
    return {name: cell for name, cell in cells(suite_name, seeds, list(AGENTS), steps).items() if name in names}
