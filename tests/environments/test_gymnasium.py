"""Gymnasium's environments, one and many, against Gymnasium itself, frame by frame."""
from __future__ import annotations

import time

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from tf_agents.environments import utils

from infonodes import environments
from infonodes.environments.guarded import EnvironmentFault, GuardedEnvironment
from infonodes.environments.gymnasium import GymnasiumBatch, GymnasiumEnvironment

FIRST, MID, LAST = 0, 1, 2


class Scripted(gymnasium.Env):
    """Counts its moves; each episode ends as the next of `ends` says: (length, terminated, truncated)."""

    observation_space = spaces.Dict(
        {"count": spaces.Box(0, 100, (1,), np.float32), "kind": spaces.Discrete(3, start=5)}
    )
    action_space = spaces.Discrete(2, start=7)

    def __init__(self, ends=((3, True, False),)):
        self.ends, self.episode, self.asked = ends, -1, []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.moves = self.episode + 1, 0
        return self._seen(), {"seed": seed}

    def step(self, action):
        assert self.action_space.contains(action)
        self.asked.append(action)
        self.moves += 1
        length, terminated, truncated = self.ends[self.episode % len(self.ends)]
        over = self.moves >= length
        return self._seen(), 0.5, over and terminated, over and truncated, {}

    def _seen(self):
        return {"count": np.array([self.moves], np.float32), "kind": np.int64(5 + self.moves % 3)}


@pytest.mark.parametrize(
    "terminated, truncated, discount", [(True, False, 0.0), (False, True, 0.9), (True, True, 0.0)]
)
def test_terminated_and_truncated_are_kept_apart(terminated, truncated, discount):
    env = GymnasiumEnvironment(Scripted([(2, terminated, truncated)]), discount=0.9)
    kinds = [env.reset(), *[env.step(np.int64(1)) for _ in range(3)]]
    assert [int(t.step_type) for t in kinds] == [FIRST, MID, LAST, FIRST]
    assert [round(float(t.discount), 6) for t in kinds] == [1.0, 0.9, discount, 1.0]
    assert [float(t.reward) for t in kinds] == [0.0, 0.5, 0.5, 0.0]


def test_discrete_values_count_from_zero():
    inner = Scripted()
    env = GymnasiumEnvironment(inner)
    env.reset()
    seen = env.step(np.int64(1)).observation["kind"]
    assert (env.action_spec().minimum, env.action_spec().maximum) == (0, 1)
    assert inner.asked == [8] and seen == 1


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "Acrobot-v1", "Blackjack-v1", "FrozenLake-v1"])
def test_keeps_its_specs(name):
    utils.validate_py_environment(environments.load(f"gymnasium:{name}", seed=0), episodes=2)


def test_is_gymnasium_frame_by_frame():
    inner = gymnasium.make("CartPole-v1")
    env = environments.load("gymnasium:CartPole-v1", seed=4)
    seen, _ = inner.reset(seed=4)
    time_step, over = env.reset(), False
    for move in range(300):
        np.testing.assert_array_equal(time_step.observation, seen)
        assert over == bool(time_step.is_last())
        action = np.int64(move % 2)
        time_step = env.step(action)
        if over:
            seen, over = inner.reset()[0], False
        else:
            seen, _, terminated, truncated, _ = inner.step(int(action))
            over = terminated or truncated


def test_a_batch_is_its_rows():
    seeds, rows = 3, 4
    batch = environments.load("gymnasium:CartPole-v1", batch=rows, seed=seeds, vectorization_mode="sync")
    singles = [environments.load("gymnasium:CartPole-v1", seed=seeds + i) for i in range(rows)]
    many, each = batch.reset(), [env.reset() for env in singles]
    rng = np.random.default_rng(0)
    ended = 0
    for _ in range(200):
        for field in ("step_type", "reward", "discount", "observation"):
            np.testing.assert_allclose(getattr(many, field), np.stack([getattr(t, field) for t in each]), err_msg=field)
        actions = rng.integers(0, 2, rows)
        many, each = batch.step(actions), [env.step(a) for env, a in zip(singles, actions)]
        ended += int(many.is_last().sum())
    assert ended > 10
    batch.close()


def test_a_batch_tells_truncation_from_termination():
    makers = [lambda: Scripted([(2, False, True)]), lambda: Scripted([(3, True, False)])]
    env = GymnasiumBatch(gymnasium.vector.SyncVectorEnv(makers), discount=0.9)
    steps = [env.reset(), *[env.step(np.array([0, 1])) for _ in range(4)]]
    assert np.stack([t.step_type for t in steps]).T.tolist() == [
        [FIRST, MID, LAST, FIRST, MID], [FIRST, MID, MID, LAST, FIRST]
    ]
    np.testing.assert_allclose(
        np.stack([t.discount for t in steps]).T, [[1, 0.9, 0.9, 1, 0.9], [1, 0.9, 0.9, 0, 1]]
    )
    assert steps[1].observation["kind"].tolist() == [1, 1]


def test_nested_actions_reach_their_rows():
    class Sums(gymnasium.Env):
        observation_space = spaces.Box(-100, 100, (), np.float32)
        action_space = spaces.Dict(
            {"many": spaces.MultiDiscrete([3, 2], start=[1, 0]), "some": spaces.Tuple([spaces.Box(-1, 1, (2,))])}
        )

        def reset(self, *, seed=None, options=None):
            return np.float32(0), {}

        def step(self, action):
            total = np.sum(action["many"]) * 10 + np.sum(action["some"][0])
            return np.float32(total), 0.0, False, False, {}

    single, batch = GymnasiumEnvironment(Sums()), GymnasiumBatch(gymnasium.vector.SyncVectorEnv([Sums, Sums]))
    single.reset()
    batch.reset()
    many, some = np.array([[0, 1], [2, 0]]), np.array([[0.5, 0.25], [-1, 0]], np.float32)
    want = [20.75, 29.0]
    assert float(single.step({"many": many[0], "some": (some[0],)}).observation) == want[0]
    np.testing.assert_allclose(batch.step({"many": many, "some": (some,)}).observation, want)


def test_a_batch_that_hides_last_observations_is_refused():
    vector = gymnasium.vector.SyncVectorEnv([Scripted], autoreset_mode=gymnasium.vector.AutoresetMode.SAME_STEP)
    with pytest.raises(ValueError, match="expected NEXT_STEP"):
        GymnasiumBatch(vector)


class Stalls(Scripted):
    def step(self, action):
        time.sleep(60)


def test_rows_in_processes_have_a_deadline():
    env = GymnasiumBatch(gymnasium.vector.AsyncVectorEnv([Scripted, Stalls]), deadline_s=30.0)
    assert env.reset().is_first().all()
    env._deadline_s = 0.5  # pylint: disable=protected-access
    with pytest.raises(TimeoutError, match=r"step\(\) of its 2 processes took more than 0.5 s"):
        env.step(np.array([0, 0]))


def test_a_space_without_a_shape_is_refused():
    inner = Scripted()
    inner.observation_space = spaces.Dict({"words": spaces.Text(5)})
    with pytest.raises(TypeError, match="observation/words: Text"):
        GymnasiumEnvironment(inner)


def test_nan_is_named():
    class Broken(Scripted):
        def _seen(self):
            return {**super()._seen(), "count": np.array([np.nan], np.float32)}

    with pytest.raises(EnvironmentFault, match="observation/count"):
        GuardedEnvironment(GymnasiumEnvironment(Broken())).reset()


@pytest.mark.parametrize(
    "name, batch, message",
    [
        ("CartPole-v1", None, "expected KIND:NAME"),
        ("gymnasium:Nothing-v0", None, "gymnasium:Nothing-v0"),
        ("probe:nothing", None, "probe:t_maze"),
        ("probe:t_maze", 2, "does not come in batches"),
    ],
)
def test_load_names_what_is_wrong(name, batch, message):
    with pytest.raises(ValueError, match=message):
        environments.load(name, batch)


@pytest.mark.parametrize(
    "name, batch", [("probe:t_maze", None), ("forage:free", None), ("reading:read_text", 2), ("gym:CartPole-v1", None)]
)
def test_load_makes_every_kind(name, batch):
    env = environments.load(name, batch, seed=1)
    first = env.reset()
    assert bool(np.all(first.is_first())) and env.batched == (batch is not None)
