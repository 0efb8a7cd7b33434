"""TF-Agents' own ActorTest, LearnerTest and DQN example, with our agent; run as a subprocess.

`python tf_agents_own_main.py actor|learner|example PRESET [unittest arguments]`
"""
from __future__ import annotations

import os
import sys
import types
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from tf_agents.environments import suite_gym
from tf_agents.policies import py_tf_eager_policy
from tf_agents.system import system_multiprocessing as multiprocessing
from tf_agents.train.utils import replay_buffer_utils, spec_utils, train_utils
from tf_agents.train.utils import test_utils as dist_test_utils

from infonodes import presets
from infonodes.info_nodes.pred_node import PredSettings
from infonodes.info_nodes.reward_node import RewardSettings
from infonodes.modes import Modes
from infonodes.testing import trajectory_of

PRESET = sys.argv[2] if len(sys.argv) > 2 else "predictive"
TIME = 2


def make_agent(time_step_spec, action_spec, train_step, jit_compile=None):
    """Returns a small preset that trains on windows of two frames, as DqnAgent does."""
    shared = dict(train_step_counter=train_step, train_sequence_length=TIME, jit_compile=jit_compile)
    if PRESET == "reactive":
        return presets.reactive(time_step_spec, action_spec, presets.dqn((16,)), **shared)
    pred = PredSettings(latent_size=8, hidden=(16,), unroll=1)
    return presets.predictive(time_step_spec, action_spec, pred, RewardSettings(hidden=8), **shared)


class Flushing:
    """Waits for Reverb at each frame: ActorTest counts at once what was written."""

    def __init__(self, observer):
        self._observer = observer

    def __call__(self, frame):
        self._observer(frame)
        self._observer.flush()


def actor_main():
    from tf_agents.train import actor_test

    class OurActorTest(actor_test.ActorTest):
        def _build_components(self, rb_port):
            env = suite_gym.load("CartPole-v0")
            _, action_spec, time_step_spec = spec_utils.get_tensor_specs(env)
            train_step = train_utils.create_train_step()
            agent = make_agent(time_step_spec, action_spec, train_step)
            buffer, observer = replay_buffer_utils.get_reverb_buffer_and_observer(
                agent.collect_data_spec, sequence_length=TIME, replay_capacity=1000, port=rb_port
            )
            return env, agent, train_step, buffer, Flushing(observer)

    globals()["OurActorTest"] = OurActorTest


def learner_main():
    """`learner_test` binds the maker at import, so it is patched before."""

    def create(action_spec, time_step_spec, train_step, batch_size):
        agent = make_agent(time_step_spec, action_spec, train_step, jit_compile=False)
        # Output layers that start at zero pass no gradient back at first; the tests look for
        # optimiser slots that move with the first step, by more than 1e-12.
        for i, variable in enumerate(agent.trainable_variables):
            variable.assign_add(tf.random.stateless_normal(variable.shape, [0, i]))
        # A hundred rows as the stock maker's; each four are the same, so that replicas see what one device does.
        rows = tf.data.Dataset.from_tensor_slices(trajectory_of(agent, 4, TIME, episode_length=50)).repeat(25)
        dataset = tf.data.Dataset.zip((rows, tf.data.experimental.Counter()))
        return agent, dataset, lambda: dataset.batch(batch_size), agent.collect_data_spec

    dist_test_utils.create_dqn_agent_and_dataset_fn = create
    from tf_agents.train import learner_test

    class OurLearnerTest(learner_test.LearnerTest):
        pass

    globals()["OurLearnerTest"] = OurLearnerTest


def example_main(root_dir):
    """The stock example unmodified, but for DqnAgent and the warm-up policy."""
    from tf_agents.examples.dqn import dqn_train_eval

    made = []

    def dqn_agent(time_step_spec, action_spec, q_network, optimizer, train_step_counter, **unused):
        del q_network, optimizer, unused
        made.append(make_agent(time_step_spec, action_spec, train_step_counter))
        return made[-1]

    def warm_up(time_step_spec, action_spec):
        del time_step_spec, action_spec
        policy = made[-1].make_policy(Modes(collect="random"))
        return py_tf_eager_policy.PyTFEagerPolicy(policy, use_tf_function=True)

    with mock.patch.object(
        dqn_train_eval, "dqn_agent", types.SimpleNamespace(DqnAgent=dqn_agent)
    ), mock.patch.object(
        dqn_train_eval, "random_py_policy", types.SimpleNamespace(RandomPyPolicy=warm_up)
    ):
        dqn_train_eval.train_eval(
            root_dir, initial_collect_steps=50, num_iterations=6, batch_size=8,
            policy_save_interval=3, eval_interval=3, eval_episodes=1,
        )
    assert made[-1].train_step_counter.numpy() == 6
    print("example done")


if __name__ == "__main__":
    what = sys.argv[1]
    if what == "example":
        tf.compat.v1.enable_v2_behavior()
        example_main(sys.argv[3])
    else:
        {"actor": actor_main, "learner": learner_main}[what]()
        sys.argv = [sys.argv[0], *sys.argv[3:]]
        multiprocessing.handle_test_main(tf.test.main)
