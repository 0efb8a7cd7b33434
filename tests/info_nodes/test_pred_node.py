"""Which variables a PredNode learns, and at which rate."""
from __future__ import annotations

import pytest
from tf_agents.environments import suite_gym, tf_py_environment

from infonodes import presets
from infonodes.info_nodes.pred_node import PredSettings


@pytest.mark.parametrize(
    "encoder_rate, expected",
    [(1.0, [("f_abs/f_pred", 1.0), ("f_act", 1.0)]), (0.25, [("f_abs", 0.25), ("f_pred", 1.0), ("f_act", 1.0)])],
)
def test_networks_of_one_rate_are_one_variable(encoder_rate, expected):
    env = tf_py_environment.TFPyEnvironment(suite_gym.load("CartPole-v1"))
    settings = PredSettings(encoder_rate=encoder_rate)
    node = presets.predictive(env.time_step_spec(), env.action_spec(), pred=settings).graph["pred"]
    assert [(v.name.split("/flat")[0].split(":")[0], rate) for v, rate in node.learned()] == expected
