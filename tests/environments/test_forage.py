"""The world of forage: its two forms agree, its laws hold, and the body's physics is the world's."""
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.environments import utils
from tf_agents.trajectories import time_step as ts

from infonodes import presets
from infonodes.environments.forage import ACTIONS, ForagePyEnvironment, ForageSettings, ForageTFEnvironment, world
from infonodes.environments.forage.py_form import ARRAYS
from infonodes.environments.forage.tf_form import TENSORS
from infonodes.info_nodes.organs.energetics import BodySettings
from infonodes.types import GraphError


def some_state(settings, batch=1, place=(0, 0), items=None, shelter=(3, 3), energy=0.5, tick=0):
    cells = np.full((batch, world.item_count(settings), 2), 2, np.int32)
    if items is not None:
        cells[:, : len(items)] = items
    return world.WorldState(
        np.tile(np.array([place], np.int32), (batch, 1)),
        cells,
        np.tile(np.array([shelter], np.int32), (batch, 1)),
        np.full((batch, 2), energy, np.float32),
        np.zeros((batch, 3), np.float32),
        np.full([batch], tick, np.int32),
    )


def do(settings, state, action):
    cells = np.full((len(state.tick), world.item_count(settings), 2), 5, np.int32)
    return world.step(ARRAYS, settings, state, np.full(len(state.tick), ACTIONS.index(action), np.int32), cells)


def test_py_form_fits_its_specs():
    utils.validate_py_environment(ForagePyEnvironment(ForageSettings(ticks=30), seed=0), episodes=3)


def test_forms_agree():
    """Numpy and TensorFlow compute the same from the same states, actions and draws."""
    settings = ForageSettings(size=5, chill=0.02)
    rng = np.random.default_rng(0)
    draw = lambda n: rng.integers(0, 5, (16, n, 2), np.int32)
    state = world.restart(ARRAYS, settings, draw(2 + 9))
    for _ in range(60):
        action, cells = rng.integers(0, 10, 16).astype(np.int32), draw(9)
        tensors = world.WorldState(*(tf.constant(leaf) for leaf in state))
        other = world.step(TENSORS, settings, tensors, tf.constant(action), tf.constant(cells))
        found = world.step(ARRAYS, settings, state, action, cells)
        for a, b in zip(tf.nest.flatten(found), tf.nest.flatten(other)):
            assert np.asarray(a).dtype == b.numpy().dtype
            np.testing.assert_allclose(a, b, atol=1e-6)
        seen, also = world.observe(ARRAYS, settings, found.state), world.observe(TENSORS, settings, other.state)
        for key in seen:
            np.testing.assert_allclose(seen[key], also[key], atol=1e-6)
        state = found.state


@pytest.mark.parametrize("kind, change", [(0, (0.3, 0.0)), (3, (0.0, 0.3)), (6, (-0.3, -0.3))])
def test_what_eating_does(kind, change):
    """Items 0 to 2 are sugar, 3 to 5 protein, 6 to 8 poison; what is eaten grows anew."""
    settings = ForageSettings(chew=0.0, basal=0.0)
    items = np.full((9, 2), 2)
    items[kind] = 0
    found = do(settings, some_state(settings, items=items, energy=0.4), "eat")
    np.testing.assert_allclose(found.state.energy, [np.add(0.4, change)], atol=1e-6)
    assert found.state.items[0, kind].tolist() == [5, 5]
    only_stands = do(settings, some_state(settings, items=items, energy=0.4), "rest")
    np.testing.assert_allclose(only_stands.state.energy, [[0.4, 0.4]])


def test_runs_go_twice_as_far_around_the_torus():
    settings = ForageSettings(size=6)
    assert do(settings, some_state(settings), "north").state.place.tolist() == [[5, 0]]
    assert do(settings, some_state(settings), "run_west").state.place.tolist() == [[0, 4]]


@pytest.mark.parametrize("bill", [True, False])
def test_the_bill(bill):
    """A run costs 0.02 of each component, counted in any case, charged only with the bill."""
    settings = ForageSettings(bill=bill, basal=0.01, run=0.02)
    found = do(settings, some_state(settings), "run_east")
    np.testing.assert_allclose(found.state.energy, 0.5 - 0.01 - 0.02 * bill, atol=1e-6)
    np.testing.assert_allclose(found.spent, 0.04, atol=1e-6)


@pytest.mark.parametrize("tick, place, cold", [(0, (0, 0), 0.0), (35, (0, 0), 0.03), (35, (3, 3), 0.0)])
def test_nights_are_cold_outside(tick, place, cold):
    settings = ForageSettings(basal=0.01, chill=0.03, day=40, night=12)
    found = do(settings, some_state(settings, place=place, tick=tick), "rest")
    np.testing.assert_allclose(found.state.energy, 0.5 - 0.01 - cold, atol=1e-6)
    np.testing.assert_allclose(world.observe(ARRAYS, settings, found.state)["cold"], [[float(cold > 0)]])


def test_starving_terminates_and_time_truncates():
    env = ForagePyEnvironment(ForageSettings(ticks=10), seed=0)
    env.reset()
    last = [env.step(np.int32(0)) for _ in range(10)][-1]
    assert last.is_last() and last.discount == 1.0 and last.reward == 1.0
    env = ForagePyEnvironment(ForageSettings(start=0.02, basal=0.02), seed=0)
    env.reset()
    last = env.step(np.int32(0))
    assert last.is_last() and last.discount == 0.0 and last.reward == 0.0


def test_sight_shows_the_shortest_way():
    settings = ForageSettings(size=6)
    items = np.full((9, 2), 3)
    items[0] = (5, 1)  # One up around the edge, one right.
    seen = world.observe(ARRAYS, settings, some_state(settings, items=items))["sight"][0]
    np.testing.assert_allclose(seen[:2], [-1 / 3, 1 / 3], atol=1e-6)


def test_same_seed_same_lives():
    def life(seed):
        env = ForageTFEnvironment(batch_size=4, seed=seed)
        steps = [env.reset()]
        for number in range(20):
            steps.append(env.step(tf.fill([4], number % 10)))
        return tf.nest.flatten(steps)

    for a, b in zip(life(3), life(3)):
        np.testing.assert_array_equal(a, b)
    assert any(np.any(a != b) for a, b in zip(life(3), life(4)))


def test_rows_start_anew_after_an_end():
    env = ForageTFEnvironment(ForageSettings(ticks=3), batch_size=2, seed=0)
    types = [env.reset().step_type.numpy().tolist()]
    types += [env.step(tf.zeros([2], tf.int32)).step_type.numpy().tolist() for _ in range(4)]
    assert [row[0] for row in types] == [0, 1, 1, 2, 0]
    np.testing.assert_allclose(env.current_time_step().observation["energy"], 0.5)


@pytest.mark.parametrize("field", ["size", "ticks", "portion", "start", "walk"])
def test_settings_that_make_no_world(field):
    with pytest.raises(ValueError, match=field):
        ForageSettings(**{field: -1})


@pytest.mark.parametrize("bill", [True, False])
def test_the_body_knows_what_the_world_does_to_it(bill):
    """The blood's balance, kept by the graph from meals, bills and metabolism, is the world's energy.

    Two implementations of one law: pure functions over arrays here, organs and bills there. The
    cold is felt, and billed, a tick after it was met; all else is on time.
    """
    settings = ForageSettings(bill=bill, chill=0.0)
    env = ForageTFEnvironment(settings, batch_size=32, seed=1)
    agent = presets.embodied(
        env.time_step_spec(), env.action_spec(), mind="reactive",
        body=BodySettings(
            components=2, intake="eaten", usefulness=settings.usefulness, basal=0.8 * settings.basal,
            think=0.2 * settings.basal, act=settings.prices if bill else None,
        ),
    )
    policy = agent.collect_policy
    run = tf.function(policy.action, autograph=False)
    time_step, state = env.reset(), policy.get_initial_state(32)
    compared = 0
    for _ in range(40):
        step = run(time_step, state)
        blood = agent.graph["blood"].balance(policy.unpack_state(step.state)["blood"]).numpy()
        state, time_step = step.state, env.step(step.action)
        moved = (time_step.step_type == ts.StepType.MID).numpy()
        # After the meal that the next tick books.
        meal = time_step.observation["eaten"].numpy() @ settings.usefulness.T
        expected = time_step.observation["energy"].numpy()[moved]
        np.testing.assert_allclose(np.clip(blood + meal, 0, 1)[moved], expected, atol=1e-5)
        compared += int(moved.sum())
    assert compared > 500


def test_embodied_refuses_a_world_without_food():
    env = ForageTFEnvironment(batch_size=1, seed=0)
    with pytest.raises(GraphError, match="'soup' is no leaf.*cold.*eaten"):
        presets.embodied(env.time_step_spec(), env.action_spec(), body=BodySettings(intake="soup"))
    with pytest.raises(GraphError, match="'dreamy': expected one of"):
        presets.embodied(env.time_step_spec(), env.action_spec(), mind="dreamy")
