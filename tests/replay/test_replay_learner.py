"""TF-Agents' Learner re-prioritises through the hook, with no Learner of our own."""
import numpy as np
import pytest
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.train import learner
from tf_agents.train.utils import train_utils

from infonodes.replay import CostPrioritizedReplay, ReplayFault


class _CostAgent(tf.Module):
    """All that a Learner needs: the cost of item i is i + 1."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def initialize(self):
        pass

    def train(self, experience):
        assert set(experience.policy_info) == {"cost", "packed", "importance_weight"}
        cost = experience.observation[:, 0, 0] + 1.0
        self.step.assign_add(1)
        weight = experience.policy_info["importance_weight"][:, 0]
        return tf_agent.LossInfo(tf.reduce_mean(cost * weight), {"cost": cost})


def test_learner_gives_sampled_windows_their_new_cost(data_spec, make_episode, fill, tmp_path):
    with CostPrioritizedReplay(data_spec, 2, exponent=1.0, uniform_fraction=0.0) as replay:
        fill(replay, make_episode, np.ones(10))
        step = train_utils.create_train_step()
        trainer = learner.Learner(
            str(tmp_path), step, _CostAgent(step), lambda: replay.dataset(32),
            after_train_strategy_step_fn=replay.after_train_step_fn(),
            checkpoint_interval=0, summary_interval=0,
        )
        loss = trainer.run(iterations=20)
        assert np.isfinite(loss.loss)
        assert replay.scale.batches.numpy() == 20
        found = {}
        for trajectory, info in replay.dataset(32).take(40):
            items = trajectory.observation[:, 0, 0].numpy()
            found.update(zip(items.astype(int).tolist(), info.priority.numpy().tolist()))
        assert found == {i: float(i + 1) for i in range(10)}


@pytest.mark.parametrize("extra", [(), {"loss": tf.zeros([4])}, {"cost": tf.zeros([])}])
def test_hook_says_what_is_missing(data_spec, extra):
    with CostPrioritizedReplay(data_spec, 2) as replay:
        with pytest.raises(ReplayFault, match=r"loss_info.extra: expected .* 'cost' \[B\]"):
            replay.after_train_step_fn()((None, None), tf_agent.LossInfo(tf.zeros([]), extra))
