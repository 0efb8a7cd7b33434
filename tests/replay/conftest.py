"""Fixtures over `replay_cases`."""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
import replay_cases


@pytest.fixture(scope="session")
def data_spec():
    return replay_cases.DATA_SPEC


@pytest.fixture(scope="session")
def make_episode():
    return replay_cases.make_episode


@pytest.fixture(scope="session")
def fill():
    """Writes one-window episodes (L=2) of the given costs; observation[0] is the item."""

    def run(replay, make_episode, costs):
        observer = replay.observer()
        for item, cost in enumerate(costs):
            for frame in make_episode(1, item, [cost, cost]):
                observer(frame)
        observer.flush()

    return run


@pytest.fixture(scope="session")
def count():
    """Counts how often each item is drawn: returns `[n]` counts and the last info."""

    def run(replay, n, batches=150, batch_size=64):
        counts = np.zeros(n)
        info = None
        for trajectory, info in replay.dataset(batch_size).take(batches):  # noqa: B007
            items = trajectory.observation[:, 0, 0].numpy().astype(int)
            counts += np.bincount(items, minlength=n)
        return counts, info

    return run
