"""A time limit truncates: the episode ends, and what comes after it still counts."""
import numpy as np
import pytest
from tf_agents.environments import suite_gym

from experiments import tasks
from infonodes import environments


def last_of(env, action):
    time_step, ticks = env.reset(), 0
    while not time_step.is_last():
        time_step, ticks = env.step(action), ticks + 1
    return time_step, ticks


@pytest.mark.parametrize("load", [lambda: environments.load("gym:Pendulum-v1"), lambda: tasks.load("Pendulum-v1")])
def test_a_gym_time_limit_keeps_the_discount(load):
    time_step, ticks = last_of(load(), np.zeros(1, np.float32))
    assert (ticks, float(time_step.discount)) == (200, 1.0)


def test_suite_gym_can_be_given_the_same():
    env = suite_gym.load("Pendulum-v1", gym_env_wrappers=(environments.untimed,))
    assert float(last_of(env, np.zeros(1, np.float32))[0].discount) == 1.0


def test_a_fall_is_a_termination():
    time_step, ticks = last_of(environments.load("gym:CartPole-v1"), np.array(1))
    assert ticks < 20 and float(time_step.discount) == 0.0
