"""The forms of `f_act` on a model that is known: z' = z + u M."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from tf_agents.specs import tensor_spec

from infonodes.info_nodes import acting
from infonodes.testing import FakeActuatorNode

RNG = np.random.default_rng(0)
MOVES = RNG.normal(size=[2, 8]).astype(np.float32)
CODES = {"one": 3, "two": 2}


def predict(z, controls):
    return z + tf.matmul(controls, tf.broadcast_to(MOVES, [*controls.shape[:-2], *MOVES.shape]))


def normal(*shape: int) -> tf.Tensor:
    return tf.constant(RNG.normal(size=shape), tf.float32)


def control(size=2, blocks=(), is_latent=False):
    node = FakeActuatorNode("act")
    node.control_size, node.blocks, node.is_latent = size, blocks, is_latent
    return node


def far(z, controls, wish) -> np.ndarray:
    return np.sum((z.numpy() + controls.numpy() @ MOVES - wish.numpy()) ** 2, axis=-1)


def test_search_takes_the_nearest():
    """Against a loop over the options."""
    z, wish, options = normal(5, 8), normal(5, 8), normal(5, 7, 2)
    found = acting.SearchAct()(z, wish, options, normal(5, 2), predict, None)
    for row in range(5):
        reached = z[row].numpy() + options[row].numpy() @ MOVES
        nearest = np.argmin(np.linalg.norm(reached - wish[row].numpy(), axis=-1))
        np.testing.assert_array_equal(found[row], options[row, nearest])


def test_gradient_is_never_worse_than_search():
    """In any row, also where no step helps; where the optimum lies within reach it comes nearer."""
    z, options = normal(20, 8), tf.random.stateless_uniform([20, 4, 2], [1, 2], -1.0, 1.0)
    goal = tf.random.stateless_uniform([20, 2], [3, 4], -0.9, 0.9)
    wish = z + tf.matmul(goal, MOVES)
    arguments = (z, wish, options, normal(20, 2), predict, None)
    searched, descended = acting.SearchAct()(*arguments), acting.GradientAct([control()])(*arguments)
    before, after = far(z, searched, wish), far(z, descended, wish)
    assert np.all(after <= before + 1e-5)
    assert after.mean() < 0.5 * before.mean()
    assert np.all(np.abs(descended) <= 1.0)
    there = tf.concat([options[:, :3], goal[:, None]], axis=1)
    best = acting.GradientAct([control()])(z, wish, there, normal(20, 2), predict, None)
    np.testing.assert_allclose(far(z, best, wish), np.zeros(20), atol=1e-4)


def test_gradient_moves_a_latent_within_its_own_range():
    """Not within that of actuators: from 2 to a wish of 2.3, and to 3 where that is beyond."""
    latent = control(1, is_latent=True)
    latent.target_spec = tensor_spec.BoundedTensorSpec([1], tf.float32, -3.0, 3.0)
    asked = lambda wish: acting.GradientAct([latent], steps=20)(
        tf.zeros([1, 1]), tf.constant([[wish]]), tf.constant([[[2.0]]]), tf.zeros([1, 1]), lambda z, u: u, None
    )
    np.testing.assert_allclose(asked(2.3), [[2.3]], atol=0.05)
    assert asked(2.1) > 2.0 and asked(4.0) <= 3.0


@pytest.mark.parametrize("seed", [None, [1, 2]])
def test_inverse_of_latents_sends_no_change_for_no_wish(seed):
    """u = now + f(z, wish) − f(z, z): asked for z itself it returns `now`, whatever its weights."""
    act = acting.InverseAct([control(8, is_latent=True)], 8, (16,))
    z, now = normal(4, 8), normal(4, 8)
    seed = None if seed is None else tf.constant(seed)
    still = act(z, z, normal(4, 1, 8), now, predict, seed)
    np.testing.assert_allclose(still, now, atol=1e-6)
    moved = act(z, z + 1.0, normal(4, 1, 8), now, predict, seed)
    assert np.max(np.abs(moved - now)) > 1e-3


def test_mixture_is_tfps():
    """Log-likelihood against TFP's own parts, log Σ w_m N(u; μ_m, σ_m), and its mode and bounds."""
    head = acting._Mixture(2, 3)
    parameters = normal(6, head.parameters)
    controls = tf.random.stateless_uniform([6, 2], [1, 2], -1.0, 1.0)
    weights, mean, scale = tf.split(parameters, [3, 6, 6], axis=-1)
    mean = tf.tanh(tf.reshape(mean, [6, 3, 2]))
    scale = 0.05 + tf.nn.softplus(tf.reshape(scale, [6, 3, 2]))
    each = tf.reduce_sum(tfp.distributions.Normal(mean, scale).log_prob(controls[:, None]), axis=-1)
    expected = tf.reduce_logsumexp(tf.nn.log_softmax(weights) + each, axis=-1)
    np.testing.assert_allclose(head.loss(parameters, controls), -expected, rtol=1e-4, atol=1e-5)
    heaviest = np.argmax(weights, axis=-1)
    np.testing.assert_allclose(head.mode(parameters), mean.numpy()[np.arange(6), heaviest], rtol=1e-6)
    drawn = head.choose(parameters, None, None, tf.constant([1, 2]))
    assert np.all(np.abs(drawn) <= 1.0)


def test_categorical_is_one_hot_and_its_loss_the_cross_entropy():
    """Blocks of 3 and 2; drawn as often as their chances say."""
    head = acting._Categorical(list(CODES.values()))
    logits = tf.tile(normal(1, 5), [4000, 1])
    chances = [tf.nn.softmax(p)[0].numpy() for p in tf.split(logits, [3, 2], axis=-1)]
    drawn = head.choose(logits, None, None, tf.constant([3, 4])).numpy()
    np.testing.assert_array_equal(drawn[:, :3].sum(-1), np.ones(4000))
    np.testing.assert_allclose(drawn.mean(0), np.concatenate(chances), atol=0.04)
    mode = head.mode(logits)[0].numpy()
    assert mode[np.argmax(chances[0])] == 1 and mode[3 + np.argmax(chances[1])] == 1
    expected = -np.log(chances[0].max()) - np.log(chances[1].max())
    np.testing.assert_allclose(head.loss(logits[:1], mode[None])[0], expected, rtol=1e-4)


def test_inverse_learns_what_was_done():
    """On z' = z + u M, with one-hot u, hindsight finds u again."""
    act = acting.InverseAct([control(2, blocks=(2,))], 8, (16,))
    z = normal(64, 8)
    done = tf.one_hot(tf.range(64) % 2, 2)
    later, ticks = predict(z, done), tf.ones([64])
    optimizer = tf.keras.optimizers.legacy.Adam(0.02)

    @tf.function(autograph=False)
    def update():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(act.assess(z, later, ticks, done)[0])
        variables = act.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))

    for _ in range(60):
        update()
    _, agreed = act.assess(z, later, ticks, done)
    assert tf.reduce_mean(agreed) > 0.95
    found = act(z, later, done[:, None], done, predict, None)
    assert np.mean(np.all(found == done, axis=-1)) > 0.95


def test_unknown_form_lists_the_forms():
    with pytest.raises(ValueError, match="expected one of .*inverse.*search.*gradient"):
        acting.make_act("magic", [], 8, ())
