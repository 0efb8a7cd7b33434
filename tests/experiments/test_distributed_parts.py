"""The parts of a distributed run, each by itself."""
from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import types

import numpy as np
import pytest
import reverb
import tensorflow as tf

from experiments import process_figures
from experiments.distributed import isolation, learn, plan, roles
from experiments.distributed.feed import Feed
from experiments.distributed.supervisor import Child, Supervisor
from experiments.errors import RunError
from experiments.run_config import RunConfig
from infonodes.environments import guarded
from infonodes.replay import ReplayTimeout


def test_feed_gives_shards_in_order():
    feed = Feed(lambda: tf.data.Dataset.range(6), shards=2)
    assert [[int(x) for x in feed.next(10.0)] for _ in range(3)] == [[0, 1], [2, 3], [4, 5]]


def test_feed_says_that_a_dataset_ended():
    """Reverb's never go on after their limit; whoever waits must know."""
    feed = Feed(lambda: tf.data.Dataset.range(1))
    assert [int(x) for x in feed.next(10.0)] == [0]
    with pytest.raises(RuntimeError, match="StopIteration"):
        feed.next(10.0)


def test_feed_waits_no_longer_than_asked():
    table = reverb.Table("t", reverb.selectors.Uniform(), reverb.selectors.Fifo(), 10, reverb.rate_limiters.MinSize(1))
    server = reverb.Server([table])
    dataset = reverb.TrajectoryDataset(f"localhost:{server.port}", "t", [tf.float32], [tf.TensorShape([1])], 1)
    feed = Feed(lambda: dataset)
    start = time.monotonic()
    assert feed.next(0.5) is None
    assert time.monotonic() - start < 5.0
    reverb.Client(f"localhost:{server.port}").insert([np.float32(1.0)], {"t": 1.0})
    assert feed.next(30.0) is not None
    feed.close()
    server.stop()


@pytest.mark.parametrize("address", [None, "", "nohost", "host:", ":5", "host:x"])
def test_addresses_that_are_none(address):
    with pytest.raises(RunError, match="HOST:PORT"):
        roles.Endpoint(address)


def test_fresh_addresses_reach_the_same_host():
    server = reverb.Server(
        [reverb.Table("t", reverb.selectors.Uniform(), reverb.selectors.Fifo(), 10, reverb.rate_limiters.MinSize(1))]
    )
    one, other = (roles.Endpoint(f"localhost:{server.port}") for _ in range(2))
    first = [endpoint.fresh() for _ in range(32) for endpoint in (one, other)]  # Two in a process share none of them.
    files = process_figures.open_files()
    assert all(one.answers() for _ in range(70))  # A look takes none, and leaves no file open.
    assert process_figures.open_files() <= files + 3
    assert len(set(first)) == 64 and [one.fresh() for _ in range(64)] == first
    server.stop()
    assert roles.Endpoint("10.0.0.7:80").fresh() == "10.0.0.7:80"


def test_an_endpoint_without_a_server_does_not_answer():
    with socket.socket() as silent:  # Listens, and is no Reverb server.
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        assert not roles.Endpoint(f"localhost:{silent.getsockname()[1]}").answers(1)
        assert time.monotonic() - start < 6.0


def test_exposure_is_refused_unless_asked_for(monkeypatch):
    monkeypatch.setattr(isolation, "interfaces", lambda: ["eth0"])
    monkeypatch.setattr(isolation, "available", lambda: False)
    monkeypatch.setattr(type(isolation.EXPOSE), "value", property(lambda self: False))
    with pytest.raises(RunError, match="--expose_replay"):
        isolation.refuse_exposure("the server")
    with pytest.raises(RunError, match="unshare"):
        isolation.enter("anything")
    monkeypatch.setattr(type(isolation.EXPOSE), "value", property(lambda self: True))
    isolation.refuse_exposure("the server")
    isolation.enter("anything")


def test_a_worker_of_several_refuses_too(monkeypatch):
    """TensorFlow's workers listen everywhere, as Reverb does; one learner alone does not listen."""
    monkeypatch.setattr(learn.roles, "Role", lambda name: name)
    monkeypatch.setattr(learn, "Learner", lambda role: types.SimpleNamespace(go=lambda: 0))
    monkeypatch.setattr(isolation, "interfaces", lambda: ["eth0"])
    monkeypatch.setattr(type(isolation.EXPOSE), "value", property(lambda self: False))
    monkeypatch.setattr(learn.strategies, "role_name", lambda: "learn")
    monkeypatch.setattr(learn.strategies, "workers", lambda: 2)
    with pytest.raises(RunError, match="this worker would listen on eth0"):
        learn.main()
    monkeypatch.setattr(learn.strategies, "workers", lambda: 1)
    assert learn.main() == 0


ISOLATED = """
import socket, sys
from absl import flags
from experiments.distributed import isolation
flags.FLAGS(["x"])
isolation.loopback_up()
assert isolation.interfaces() == [], isolation.interfaces()
isolation.refuse_exposure("the server")
listener = socket.socket(socket.AF_INET6)
listener.bind(("::", 0))
listener.listen()
print(listener.getsockname()[1], flush=True)
with socket.create_connection(("127.0.0.9", listener.getsockname()[1]), 5):
    print("inside", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not isolation.available(), reason="no network namespaces here")
def test_a_private_network_is_private():
    """Bar 24: what listens inside on all interfaces is reached inside and not from here."""
    command = [shutil.which("unshare"), "-rn", sys.executable, "-c", ISOLATED]
    inside = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        port = int(inside.stdout.readline())
        assert inside.stdout.readline().strip() == "inside"
        for host in ("127.0.0.1", socket.gethostbyname(socket.gethostname())):
            with pytest.raises(OSError):
                socket.create_connection((host, port), 3).close()
    finally:
        inside.stdin.close()
        inside.wait(30)


def script(text):
    return [sys.executable, "-S", "-c", text]


def tend_until(supervisor, is_done, timeout_s=60.0):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        code = supervisor.tend()
        if is_done(code):
            return code
        time.sleep(0.02)
    raise AssertionError("not in time")


def test_supervisor_starts_again_what_died(tmp_path):
    child = Child("collect-0", script("import os; os.kill(os.getpid(), 9)"))
    supervisor = Supervisor([child], str(tmp_path))
    supervisor.start_all()
    tend_until(supervisor, lambda code: child.restarts == 2)
    supervisor.stop()


def test_supervisor_starts_a_group_together(tmp_path):
    """A worker whose mate died waits in an update for it; one that is done was done a little earlier."""
    once = (
        f"import os, time; p = {str(tmp_path / 'died')!r}; os.path.exists(p) and time.sleep(100); "
        "open(p, 'w').close(); os.kill(os.getpid(), 9)"
    )
    dies = Child("learn-1", script(once), group="learn")
    waits = Child("learn", script("import time; time.sleep(100)"), group="learn")
    done = Child("learn-2", script("pass"), group="learn")
    other = Child("collect-0", script("import time; time.sleep(100)"))
    supervisor = Supervisor([waits, dies, done, other], str(tmp_path))
    supervisor.start_all()
    done.process.wait()
    tend_until(supervisor, lambda code: dies.restarts and waits.restarts and done.restarts)
    done.process.wait()
    for _ in range(100):
        assert supervisor.tend() is None
        time.sleep(0.01)
    assert [c.restarts for c in (waits, dies, done, other)] == [1, 1, 1, 0]
    supervisor.stop()


def test_supervisor_gives_up_on_what_cannot_be(tmp_path):
    supervisor = Supervisor([Child("server", script(f"raise SystemExit({roles.IMPOSSIBLE})"))], str(tmp_path))
    supervisor.start_all()
    assert tend_until(supervisor, lambda code: code is not None) == roles.IMPOSSIBLE


@pytest.mark.parametrize("error, code", [
    (OSError(28, "No space left on device"), roles.BROKEN),
    (RunError("batch_size=7"), roles.IMPOSSIBLE),
    (guarded.EnvironmentFault("observation: nan"), roles.IMPOSSIBLE),
    (ReplayTimeout("no answer"), roles.AWAY),
])
def test_a_role_leaves_with_its_errors_code(monkeypatch, capsys, error, code):
    """Python's own code for an uncaught exception is 1, after which nobody starts the role again."""

    class Left(BaseException):
        pass

    def leave(code):
        raise Left(code)

    def fail():
        raise error

    monkeypatch.setattr(roles.os, "_exit", leave)
    monkeypatch.setattr(roles.app, "run", lambda guard: guard(["role"]))
    with pytest.raises(Left) as left:
        roles.run(fail)
    assert left.value.args == (code,)
    assert str(error) in capsys.readouterr().err


def test_what_collector_and_learner_do_when_others_fail():
    """In a process of its own: their flags have the names of other binaries' flags."""
    tests = os.path.join(os.path.dirname(__file__), "roles_main.py")
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", tests], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]


def test_supervisor_ends_with_the_learner(tmp_path):
    sleeper = Child("collect-0", script("import time; time.sleep(100)"))
    supervisor = Supervisor([sleeper, Child("learn", script("pass"))], str(tmp_path))
    supervisor.start_all()
    assert tend_until(supervisor, lambda code: code is not None) == roles.DONE
    assert supervisor.stop()["collect-0"] == -signal.SIGTERM


def test_children_die_with_their_supervisor(tmp_path):
    """Of SIGKILL too: a server that outlives its launcher would keep the port."""
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from experiments.distributed.supervisor import *\n"
        "sleeps = [sys.executable, '-S', '-c', 'import time; time.sleep(100)']\n"
        f"s = Supervisor([Child('server', sleeps)], {str(tmp_path)!r})\n"
        "s.start_all(); print(s.children['server'].process.pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    os.kill(pid, 0)
    parent.kill()
    parent.wait()
    end = time.monotonic() + 20
    while time.monotonic() < end and os.path.exists(f"/proc/{pid}") and _state(pid) != "Z":
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{pid}") or _state(pid) == "Z"


def _state(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0]


def test_a_folder_goes_on_only_with_its_own_run(tmp_path):
    path = str(tmp_path / "run")
    folder = plan.prepare(RunConfig(steps=10), path)
    assert plan.prepare(RunConfig(steps=10), path).path == folder.path
    with pytest.raises(RunError, match="steps: it has 10, asked for 20"):
        plan.prepare(RunConfig(steps=20), path)


def test_one_launcher_a_folder(tmp_path):
    folder = plan.prepare(RunConfig(), str(tmp_path / "run"))
    with folder.locked(), pytest.raises(RunError, match=f"process {os.getpid()} on .* works on it"):
        with plan.prepare(RunConfig(), folder.path).locked():
            pass
    with folder.locked():
        pass


def test_status_is_whole_or_not_there(tmp_path):
    assert roles.read_status(str(tmp_path), "learn") == {}
    os.mkdir(tmp_path / "status")
    path = tmp_path / "status" / "learn.json"
    path.write_text(json.dumps({"step": 3}))
    assert roles.read_status(str(tmp_path), "learn") == {"step": 3}
    path.write_text("{")
    assert roles.read_status(str(tmp_path), "learn") == {}
