"""Optimisers that make their variables at their first step are restored before it."""
from __future__ import annotations

import re

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.utils import common

from infonodes import presets
from infonodes.checkpoints import CheckpointMismatch, Checkpoints, make_slots
from infonodes.testing import trajectory_of

TIME_STEP = ts.time_step_spec(tf.TensorSpec([3], tf.float32))
DISCRETE = tensor_spec.BoundedTensorSpec([], tf.int64, 0, 1, "action")
CONTINUOUS = tensor_spec.BoundedTensorSpec([2], tf.float32, -1.0, 1.0, "action")
OPTIMIZERS = ("_optimizer", "_actor_optimizer", "_critic_optimizer", "_alpha_optimizer")


def made(action, **kwargs):
    agent = presets.reactive(TIME_STEP, action, **kwargs)
    agent.initialize()
    return agent


def inner(agent):
    """The optimisers of the agent within the RLNode."""
    (node,) = [n for n in agent.graph.nodes if hasattr(n, "agent")]
    return [getattr(node.agent, name) for name in OPTIMIZERS if hasattr(node.agent, name)]


def values(agent):
    """In the order of creation, of which the numbers in names tell: `dense_9` before `dense_10`."""
    counted = lambda v: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", v.name)]
    return [v.numpy() for optimizer in inner(agent) for v in sorted(optimizer.variables(), key=counted)]


@pytest.mark.parametrize("action", [DISCRETE, CONTINUOUS], ids=["dqn", "sac"])
def test_slots_of_an_inner_agent_are_restored_before_its_first_step(action, tmp_path):
    agent = made(action)
    for _ in range(2):
        agent.train(trajectory_of(agent, 4, 2))
    Checkpoints(str(tmp_path / "ours"), {"agent": agent}).save(1)
    theirs = common.Checkpointer(str(tmp_path / "theirs"), agent=agent)
    theirs.save(1)
    expected = values(agent)
    assert len(expected) > 4 and any(np.any(v) for v in expected)

    ours = made(action)
    Checkpoints(str(tmp_path / "ours"), {"agent": ours}).restore()
    stock = made(action)
    make_slots(tf.train.latest_checkpoint(str(tmp_path / "theirs")), {"agent": stock})
    common.Checkpointer(str(tmp_path / "theirs"), agent=stock).initialize_or_restore()
    for found in (values(ours), values(stock)):
        assert len(found) == len(expected)
        for a, b in zip(found, expected):
            np.testing.assert_array_equal(a, b)


def test_slots_of_what_is_there_no_longer_are_a_mismatch(tmp_path):
    agent = made(DISCRETE)
    agent.train(trajectory_of(agent, 4, 2))
    Checkpoints(str(tmp_path), {"agent": agent}).save(1)
    other = made(DISCRETE, agent_fn=presets.dqn(fc_layers=(100, 50, 10)))
    with pytest.raises(CheckpointMismatch, match="_postprocessing_layers"):
        Checkpoints(str(tmp_path), {"agent": other}).restore()
    assert not values(other) or not any(np.any(v) for v in values(other))  # Nothing was assigned.
