"""What sensors make of observations, and the choice of nodes from specs."""
from __future__ import annotations

import collections
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tree
from tf_agents.specs import array_spec, tensor_spec

from infonodes.info_nodes.organs import gym
from infonodes.modes import Modes
from infonodes.types import ENVIRONMENT, Experience, GraphError, Tick, leaf_key

Bounded = tensor_spec.BoundedTensorSpec
HUGE = float(np.finfo(np.float32).max)
Pair = collections.namedtuple("Pair", "left right")


def tick() -> Tick:
    return Tick(tf.constant([0, 0], tf.int32), Modes())


def see(node, observation) -> np.ndarray:
    batch = tree.flatten(observation)[0].shape[0]
    world = {ENVIRONMENT: {"observation": observation}}
    state = node.bottom_up(world, node.initial_state(batch), tick())
    np.testing.assert_array_equal(state["cost"], np.zeros(batch))
    return node.signal(state).numpy()


def learn(node, observation) -> None:
    """Shows the frames `[B, T, ...]` as training does; only what the node reads is there."""
    empty = dict.fromkeys(Experience._fields)
    empty.update(parents={ENVIRONMENT: {"observation": observation}})
    node.after_update(Experience(**empty), tf.constant(0))


def test_bounds_become_minus_one_to_one():
    node = gym.sensors(Bounded([2], tf.float32, [0, -4], [10, 4]))[0]
    assert node.normalize == "bounds" and node.signal_size == 2
    np.testing.assert_allclose(see(node, tf.constant([[0.0, 4.0], [5.0, 0.0]])), [[-1, 1], [0, 0]])


def test_images_become_zero_to_one_and_flat():
    spec = Bounded([2, 2, 3], tf.uint8, 0, 255)
    (node,) = gym.sensors(spec)
    image = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3) * 23
    np.testing.assert_allclose(see(node, tf.constant(image)), image.reshape(1, 12) / 255, atol=1e-6)


def test_huge_bounds_are_scaled_by_the_greatest_met():
    """CartPole's bounds: each element over numpy's greatest absolute value of all frames."""
    node = gym.sensors(Bounded([2], tf.float32, [-4.8, -HUGE], [4.8, HUGE]))[0]
    assert node.normalize == "range"
    frames = np.random.default_rng(0).normal([3.0, -700.0], [0.1, 50.0], [6, 10, 2]).astype(np.float32)
    learn(node, tf.constant(frames[:2]))
    learn(node, tf.constant(frames[2:]))
    flat = frames.reshape(-1, 2)
    np.testing.assert_allclose(see(node, tf.constant(flat)), flat / np.abs(flat).max(0), rtol=1e-5)
    assert see(node, tf.constant([[3.0, 1e30]]))[0, 1] == 10.0
    assert not node.learned()


def test_running_normalisation_is_numpys():
    """Batches of any size give numpy's mean and variance of all frames."""
    node = gym.sensors(Bounded([2], tf.float32, [-4.8, -HUGE], [4.8, HUGE]), normalize="running")[0]
    rng = np.random.default_rng(0)
    frames = rng.normal([3.0, -700.0], [0.1, 50.0], [6, 10, 2]).astype(np.float32)
    update = tf.function(lambda x: learn(node, x), jit_compile=True, autograph=False)
    update(tf.constant(frames[:2]))
    update(tf.constant(frames[2:]))
    flat = frames.reshape(-1, 2)
    np.testing.assert_allclose(node.normaliser.mean.value, flat.mean(0), rtol=1e-4)
    np.testing.assert_allclose(node.normaliser.variance.value, flat.var(0), rtol=1e-2)
    seen = see(node, tf.constant(flat))
    np.testing.assert_allclose(seen.mean(0), [0, 0], atol=1e-2)
    np.testing.assert_allclose(seen.std(0), [1, 1], atol=1e-2)
    assert see(node, tf.constant([[3.0, 1e30]]))[0, 1] == 10.0
    assert not node.learned()


@pytest.mark.parametrize("mean", [0.0, 1e3, 1e5])
def test_running_variance_survives_a_large_mean(mean):
    """numpy's in float64, after one batch and after many of several sizes; E[x²] - E[x]² leaves noise of mean²."""
    node = gym.BoxNode(tf.TensorSpec([1], tf.float32), normalize="running")
    rng = np.random.default_rng(0)
    frames = (mean + rng.normal(size=[256 * 40, 1])).astype(np.float32)
    for end, start in ((256, 0), (260, 256), (3000, 260), (len(frames), 3000)):
        learn(node, tf.constant(frames[None, start:end]))
        so_far = frames[:end].astype(np.float64)
        np.testing.assert_allclose(node.normaliser.mean.value, so_far.mean(0), rtol=1e-6, atol=1e-5)
        np.testing.assert_allclose(node.normaliser.variance.value, so_far.var(0), rtol=1e-3)


def test_replicas_share_the_statistics():
    """In a process of its own: TensorFlow's logical devices are chosen before it starts."""
    main = pathlib.Path(__file__).with_name("replicas_main.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(main)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0 and "4 passed" in done.stdout, done.stdout[-3000:]


@pytest.mark.parametrize("normalize,expected", [(None, 5.0), ("unit", 0.5), ("bounds", 0.0)])
def test_normalize_can_be_chosen(normalize, expected):
    node = gym.BoxNode(Bounded([], tf.float32, 0, 10), normalize=normalize)
    np.testing.assert_allclose(see(node, tf.constant([5.0])), [[expected]])


def test_a_wrong_normalize_lists_the_right_ones():
    with pytest.raises(GraphError, match="'box': normalize='layer'.*'running'"):
        gym.BoxNode(Bounded([], tf.float32, 0, 1), normalize="layer")
    with pytest.raises(GraphError, match="needs finite bounds.*running"):
        gym.BoxNode(tf.TensorSpec([], tf.float32), normalize="bounds")


def test_nodes_fit_the_leaves():
    """dtype, shape and bounds decide; names are unique identifiers; keys are the policy's."""
    spec = {
        "a": (Bounded([], tf.int64, 0, 3), array_spec.BoundedArraySpec([4], np.int8, 0, 1)),
        "b": Pair(Bounded([2], tf.int32, 0, [1, 4]), tf.TensorSpec([3], tf.float32)),
        "a_0": tf.TensorSpec([2], tf.bool),
        "weiß es": Bounded([4], tf.uint8, 0, 255),
    }
    nodes = gym.sensors(spec)
    found = {n.key: (n.name, type(n)) for n in nodes}
    assert found == {
        "a/0": ("obs_a_0", gym.DiscreteNode),
        "a/1": ("obs_a_1", gym.MultiBinaryNode),
        "a_0": ("obs_a_0_2", gym.MultiBinaryNode),
        "b/left": ("obs_b_left", gym.MultiDiscreteNode),
        "b/right": ("obs_b_right", gym.BoxNode),
        "weiß es": ("obs_wei__es", gym.BoxNode),
    }
    assert list(found) == [leaf_key(p) for p, _ in tree.flatten_with_path(spec)]


def test_each_sensor_sees_its_own_leaf():
    floats, choice = tf.TensorSpec([], tf.float32), Bounded([], tf.int32, 0, 2)
    spec = {"x": (floats, choice), "y": tf.TensorSpec([1], tf.float32)}
    observation = {"x": (tf.constant([1.0]), tf.constant([2])), "y": tf.constant([[3.0]])}
    first, choice, last = gym.sensors(spec, normalize=None)
    assert see(first, observation).tolist() == [[1.0]]
    assert see(choice, observation).tolist() == [[0.0, 0.0, 1.0]]
    assert see(last, observation).tolist() == [[3.0]]
    with pytest.raises(GraphError, match=r"'obs_y' reads.*'y'.*\['x/0', 'x/1'\]"):
        see(last, {"x": observation["x"]})


@pytest.mark.parametrize(
    "leaf,message",
    [
        (tf.TensorSpec([], tf.string), "'k'.*expected a spec of floats"),
        (Bounded([], tf.int32, 0, 99999), "'obs_k'.*'k'.*100000 values"),
        (tf.TensorSpec([], tf.int64), "'obs_k'.*Bound it"),
        (tf.TensorSpec([None], tf.float32), "'k' has shape.*pad"),
    ],
)
def test_what_no_node_can_see_is_named(leaf, message):
    with pytest.raises(GraphError, match=message):
        gym.sensors({"k": leaf})


def test_reward_sensor():
    node = gym.RewardSensor()
    world = {
        "reward": tf.constant([0.0, 2.5]),
        "discount": tf.constant([1.0, 0.0]),
        "step_type": tf.constant([0, 2]),
    }
    state = node.bottom_up({ENVIRONMENT: world}, node.initial_state(2), tick())
    assert node.signal(state).numpy().tolist() == [[0.0], [2.5]]
    assert state["first"].numpy().tolist() == [1.0, 0.0]
    assert state["discount"].numpy().tolist() == [1.0, 0.0]
