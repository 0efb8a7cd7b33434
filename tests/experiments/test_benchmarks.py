"""Every agent meets the same worlds, starts, steps and clock; cells resume; the package never imports a peer."""
import ast
import json
import os
import pathlib
import subprocess
import sys

import dm_env
import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from experiments import settings, sweep, tasks
from experiments.benchmarks import cells, playing, raw_results, reports, tf_cell, tfa_agents, worlds
from experiments.benchmarks.cells import AGENTS, VARIANTS, Cell
from experiments.benchmarks.py_form import PyWorld
from experiments.benchmarks.tasks import TASKS
from experiments.benchmarks.watch import EVALUATION_SEED, Watch
from infonodes.info_nodes.rl_node import greedy_of

ROOT = pathlib.Path(__file__).parents[2]
GYM = [name for name, task in TASKS.items() if task.source == "gym" and task.family == "classic control"]


class Counting(worlds.World):
    """Pays 1 a step of the simulation; ends at `end` of them, or is cut off at `limit` moves."""

    def __init__(self, end=None, limit=None, repeat=1):
        super().__init__(1, specs.DiscreteArray(2), limit, repeat)
        self._end, self._t = end, 0

    def seed(self, seed):
        pass

    def _begin(self):
        self._t = 0
        return {"t": np.array([0.0])}

    def _play(self, action):
        self._t += 1
        ended = self._t == self._end
        return {"t": np.array([self._t])}, 1.0, 0.0 if ended else 1.0, ended


def imported(path):
    """Returns the first names of all that a file imports, lazily too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


def test_the_package_never_imports_a_peer():
    peers = {"stable_baselines3", "torch", "bsuite", "minatar", "dm_control", "experiments"}
    for path in (ROOT / "core").rglob("*.py"):
        assert not imported(path) & peers, path


def test_only_the_peers_cell_imports_stable_baselines():
    for path in (ROOT / "experiments").rglob("*.py"):
        if path.name != "sb3_cell.py":
            assert not imported(path) & {"stable_baselines3", "torch"}, path


def test_what_the_peers_process_imports_knows_no_tensorflow():
    """It runs where TensorFlow is not installed."""
    folder = ROOT / "experiments" / "benchmarks"
    names = ("sb3_cell", "gymnasium_form", "agent_settings", "cells", "playing", "tasks", "watch", "worlds")
    for name in names:
        assert not imported(folder / f"{name}.py") & {"tensorflow", "tf_agents", "infonodes"}, name


def test_the_suites_hold_every_agent_that_fits_with_the_same_seeds():
    everything = cells.cells("all", range(3))
    for name, task in TASKS.items():
        for agent in AGENTS:
            seeds = {c.seed for c in everything.values() if (c.task, c.agent) == (name, agent)}
            assert seeds == ({0, 1, 2} if cells.fits(agent, task) and agent not in VARIANTS else set())
    assert not any(c.agent == "tfa_sac" for c in everything.values() if not TASKS[c.task].continuous)
    for name in ("short", "classic", "cartpole"):
        assert cells.cells(name, range(1))
    with pytest.raises(ValueError, match="expected short, classic, all"):
        cells.cells("nothing", range(1))
    with pytest.raises(ValueError, match="nobody"):
        cells.cells("short", range(1), ["nobody"])


def test_a_report_on_a_benchmarks_run_meets_the_same_world():
    """A run's config names the task, which `experiments.report` and `experiments.train` load by that name."""
    cell = Cell("acrobot", "predictive", 0, 200, 100, 1, "")
    envs, found = [tasks.load("acrobot"), PyWorld(cell.world())], []
    for env in envs:
        env.seed(3)
        found.append(np.concatenate([env.reset().observation, *(env.step(1).observation for _ in range(5))]))
    np.testing.assert_array_equal(*found)
    assert envs[0].action_spec() == envs[1].action_spec()


def test_a_variant_runs_where_it_is_named_and_changes_what_its_preset_has():
    for name, (preset, changed) in VARIANTS.items():
        assert [c.agent for c in cells.cells("pendulum", range(1), [name, "random"]).values()] == ["random", name]
        known, fields = settings.groups(preset), [(g, f, v) for g, group in changed.items() for f, v in group.items()]
        assert fields and all(known[group][field] != value for group, field, value in fields)


def test_a_cell_of_a_variant_trains_with_what_it_changes(monkeypatch):
    asked = []

    class Enough(Exception):
        pass

    def train(config, *_, **__):
        asked.append(config)
        raise Enough

    monkeypatch.setattr(tf_cell.runner, "train", train)
    for agent in ("predictive", "predictive_repeat4"):
        with pytest.raises(Enough):
            tf_cell.run_ours(Cell("pendulum", agent, 0, 1000, 1000, 1), Watch(), None)
    assert [(c.preset, c.settings) for c in asked] == [("predictive", {}), ("predictive", {"reward": {"repeat": 4}})]


@pytest.mark.parametrize("name", sorted(tfa_agents.MAKERS))
def test_a_peer_is_evaluated_without_noise(name):
    world = PyWorld(Cell("pendulum" if name == "tfa_sac" else "cartpole", name, 0, 1000, 1000, 1).world())
    specs = tensor_spec.from_spec((world.time_step_spec(), world.action_spec()))
    policy = greedy_of(tfa_agents.MAKERS[name](*specs, (0.0, 1.0)))
    seen = ts.restart(tf.constant([world.reset().observation]), batch_size=1)
    moves = [policy.action(seen, policy.get_initial_state(1)).action.numpy() for _ in range(6)]
    np.testing.assert_array_equal(moves, moves[:1] * 6)


def test_a_cell_counts_moves_by_the_action_repeat():
    cell = Cell("pendulum_swingup", "random", 0, 50_000, 5000, 5)
    assert (cell.moves, cell.eval_moves) == (25_000, 2500)
    with pytest.raises(ValueError, match="multiple of eval_every"):
        Cell("cartpole", "random", 0, 1500, 1000, 5)
    with pytest.raises(ValueError, match="no actions of the kind"):
        Cell("pendulum", "tfa_dqn", 0, 1000, 1000, 5)


def test_a_termination_has_discount_0_and_a_time_limit_1():
    ended, cut = Counting(end=3), Counting(limit=3)
    for world, discount in ((ended, 0.0), (cut, 1.0)):
        steps = [world.reset(), *(world.step(0) for _ in range(3))]
        assert [s.step_type for s in steps] == [dm_env.StepType.FIRST, *[dm_env.StepType.MID] * 2, dm_env.StepType.LAST]
        assert steps[-1].discount == discount and sum(s.reward for s in steps[1:]) == 3.0
        assert world.step(0).first()
    twice = Counting(end=3, repeat=2)
    twice.reset()
    assert twice.step(0).reward == 2.0
    last = twice.step(0)
    assert last.last() and last.reward == 1.0  # What would come after the end is not played.


@pytest.mark.parametrize("name", GYM)
def test_gym_worlds_are_gyms_and_repeat_from_a_seed(name):
    import gym

    task = TASKS[name]
    world, env = worlds.load(task.source, task.name), gym.make(task.name)
    rng = np.random.default_rng(0)
    low, high = (-1.0, 1.0) if task.continuous else (0, 1)
    for seed in (EVALUATION_SEED, 3):
        world.seed(seed)
        np.testing.assert_allclose(world.reset().observation, env.reset(seed=seed), rtol=1e-6)
        for _ in range(30):
            drawn = rng.uniform(low, high, 1)
            action = drawn.astype(np.float32) if task.continuous else int(round(drawn[0]))
            seen, reward, done, _ = env.step(action)
            found = world.step(action)
            np.testing.assert_allclose(found.observation, np.ravel(seen), rtol=1e-5, atol=1e-6)
            assert found.reward == pytest.approx(reward) and found.last() == done
            if done:
                break


def test_a_time_limit_of_gym_truncates():
    world = worlds.load("gym", "Pendulum-v1")
    world.seed(0)
    step, moves = world.reset(), 0
    while not step.last():
        step, moves = world.step(np.zeros(1, np.float32)), moves + 1
    assert moves == 200 and step.discount == 1.0


def test_the_watch_counts_training_and_leaves_evaluation_out():
    now = [0.0]
    watch = Watch(lambda: now[0])
    train, other = (PyWorld(watch.over(Counting(limit=5))) for _ in range(2))
    train.seed(0)
    other.seed(EVALUATION_SEED)
    train.reset()
    for _ in range(12):  # With two resets on the way, which are no moves.
        now[0] += 1.0
        train.step(0)
    assert watch.moves == 10 and watch.train_s == 10.0  # From the first move, at 1, to the last, at 11.
    now[0] += 2.0  # An update after the move counts.
    other.reset()
    now[0] += 100.0
    other.step(0)
    assert watch.marks == [(10, 13.0)] and watch.until(10) == 13.0 and watch.until(9) is None
    train.step(0)
    assert watch.train_s == 13.0 and watch.moves == 11


def test_evaluations_are_the_same_episodes_for_every_agent():
    cell = Cell("cartpole", "random", 2, 1000, 1000, 3)
    first = playing.evaluate(lambda _: 0, [cell.world() for _ in range(3)], cell)
    used = [cell.world() for _ in range(3)]
    for world in used:
        world.seed(77)
        world.reset()
    assert playing.evaluate(lambda _: 0, used, cell) == first
    assert list(cell.eval_seeds) == [EVALUATION_SEED + 2 + i for i in range(3)]


def test_an_evaluation_the_world_did_not_see_is_refused(tmp_path):
    result = playing.Result(Cell("cartpole", "random", 0, 1000, 1000, 3), Watch())
    with pytest.raises(RuntimeError, match="the world saw"):
        result.add(1000, {"returns": [1.0], "lengths": [1]})


def made(cell):
    """Returns what a cell that costs nothing comes to."""
    steps, n = range(cell.eval_every, cell.steps + 1, cell.eval_every), cell.eval_episodes
    evaluations = [
        {"step": s, "train_s": s / 100, "returns": [s * (cell.seed + 1.0)] * n, "lengths": [9] * n} for s in steps
    ]
    return {"config": cell.to_json(), "evaluations": evaluations}


@pytest.fixture
def there(tmp_path):
    """Cells that cost nothing, but the last, which fails until told otherwise."""
    asked = cells.cells("cartpole", range(2), ["random", "tfa_dqn"], 2000)
    calls, broken = [], {"cartpole-tfa_dqn-seed1"}

    def run_one(home, name, cell):
        calls.append(name)
        if name in broken:
            return "no luck"
        with open(sweep.cell_path(home, name), "w", encoding="utf-8") as file:
            json.dump(made(cell), file)
        return None

    return asked, calls, broken, run_one


def test_cells_resume_one_by_one_and_the_report_tells_what_is_there(there, tmp_path):
    asked, calls, broken, run_one = there
    home = str(tmp_path / "benchmarks")
    assert sweep.run_missing(home, asked, run_one, 1) == {"cartpole-tfa_dqn-seed1": "no luck"}
    assert "| tfa_dqn | 1500 | 1500 to 1500 | 1500 | 1 | 20 |" in reports.write(home, asked, str(tmp_path / "docs"))
    broken.clear()
    calls.clear()
    assert not sweep.run_missing(home, asked, run_one, 1) and calls == ["cartpole-tfa_dqn-seed1"]
    assert "| tfa_dqn | 2250 | 1500 to 3000 | 1500 | 2 | 20 |" in reports.write(home, asked, str(tmp_path / "docs"))
    raw = (tmp_path / "docs" / "raw" / "cartpole-tfa_dqn-seed1.csv").read_text(encoding="utf-8").splitlines()
    assert raw[:3] == ["step,train_s,episode,return,length", "1000,10.0,0,2000,9", "1000,10.0,1,2000,9"]
    assert len(raw) == 1 + 2 * 10 and raw[11] == "2000,20.0,0,4000,9"
    for name in ("cartpole_steps.png", "cartpole_seconds.png"):
        assert (tmp_path / "docs" / name).stat().st_size > 1000
    fewer = {name: cell for name, cell in asked.items() if cell.agent == "random"}
    with pytest.raises(sweep.RunError, match="2 runs that the new table would not have"):
        reports.write(home, fewer, str(tmp_path / "docs"))
    other = cells.cells("cartpole", range(2), ["random"], 3000)
    with pytest.raises(sweep.RunError, match="other settings"):
        sweep.run_missing(home, other, run_one, 1)
    with pytest.raises(sweep.RunError, match="other settings"):
        reports.write(home, other, str(tmp_path / "docs"))


def test_a_table_is_not_replaced_by_one_of_nothing(there, tmp_path):
    with pytest.raises(sweep.RunError, match="no finished cells of ..cartpole"):
        reports.write(str(tmp_path / "benchmarks"), there[0], str(tmp_path / "docs"))
    assert not (tmp_path / "docs").exists()


@pytest.mark.parametrize("task", ["cartpole", "bsuite_catch"])
def test_published_results_stand_for_their_runs(task, tmp_path):
    asked = cells.cells(task, range(2), ["random", "tfa_dqn"])
    (name, cell), *_ = asked.items()
    steps = range(cell.eval_every, cell.steps + 1, cell.eval_every)
    played = {"returns": [0.5] * cell.eval_episodes, "lengths": [7] * cell.eval_episodes}
    run = {"config": cell.to_json(), "evaluations": [{"step": s, "train_s": s / 8, **played} for s in steps]}
    if task == "bsuite_catch":
        run["bsuite"] = [{"episode": float(i), "total_regret": 2.0 * i} for i in (1, 10)]
    docs, home = str(tmp_path / "docs"), str(tmp_path / "benchmarks")
    (tmp_path / "docs").mkdir()
    first = {"step": 0, "train_s": 0.0, **played}  # As older runs have it.
    raw_results.write(docs, name, {**run, "evaluations": [first, *run["evaluations"]]})
    assert raw_results.restore(docs, home, asked) == [name]
    with open(sweep.cell_path(home, name), encoding="utf-8") as file:
        assert json.load(file) == run
    called = []
    assert not sweep.run_missing(home, asked, lambda _, missing, __: called.append(missing), 1)
    assert sorted(called) == sorted(set(asked) - {name})
    assert raw_results.restore(docs, home, asked) == []  # A cell that is there stays.


def test_published_results_of_other_steps_are_refused(tmp_path):
    (name, cell), *_ = cells.cells("cartpole", range(1), ["random"], 2000).items()
    played = {"returns": [1.0] * cell.eval_episodes, "lengths": [1] * cell.eval_episodes}
    raw_results.write(str(tmp_path), name, {"evaluations": [{"step": 1000, "train_s": 1.0, **played}]})
    with pytest.raises(sweep.RunError, match=f"{name}.csv.*got {{1000: 10}}"):
        raw_results.restore(str(tmp_path), str(tmp_path / "home"), {name: cell})


def test_runs_of_bsuite_without_its_log_are_not_restored(tmp_path):
    (name, cell), *_ = cells.cells("bsuite_catch", range(1), ["random"]).items()
    (tmp_path / f"{name}.csv").write_text("step,train_s,episode,return,length\n", encoding="utf-8")
    assert raw_results.restore(str(tmp_path), str(tmp_path / "home"), {name: cell}) == []


def test_the_table_is_of_every_run_that_is_published(tmp_path):
    """Random, sb3_dqn and a variant are published, two seeds each, and none of their cells is there.

    The binary runs in a process of its own, as its flags are others' too.
    """
    docs = tmp_path / "docs" / "cartpole"
    (docs / "raw").mkdir(parents=True)
    names = [f"cartpole-{agent}-seed{seed}" for agent in ("random", "sb3_dqn", "predictive_hold") for seed in (0, 1)]
    for name, cell in cells.named("cartpole", names, 2000).items():
        raw_results.write(str(docs / "raw"), name, made(cell))
    (docs / "table.md").write_text("as published", encoding="utf-8")
    steps = "expected 10 episodes at each of [1000, 2000, 3000] steps"
    refused = {
        "--steps=2000 --agents=random": "5 runs that the new table would not have",
        "--steps=2000 --report": "6 runs that the new table would not have",
        "--steps=2000 --agents=random,sb3_dqn,predictive_hold --seeds=2": "pass --restore to keep",  # No peer.
        "--steps=3000 --agents=random": steps,
        "--steps=3000 --agents=random --restore": steps,
        "--steps=2000 --agents=tfa_dqn --peer_python=nowhere/python": "--peer_python='nowhere/python': no such program",
        "--steps=2000 --only=random --restore": "--only: not read",
    }
    asked = [*refused, "--steps=2000 --agents=random,tfa_dqn --restore"]
    flags = ["--suite=cartpole", "--seeds=1", f"--docs={tmp_path / 'docs'}", f"--runs={tmp_path / 'runs'}"]
    command = [sys.executable, str(ROOT / "tests" / "experiments" / "benchmarks_main.py"), *flags]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, input="\n".join(asked), capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    *found, last = [json.loads(line[7:]) for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    for (args, says), outcome in zip(refused.items(), found):
        assert says in outcome["error"], args
        assert outcome["ran"] == [] and outcome["table"] == "as published", args
    assert last["error"] == "" and last["ran"] == ["cartpole-tfa_dqn-seed0"]  # Random's is published.
    rows = [line.split(" | ") for line in last["table"].splitlines() if line.startswith("| cartpole")]
    seeds = {row[2]: row[6] for row in rows}
    assert seeds == {"random": "2", "tfa_dqn": "1", "sb3_dqn": "2", "predictive_hold": "2"}


def test_a_run_of_bsuite_that_cannot_be_restored_still_guards_its_table(tmp_path):
    (name, cell), (other, _) = cells.cells("bsuite_catch", range(1), ["random", "tfa_dqn"]).items()
    raw_results.write(str(tmp_path), name, made(cell))
    assert raw_results.restore(str(tmp_path), str(tmp_path / "home"), {name: cell}) == []
    with pytest.raises(sweep.RunError, match="NAME-bsuite.csv"):
        raw_results.refuse_loss(str(tmp_path), {other: cell})
    raw_results.refuse_loss(str(tmp_path), {name: cell})


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["random", "reactive", "synaptic", "tfa_dqn", "tfa_ppo"])
def test_a_tiny_cell_of_each_family_runs_to_its_end(agent, tmp_path):
    from experiments.benchmarks import tf_cell

    cell = Cell("cartpole", agent, 0, 400, 400, 2, str(tmp_path / "run"))
    tf_cell.main(json.dumps(cell.to_json()), str(tmp_path / "result.json"))
    found = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert found["moves"] == 400 and [e["step"] for e in found["evaluations"]] == [400]
    assert all(1.0 <= r <= 500.0 for r in found["evaluations"][0]["returns"])
