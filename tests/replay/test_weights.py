"""Weights cross a server whole, checked, and within a deadline."""
from __future__ import annotations

import time

import numpy as np
import pytest
import reverb
import tensorflow as tf
from tf_agents.experimental.distributed import reverb_variable_container

from infonodes.replay import ReplayFault, ReplayTimeout
from infonodes.replay.weights import TABLE, WeightsChannel, WeightsFormat


def make_variables(seed=0, shapes=((3, 2), (2,), ())):
    rng = np.random.default_rng(seed)
    floats = [tf.Variable(rng.normal(size=s).astype(np.float32)) for s in shapes]
    return [*floats, tf.Variable(rng.integers(9, size=(2,)), dtype=tf.int64)]


@pytest.fixture(name="served")
def _served():
    server = reverb.Server([WeightsFormat(make_variables()).make_table()])
    yield f"localhost:{server.port}"
    server.stop()


def test_weights_arrive_with_step_and_time(served):
    source, target = make_variables(1), make_variables(2)
    before = time.time()
    WeightsChannel(source, served).publish(17)
    published = WeightsChannel(target, served).update()
    assert published.step == 17 and before <= published.time_s <= time.time()
    for a, b in zip(source, target):
        np.testing.assert_array_equal(a, b)


def test_the_newest_weights_win(served):
    source, target = make_variables(1), make_variables(2)
    sender, taker = WeightsChannel(source, served), WeightsChannel(target, served)
    for step in (1, 2, 3):
        source[0].assign(tf.fill([3, 2], float(step)))
        sender.publish(step)
        assert taker.update().step == step
        np.testing.assert_array_equal(target[0], np.full([3, 2], step))


@pytest.mark.parametrize("value, word", [(np.nan, "not finite"), (np.inf, "not finite"), (1e9, "norm")])
def test_bad_weights_are_neither_published_nor_taken(served, value, word):
    """A peer of the server may write what it likes: the container itself checks nothing."""
    target = make_variables(2)
    kept = [v.numpy() for v in target]
    source = make_variables(1)
    source[0].assign(tf.fill([3, 2], np.float32(value)))
    with pytest.raises(ReplayFault, match=word):
        WeightsChannel(source, served).publish(1)
    layout = WeightsFormat(source)
    forged = layout.message(layout.pack(source), 1)
    reverb_variable_container.ReverbVariableContainer(served).push(forged)
    with pytest.raises(ReplayFault, match=word):
        WeightsChannel(target, served).update()
    for a, b in zip(kept, target):
        np.testing.assert_array_equal(a, b)


def test_another_architecture_with_as_many_weights_is_refused(served):
    """[3, 2] and [2, 3] pack into the same flat tensor; only the fingerprint tells."""
    other = make_variables(1, shapes=((2, 3), (2,), ()))
    WeightsChannel(other, served).publish(1)
    with pytest.raises(ReplayFault, match="another architecture"):
        WeightsChannel(make_variables(2), served).update()


def test_another_size_is_refused(served):
    other = make_variables(1, shapes=((5, 5),))
    with pytest.raises(ReplayFault, match="is for other weights"):
        WeightsChannel(other, served).publish(1)
    WeightsChannel(make_variables(1), served).publish(1)
    with pytest.raises(ReplayFault, match="expected"):
        WeightsChannel(other, served).update()


def test_a_server_without_weights_is_named(served):
    with pytest.raises(ReplayFault, match="'nowhere'"):
        WeightsChannel(make_variables(), served, table="nowhere")


def test_nothing_published_yet_is_a_timeout(served):
    with pytest.raises(ReplayTimeout, match="pulling weights"):
        WeightsChannel(make_variables(), served, deadline_s=0.5).update()


def test_no_server_is_a_timeout():
    start = time.monotonic()
    with pytest.raises(ReplayTimeout):
        WeightsChannel(make_variables(), "localhost:9", deadline_s=0.5)
    assert time.monotonic() - start < 5.0


@pytest.mark.parametrize("call, how", [("publish", "_push"), ("pull", "_pull")])
@pytest.mark.parametrize("error", [tf.errors.InternalError, tf.errors.UnavailableError, tf.errors.InvalidArgumentError])
@pytest.mark.parametrize("dead", [True, False])
def test_a_server_that_dies_under_a_call_is_a_timeout(monkeypatch, call, how, error, dead):
    """Reverb says INTERNAL to that, as to a table of other weights; the learner must wait for the next server."""
    server = reverb.Server([WeightsFormat(make_variables()).make_table()])
    channel = WeightsChannel(make_variables(), f"localhost:{server.port}", deadline_s=1.0)
    if dead:
        server.stop()

    def fail(*_):
        raise error(None, None, "Error when confirming that all items written to table.")

    monkeypatch.setattr(channel, how, fail)
    with pytest.raises(ReplayTimeout, match=f"{call}ing weights"):
        getattr(channel, call)(*[1] * (call == "publish"))
    if not dead:
        server.stop()


def test_packed_is_faster_than_a_column_a_variable():
    """Bar 19: 1000 variables. The ratio holds on a busy machine where milliseconds do not."""
    variables = [tf.Variable(tf.ones([25])) for _ in range(1000)]
    bare = {"policy": [tf.TensorSpec(v.shape, v.dtype) for v in variables]}
    table = reverb.Table(
        TABLE, reverb.selectors.Uniform(), reverb.selectors.Fifo(), 1, reverb.rate_limiters.MinSize(1), signature=bare
    )
    plain, packed = reverb.Server([table]), reverb.Server([WeightsFormat(variables).make_table()])
    try:
        container = reverb_variable_container.ReverbVariableContainer(f"localhost:{plain.port}")
        channel = WeightsChannel(variables, f"localhost:{packed.port}")
        unpacked_s = _median_s(lambda: container.push({"policy": [v.read_value() for v in variables]}))
        packed_s = _median_s(lambda: channel.publish(0))
    finally:
        plain.stop()
        packed.stop()
    print(f"\n1000 variables: {1e3 * unpacked_s:.1f} ms a column each, {1e3 * packed_s:.1f} ms packed")
    assert packed_s < 0.5 * unpacked_s


def _median_s(call, rounds=15):
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))
