"""Networks, against numpy and the definitions in their docstrings."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from infonodes.networks.gated import Gated
from infonodes.networks.mlp import MLP, EnsembleMLP, simnorm
from infonodes.networks.residual import Residual
from infonodes.networks.slow import Followed, Slow

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(5, 16), (2, 3, 16)])
def test_simnorm_is_a_softmax_a_group(shape):
    inputs = 3 * normal(*shape)
    found = simnorm(tf.constant(inputs), 4).numpy()
    grouped = np.exp(inputs.reshape(*shape[:-1], 4, 4))
    np.testing.assert_allclose(found, (grouped / grouped.sum(-1, keepdims=True)).reshape(shape), rtol=1e-5)
    np.testing.assert_allclose(found.reshape(-1, 4).sum(-1), 1.0, rtol=1e-5)


def test_simnorm_refuses_broken_groups():
    with pytest.raises(ValueError, match="10 features do not divide into groups of 4"):
        simnorm(tf.zeros([1, 10]), 4)


@pytest.mark.parametrize("norm", ["simnorm", "layernorm"])
def test_a_residual_network_moves_a_latent_by_its_change(norm):
    """No change leaves z; another adds to it, on simplices to its logarithm; the result is normalised as z is."""
    raw, change = normal(5, 16), normal(5, 16)
    normalise = {
        "simnorm": lambda x: simnorm(tf.constant(x), 8).numpy(),
        "layernorm": lambda x: (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True),
    }[norm]
    z = tf.constant(normalise(raw))
    still = Residual(lambda *inputs: tf.zeros([5, 16]), norm)(z, tf.ones([5, 3]))
    np.testing.assert_allclose(still, z, atol=1e-3)
    seen = []
    moved = Residual(lambda *inputs: (seen.extend(inputs), tf.constant(change))[1], norm)(z, tf.ones([5, 3]))
    start = np.log(z.numpy()) if norm == "simnorm" else z.numpy()
    np.testing.assert_allclose(moved, normalise(start + change), atol=1e-3)
    np.testing.assert_array_equal(np.concatenate(seen, axis=-1), np.concatenate([z, np.ones([5, 3])], axis=-1))


def test_slow_follows_by_its_rate():
    """After n steps of a network that stands still, (1 − rate)^n of the distance is left."""
    network = MLP((4,), 3)
    both = Slow(network, 0.25, tf.zeros([1, 2]))
    assert both.slow is not both.fast
    start = [v.numpy() for v in both.slow.variables]
    np.testing.assert_array_equal(both(tf.ones([1, 2])), both(tf.ones([1, 2]), slow=True))
    for variable in both.fast.variables:
        variable.assign_add(tf.fill(variable.shape, 2.0))
    for n in range(1, 4):
        Followed(both).follow()
        for before, variable in zip(start, both.slow.variables):
            np.testing.assert_allclose(variable, before + 2.0 * (1 - 0.75**n), rtol=1e-5, atol=1e-5)
    both.reset()
    np.testing.assert_array_equal(both(tf.ones([1, 2])), both(tf.ones([1, 2]), slow=True))
    assert {id(v) for v in Followed(both).learned()} == {id(v) for v in network.trainable_variables}


def test_slow_of_a_function_is_the_function():
    both = Slow(lambda x: 2 * x, 0.1, tf.zeros([1, 2]))
    Followed(both).follow()
    np.testing.assert_array_equal(both(tf.ones([2, 3, 2]), slow=True), np.full([2, 3, 2], 2.0))


def test_gated_stays_on_the_simplices():
    """A mixture of two points on simplices: sums are kept, and it lies between z and some candidate."""
    network = Gated((8,), 16, "simnorm", 3.0)
    z = tf.nn.softmax(tf.constant(3 * normal(6, 2, 8)))
    z = tf.reshape(z, [6, 16])
    for _ in range(20):
        z = network(tf.constant(normal(6, 5)), z)
    np.testing.assert_allclose(z.numpy().reshape(6, 2, 8).sum(-1), 1.0, rtol=1e-5)
    assert z.numpy().min() >= 0


def test_gated_mixes_by_its_gates():
    """Gates shut keep z, gates open take the candidate, as does a fresh latent whatever the gates."""
    network = Gated((8,), 16, "simnorm", 3.0)
    x = tf.constant(normal(3, 5))
    z = tf.reshape(tf.nn.softmax(tf.constant(normal(3, 2, 8))), [3, 16])
    network(x, z)
    bias = next(v for v in network.variables if v.name.endswith("gate/bias:0"))
    bias.assign(tf.fill(bias.shape, -100.0))
    np.testing.assert_allclose(network(x, z), z, atol=1e-6)
    fresh = network(x, tf.zeros([3, 16])).numpy()
    assert np.all(fresh.reshape(3, 2, 8).sum(-1) > 0.99)
    bias.assign(tf.fill(bias.shape, 100.0))
    np.testing.assert_allclose(network(x, tf.zeros([3, 16])), fresh, atol=1e-6)
    assert np.max(np.abs(network(x, z) - z)) > 1e-2


def test_followed_networks_lie_in_one_variable():
    """Joined, they map as before, each learns by itself, and the copies follow once."""
    x = tf.constant(normal(4, 5))
    networks = (MLP((6,), 3), EnsembleMLP(2, 6, 3), tf.keras.layers.Dense(2))
    members = [Slow(network, 0.25, x) for network in networks]
    before = [member(x).numpy() for member in members]
    followed = Followed(*members)
    learned = followed.learned()
    assert [v.shape.num_elements() for v in learned] == [57 + 114, 10, 2]
    followed.reset()
    for member, expected in zip(members, before):
        np.testing.assert_allclose(member(x), expected, atol=1e-6)
        np.testing.assert_allclose(member(x, slow=True), expected, atol=1e-6)
    with tf.GradientTape() as tape:
        out = tf.reduce_sum(members[1](x))
    slope = tape.gradient(out, learned[0]).numpy()
    own = members[1].fast.count
    assert np.any(slope[-own:]) and not np.any(slope[:-own])
    learned[0].assign_add(tf.ones_like(learned[0]))
    slow = members[0].slow.flat.numpy()
    followed.follow()
    np.testing.assert_allclose(members[0].slow.flat - slow, 0.25 * np.ones_like(slow), atol=1e-6)


def test_a_network_of_two_groups_stays_one():
    """Shared by two nodes, it is joined once, and each group's copy of it follows."""
    x = tf.constant(normal(4, 5))
    shared = MLP((6,), 3)
    groups, copies = [], []
    for own in (MLP((6,), 2), MLP((7,), 2)):
        copies.append(Slow(shared, 0.5, x))
        groups.append(Followed(copies[-1], Slow(own, 0.5, x)))
    expected = shared(x).numpy()
    for group in groups:
        group.reset()
    for learned in {id(v): v for group in groups for v in group.learned()}.values():
        learned.assign_add(tf.ones_like(learned))
    assert np.max(np.abs(shared(x) - expected)) > 1e-2
    for group, copied in zip(groups, copies):
        np.testing.assert_allclose(copied(x, slow=True), expected, atol=1e-5)
        group.follow()
        halfway = shared.split(copied.slow.flat)[0] - shared.split(shared.flat)[0]
        np.testing.assert_allclose(halfway, -0.5 * np.ones_like(halfway), atol=1e-5)


def test_ensemble_heads_are_apart_and_independent():
    """Each output is its own head's: the gradient of one reaches no weight of another."""
    heads = EnsembleMLP(3, 8, 2)
    x = tf.constant(normal(4, 5))
    with tf.GradientTape() as tape:
        out = heads(x)
        one = tf.reduce_sum(out[:, 1])
    assert out.shape == [4, 3, 2]
    assert np.max(np.abs(out[:, 0] - out[:, 1])) > 1e-3
    slope = heads.split(tape.gradient(one, heads.flat))[0].numpy().reshape([6, 3, 8])  # The bias is the last row.
    assert np.any(slope[:, 1]) and not np.any(slope[:, [0, 2]])
    assert not np.any(EnsembleMLP(3, 8, 2, zero_output=True)(x))


def test_ensemble_head_is_a_perceptron():
    """Each head against numpy: dense, layer norm, SiLU, dense; rows of any outer shape."""
    heads = EnsembleMLP(3, 8, 2)
    x = normal(4, 6, 5)
    heads(tf.constant(x))
    heads.flat.assign_add(0.1 * normal(*heads.flat.shape))  # No bias is 0.
    found = heads(tf.constant(x)).numpy()
    assert found.shape == (4, 6, 3, 2)
    w_in, w_out, b_out = (w.numpy() for w in heads.split(heads.flat))
    w_in = w_in.reshape([6, 3, 8])
    for k in range(3):
        hidden = x @ w_in[:-1, k] + w_in[-1, k]
        hidden = (hidden - hidden.mean(-1, keepdims=True)) / np.sqrt(hidden.var(-1, keepdims=True) + 1e-6)
        expected = hidden / (1 + np.exp(-hidden)) @ w_out[k] + b_out[k]
        np.testing.assert_allclose(found[..., k, :], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("output", [None, "simnorm", "layernorm"])
def test_mlp_is_what_keras_makes(output):
    """The same weights in Keras' own layers map, and slope, the same; they lie in one variable."""
    network = MLP((16, 8), 24, True, output)
    x = tf.constant(normal(6, 5))
    keras = tf.keras.Sequential()
    for width in (16, 8):
        keras.add(tf.keras.layers.Dense(width))
        keras.add(tf.keras.layers.LayerNormalization(epsilon=1e-6, center=False, scale=False))
        keras.add(tf.keras.layers.Activation("swish"))
    keras.add(tf.keras.layers.Dense(24))
    if output:
        last = tf.keras.layers.LayerNormalization(epsilon=1e-6, center=False, scale=False)
        keras.add(tf.keras.layers.Lambda(lambda x: simnorm(x, 8)) if output == "simnorm" else last)
    keras(x), network(x)
    assert len(network.variables) == 1
    network.flat.assign_add(0.1 * normal(*network.flat.shape))  # No bias is 0.
    parts = lambda flat: [part for matrix in network.split(flat) for part in (matrix[:-1], matrix[-1])]
    for variable, value in zip(keras.variables, parts(network.flat)):
        variable.assign(value)
    np.testing.assert_allclose(network(x), keras(x), rtol=1e-4, atol=1e-5)
    with tf.GradientTape(persistent=True) as tape:
        ours, theirs = (tf.reduce_sum(f(x) ** 3) for f in (network, keras))
    slopes = parts(tape.gradient(ours, network.flat))
    for slope, expected in zip(slopes, tape.gradient(theirs, keras.variables)):
        np.testing.assert_allclose(slope, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("make", [lambda: MLP((6,), 3), lambda: EnsembleMLP(2, 6, 3)], ids=["mlp", "ensemble"])
@pytest.mark.parametrize("outer", [(5,), (2, 3)])
def test_several_inputs_are_read_side_by_side(make, outer):
    """Maps and slopes are those of the inputs joined; one of no features adds nothing."""
    network = make()
    parts = [tf.constant(normal(*outer, width)) for width in (4, 0, 1, 3)]
    with tf.GradientTape() as tape:
        tape.watch(parts)
        apart = network(*parts)
        total = tf.reduce_sum(apart**3)
    slopes = tape.gradient(total, [*parts, network.flat], unconnected_gradients="zero")
    joined = tf.concat(parts, axis=-1)
    with tf.GradientTape() as tape:
        tape.watch(joined)
        together = network(joined)
        total = tf.reduce_sum(together**3)
    np.testing.assert_array_equal(apart, together)
    inputs, flat = tape.gradient(total, [joined, network.flat])
    np.testing.assert_allclose(tf.concat(slopes[:-1], axis=-1), inputs, rtol=1e-5)
    np.testing.assert_allclose(slopes[-1], flat, rtol=1e-5)


def test_mlp_starts_by_its_fan_in():
    """LeCun normal a matrix, zero a bias; the output's scale shrinks the last matrix alone."""
    network = MLP((400,), 300, output_scale=0.1)
    network(tf.zeros([1, 100]))
    first, last = network.split(network.flat)
    assert np.std(first[:-1]) == pytest.approx(100**-0.5, rel=0.05)
    assert np.std(last[:-1]) == pytest.approx(0.1 * 400**-0.5, rel=0.05)
    assert not np.any(first[-1]) and not np.any(last[-1])


def test_mlp_refuses_an_unknown_output():
    with pytest.raises(ValueError, match="output='softmax': expected None, 'simnorm' or 'layernorm'"):
        MLP((4,), 3, output="softmax")


@pytest.mark.parametrize(
    "layer", [MLP((4,), 8, output="simnorm"), EnsembleMLP(2, 4, 3), Gated((4,), 8, "layernorm", 1.0)], ids=type
)
def test_slow_copies_have_weights_of_their_own(layer):
    inputs = [tf.constant(normal(2, 8))] * (2 if isinstance(layer, Gated) else 1)
    both = Slow(layer, 0.5, *inputs)
    expected = both(*inputs).numpy()
    assert both.fast is layer and len(both.slow.variables) == len(layer.variables) > 0
    np.testing.assert_allclose(both(*inputs, slow=True), expected, rtol=1e-6)
    for variable in layer.variables:
        variable.assign_add(normal(*variable.shape))
    np.testing.assert_allclose(both(*inputs, slow=True), expected, rtol=1e-6)
    assert np.max(np.abs(both(*inputs) - expected)) > 1e-3
