"""What actuators do with targets."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.specs import tensor_spec

from infonodes.info_nodes.organs import gym
from infonodes.modes import Modes
from infonodes.types import ENVIRONMENT, GraphError, Target, Tick

Bounded = tensor_spec.BoundedTensorSpec
SEED = tf.constant([1, 2], tf.int32)


def act(node, targets, modes=Modes(), batch=3, seed=SEED):
    asked, state = node.top_down(targets, {}, node.initial_state(batch), Tick(seed, modes))
    return asked[ENVIRONMENT], state


def test_does_what_a_valid_target_asks_and_rests_otherwise():
    """Rest is zero clipped into the bounds: 2 here."""
    node = gym.DiscreteNode(Bounded([], tf.int32, 2, 5), "actuator")
    target = Target(tf.constant([4, 5, 3]), tf.constant([True, False, True]))
    asked, state = act(node, {"a": target})
    assert asked.value.numpy().tolist() == [4, 2, 3]
    assert asked.valid.numpy().tolist() == [True, False, True]
    assert node.executed(state).numpy().argmax(-1).tolist() == [2, 0, 1]
    assert node.decision(state)["value"] is state["value"]


def test_rests_without_senders():
    node = gym.BoxNode(Bounded([2], tf.float32, [-1, 1], [1, 2]), "actuator")
    asked, _ = act(node, {})
    np.testing.assert_array_equal(asked.value, [[0.0, 1.0]] * 3)
    assert not asked.valid.numpy().any()


def test_clips_targets_to_the_bounds():
    """An illegal target reaches the environment as the nearest legal one."""
    box = gym.BoxNode(Bounded([1], tf.float32, -2, 2), "actuator")
    asked, _ = act(box, {"a": Target(tf.constant([[-9.0], [0.5], [9.0]]), tf.ones(3, tf.bool))})
    assert asked.value.numpy().ravel().tolist() == [-2.0, 0.5, 2.0]
    one_of = gym.DiscreteNode(Bounded([], tf.int64, 0, 2), "actuator")
    asked, _ = act(one_of, {"a": Target(tf.constant([-1, 1, 7], tf.int64), tf.ones(3, tf.bool))})
    assert asked.value.numpy().tolist() == [0, 1, 2] and asked.value.dtype == tf.int64


def test_senders_take_turns():
    """Targets are sampled, never averaged: with 0 and 2 asked, 1 is never done."""
    node = gym.DiscreteNode(Bounded([], tf.int32, 0, 2), "actuator")
    every = tf.ones(200, tf.bool)
    slots = {"a": Target(tf.zeros(200, tf.int32), every), "b": Target(tf.fill([200], 2), every)}
    asked, _ = act(node, slots, batch=200)
    counts = np.bincount(asked.value.numpy(), minlength=3)
    assert counts[1] == 0 and min(counts[0], counts[2]) > 50


@pytest.mark.parametrize("greedy,deaf", [(False, True), (True, False)])
def test_random_mode_is_deaf_unless_greedy(greedy, deaf):
    node = gym.DiscreteNode(Bounded([], tf.int32, 0, 9), "actuator")
    slots = {"a": Target(tf.zeros(100, tf.int32), tf.ones(100, tf.bool))}
    asked, _ = act(node, slots, Modes(collect="random", greedy=greedy), batch=100)
    assert asked.value.numpy().any() == deaf


def test_same_seed_same_action_other_seed_another():
    """Pure: randomness comes from the tick's seed alone."""
    node = gym.BoxNode(Bounded([2], tf.float32, -1, 1), "actuator")

    def draw(seed):
        return act(node, {}, Modes(collect="random"), seed=seed)[0].value.numpy()

    np.testing.assert_array_equal(draw(SEED), draw(SEED))
    assert (draw(SEED) != draw(SEED + 1)).all()


def test_box_candidates():
    """1-D: an even grid with both ends. More: rest, axis ends, and samples that differ by row."""
    line = gym.BoxNode(Bounded([1], tf.float32, -2, 2), "actuator")
    found = line.candidates(line.initial_state(2), 5, SEED)
    np.testing.assert_allclose(found[..., 0], [[-1, -0.5, 0, 0.5, 1]] * 2, atol=1e-6)
    plane = gym.BoxNode(Bounded([2], tf.float32, -1, 1), "actuator")
    found = plane.candidates(plane.initial_state(2), 16, SEED).numpy()
    expected = {(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)}
    assert expected <= {tuple(c) for c in found[0].tolist()}
    assert (found[0] != found[1]).any()


def test_an_actuator_needs_bounds():
    with pytest.raises(GraphError, match="'act'.*needs finite bounds.*wrapper"):
        gym.actuators(tf.TensorSpec([2], tf.float32))
    with pytest.raises(GraphError, match="type='motor'.*sensor"):
        gym.BoxNode(Bounded([], tf.float32, 0, 1), "motor")
