"""A SynapticNode learns CartPole in the graph, and what it leaves out shows: several seeds, slow."""
from __future__ import annotations

import numpy as np
import pytest

from experiments.synaptic import Trial
from experiments.synaptic_variants import CARTPOLE
from experiments.tf_tasks import TASKS

pytestmark = pytest.mark.slow


def trials(name: str, seeds: int = 5) -> list[dict]:
    trial = Trial(TASKS["cartpole"], CARTPOLE[name])
    return [trial.run(seed) for seed in range(seeds)]


def test_the_recommended_rule_balances():
    """150 episodes: greedy returns of 475 in four of five seeds at least."""
    assert sum(found["greedy"] >= 475 for found in trials("td")) >= 4


def test_the_note_as_it_stands_does_not():
    """Whatever fires is strengthened: one constant action, which ends at 9 to 10."""
    assert max(np.mean(found["returns"][-50:]) for found in trials("literal", 3)) <= 12.0


def test_it_grows_from_nothing():
    assert np.mean([found["greedy"] for found in trials("empty")]) >= 475


def test_half_of_the_edges_are_enough():
    for found in trials("pruned", 3):
        assert found["edges"] <= found["slots"] / 2 and found["greedy"] >= 475


def test_a_lesion_heals():
    found = trials("lesion")
    assert np.mean([f["greedy_hurt"] for f in found]) < 450, "the lesion did no harm: nothing healed"
    assert np.mean([f["greedy"] for f in found]) >= np.mean([f["greedy_hurt"] for f in found]) + 50
