"""What is shown as a preset's settings is what its agent has."""
import pytest
from tf_agents.specs import tensor_spec

from experiments import settings, tasks
from infonodes import presets


@pytest.mark.parametrize("preset", [name for name in presets.PRESETS if name != "reader"])  # It wants a page to read.
def test_the_window_shown_is_the_agents(preset):
    env = tasks.load("probe/one_action")
    specs = tensor_spec.from_spec((env.time_step_spec(), env.action_spec()))
    agent = settings.build_agent(preset, {}, *specs, seed=0)
    assert settings.groups(preset)["agent"]["train_sequence_length"] == agent.train_sequence_length
