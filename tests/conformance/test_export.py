"""An exported policy does the same in a process that knows nothing of the project."""
from __future__ import annotations

import pathlib
import subprocess
import sys
import time

import conformance_cases as cases
import numpy as np
import pytest
import tensorflow as tf
from tf_agents.policies import policy_saver

from infonodes.agent import InfoNodeAgent
from infonodes.info_nodes.organs import gym
from infonodes.info_nodes.pred_node import PredNode
from infonodes.types import GraphError

_MAIN = pathlib.Path(__file__).with_name("export_main.py")


def acted(policy, steps, batch):
    """Returns all leaves of action, state and info, step by step."""
    state, found = dict(policy.get_initial_state(batch)), []
    state["rng"] = tf.zeros_like(state["rng"])
    for step in steps:
        taken = policy.action(step, state)
        state = taken.state
        found.append([leaf.numpy() for leaf in tf.nest.flatten((taken.action, dict(taken.state), taken.info))])
    return found


def acted_elsewhere(path, steps, tmp_path):
    """Returns the same, of what was exported to `path`, in a fresh process."""
    arrays = {f"{t}/{i}": leaf.numpy() for t, s in enumerate(steps) for i, leaf in enumerate(tf.nest.flatten(s))}
    np.savez(tmp_path / "steps.npz", **arrays)
    command = [sys.executable, "-I", str(_MAIN), str(path), str(tmp_path / "steps.npz"), str(tmp_path / "out.npz")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(tmp_path / "out.npz", allow_pickle=False) as file:
        count = len([name for name in file if name.startswith("0/")])
        return [[file[f"{t}/{i}"] for i in range(count)] for t in range(len(steps))]


def assert_same(one, other):
    """Equal but for the last place of a float, which hangs on how arrays lie in memory."""
    for a, b in zip(one, other):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["predictive-discrete", "embodied-discrete"])
def test_a_fresh_process_does_the_same(name, tmp_path):
    """Nested state and info, three steps, two rows: action, state and info are the same."""
    case = cases.case_of(name)
    policy_saver.PolicySaver(case.agent.policy, batch_size=None).save(str(tmp_path / "policy"))
    steps = cases.some_steps(case, 3, batch=2)
    assert_same(
        acted_elsewhere(tmp_path / "policy", steps, tmp_path), acted(case.agent.policy, steps, 2)
    )


def with_nodes(case, names):
    """Returns an agent whose policy state has a branch a name, one row a node."""
    specs = case.specs()
    sensors, actuators = gym.sensors(specs[0].observation), gym.actuators(specs[1])
    parents = tuple(n.name for n in [*sensors, *actuators])
    nodes = [PredNode(names[0], parents, tuple(n.name for n in actuators), settings=cases.PRED)]
    nodes += [PredNode(name, (names[0],), settings=cases.PRED) for name in names[1:]]
    return InfoNodeAgent(*specs, [*sensors, *actuators, *nodes], train_sequence_length=6, jit_compile=False)


@pytest.mark.parametrize("name", ["a b", "a.b", "a/b", "2a", "environment"])
def test_names_that_an_export_would_confuse_are_refused(name):
    with pytest.raises(GraphError, match="rename the node"):
        PredNode(name, ("obs",))


@pytest.mark.slow
def test_two_hundred_nodes_are_saved_in_time(tmp_path):
    """Bar 20: at most 35 s a saver on a quiet machine; asserted with room for a busy one."""
    case = cases.case_of("predictive-discrete")
    agent = with_nodes(case, [f"n{i}" for i in range(200)])
    agent.initialize()
    start = time.monotonic()
    policy_saver.PolicySaver(agent.policy, batch_size=None).save(str(tmp_path / "policy"))
    seconds = time.monotonic() - start
    print(f"\n200 nodes: {seconds:.1f} s a saver")
    assert seconds < 4 * 35.0
