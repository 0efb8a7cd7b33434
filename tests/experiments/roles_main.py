"""Run by test_distributed_parts: what collector, learner and server do when others fail."""
import json
import threading
import types

import pytest
from absl import flags
from absl.testing import flagsaver

from experiments.distributed import collect as collect_lib
from experiments.distributed import learn, roles, strategies
from experiments.distributed import server as server_lib
from experiments.run_config import RunConfig
from infonodes.environments import guarded
from infonodes.replay import ReplayTimeout


def collector_of(failures):
    """Returns a `Collect` whose environment fails so many resets, and what it counts them in."""
    collect = object.__new__(collect_lib.Collect)
    resets = []

    def begin(random):
        del random
        resets.append(1)
        if len(resets) <= failures:
            raise guarded.EnvironmentFault("reset: the simulator is not up yet")
        return "collector"

    collect._collector, collect._faults = begin, 0
    collect._role = types.SimpleNamespace(stop=threading.Event(), say=lambda *_: None)
    return collect, resets


def test_an_environment_that_fails_to_begin_is_tried_again(monkeypatch):
    """A simulator that crashed takes a while to come back; the run goes on meanwhile."""
    monkeypatch.setattr(collect_lib, "_PAUSE_S", 0.0)
    collect, _ = collector_of(failures=2)
    assert collect._begin_again(random=False) == "collector" and collect._faults == 2
    collect, resets = collector_of(failures=100)
    with pytest.raises(RuntimeError, match="began no episode in 5 attempts"):
        collect._begin_again(random=False)
    assert len(resets) == 5


def test_a_collector_that_tries_again_looks_at_stop(monkeypatch):
    monkeypatch.setattr(collect_lib, "_PAUSE_S", 1000.0)
    collect, resets = collector_of(failures=100)
    collect._role.stop.set()
    assert collect._begin_again(random=False) is None and len(resets) == 1


def test_a_server_that_dies_while_weights_are_published_is_connected_to_again(monkeypatch):
    """The first connection is lost at its publication; without a feed there is nothing to learn from."""
    learner = object.__new__(learn.Learner)
    learner._role = types.SimpleNamespace(await_server=lambda _: True, say=lambda *_: None)
    learner._endpoint = types.SimpleNamespace(fresh=lambda: "localhost:1")
    learner._config, learner._setup = RunConfig(), types.SimpleNamespace(replicas=1, local_replicas=1, is_chief=True)
    learner.agent, learner._policy_variables, learner._feed, learner._replay = None, [], None, None
    learner._step, learner._publications = 0, 0
    answers = [ReplayTimeout("it died"), None]

    def publish(step):
        del step
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    monkeypatch.setattr(roles, "make_replay", lambda *_: types.SimpleNamespace(dataset=print))
    monkeypatch.setattr(learn, "Feed", lambda *_: types.SimpleNamespace(close=lambda: None))
    learner._channel = types.SimpleNamespace(connect=lambda _: None, publish=publish)
    assert learner._connect() and learner._feed is not None and not answers


@pytest.mark.parametrize("last_fails", [False, True])
def test_a_server_whose_disk_is_full_for_a_while_goes_on_serving(last_fails):
    """Only the save that nothing follows ends it with the error."""
    disk = [OSError("is the disk full?"), None, *[OSError("is the disk full?")] * last_fails]
    waits, said, stopped = [False, False, True], [], []

    def save():
        answer = disk.pop(0) if disk else None
        if answer is not None:
            raise answer
        return "kept/00000001"

    server = types.SimpleNamespace(save=save, sizes=dict, restored={}, stop=lambda: stopped.append(1))
    role = types.SimpleNamespace(
        stop=types.SimpleNamespace(wait=lambda _: waits.pop(0)), report=lambda **_: None,
        say=lambda text, **_: said.append(text.split(":")[0]),
    )
    if last_fails:
        with pytest.raises(OSError, match="disk"):
            server_lib.serve(server, role, every_s=0.0)
    else:
        assert server_lib.serve(server, role, every_s=0.0) == roles.STOPPED and stopped
    assert said == ["not saved", "saved 00000001", "saved 00000001"][: 3 - last_fails]


@pytest.mark.parametrize("cluster, kind, index, found", [
    (None, None, None, (1, "learn")),
    ({"worker": ["a:1", "b:1"]}, "worker", 0, (2, "learn")),
    ({"worker": ["a:1", "b:1"]}, "worker", 1, (2, "learn-1")),
    ({"chief": ["c:1"], "worker": ["a:1", "b:1"]}, "chief", 0, (3, "learn")),
    ({"chief": ["c:1"], "worker": ["a:1", "b:1"]}, "worker", 0, (3, "learn-1")),
])
def test_workers_and_their_numbers(monkeypatch, cluster, kind, index, found):
    """One of them, and only one, is the chief that publishes and saves."""
    config = {"cluster": cluster, "task": {"type": kind, "index": index}} if cluster else {}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    flags.FLAGS.mark_as_parsed()
    with flagsaver.flagsaver(strategy="multiworker"):
        assert (strategies.workers(), strategies.role_name()) == found
