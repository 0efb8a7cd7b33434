"""Bars 15 and 16: Reverb's checkpoints lose nothing silently, and touch nothing else."""
import os
import shutil
import subprocess
import sys
import threading
import types

import numpy as np
import pytest
import tensorflow as tf

from infonodes.checkpoints import CheckpointFault, Checkpoints
from infonodes.replay import CostPrioritizedReplay, FifoReplay, ReplayFault, table_files
from tests.damage import flip, truncate


def contents(replay, batches=30):
    """Returns {item: priority} of what is drawn."""
    found = {}
    for trajectory, info in replay.dataset(32).take(batches):
        items = trajectory.observation[:, 0, 0].numpy().astype(int)
        found.update(zip(items.tolist(), info.priority.numpy().tolist()))
    return found


@pytest.fixture
def saved(data_spec, make_episode, fill, tmp_path):
    """A folder that a replay of 12 windows of known priorities was saved to."""
    with CostPrioritizedReplay(data_spec, 2, exponent=1.0, uniform_fraction=0.0) as replay:
        fill(replay, make_episode, np.arange(1.0, 13.0))
        for trajectory, info in replay.dataset(32).take(3):
            replay.update_priorities(info, trajectory.observation[:, 0, 0] + 1.0)
        (tmp_path / "saved").mkdir()
        replay.save(str(tmp_path / "saved"))
        fill(replay, make_episode, [1.0])  # the server goes on
        assert replay.size == 13
        state = replay.scale.get_state()
    return tmp_path / "saved", state


def test_windows_priorities_and_scale_come_back(saved, data_spec, make_episode, fill):
    folder, scale = saved
    with CostPrioritizedReplay(data_spec, 2, exponent=1.0, uniform_fraction=0.0) as replay:
        observer = replay.observer()
        for frame in make_episode(3, 77):
            observer(frame)
        replay.load(str(folder))
        assert replay.size == 12
        assert contents(replay) == {i: i + 1.0 for i in range(12)}
        assert replay.scale.get_state()["mean"] == scale["mean"]
        assert replay.scale.get_state()["batches"] == scale["batches"] == 3
        for frame in make_episode(1, 78):
            observer(frame)  # observers follow to the new server
        observer.flush()
        assert replay.size == 13
        _, info = next(iter(replay.dataset(4)))
        replay.update_priorities(info, tf.ones([4]))


def test_a_queue_comes_back_in_order(data_spec, make_episode, fill, tmp_path):
    with FifoReplay(data_spec, 2) as replay:
        fill(replay, make_episode, np.ones(5))
        replay.save(str(tmp_path))
    with FifoReplay(data_spec, 2) as replay:
        replay.load(str(tmp_path))
        found = [int(i) for t, _ in replay.dataset(1, stop_after_s=0.3) for i in t.observation[:, 0, 0].numpy()]
        assert found == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("change, what", [
    (dict(max_size=50), "max_size"), (dict(min_size=3), "rate limiter"), (dict(sequence_length=3), "signature"),
])
def test_what_was_saved_does_not_win_silently(saved, data_spec, change, what):
    """Reverb as it comes would go on with the saved options."""
    with CostPrioritizedReplay(data_spec, **{"sequence_length": 2, **change}) as replay:
        with pytest.raises(ReplayFault, match=what):
            replay.load(str(saved[0]))


def test_another_servers_table_is_not_saved(data_spec, tmp_path):
    with CostPrioritizedReplay(data_spec, 2) as replay:
        with CostPrioritizedReplay(data_spec, 2, address=replay.address) as remote:
            with pytest.raises(ReplayFault, match="embedded"):
                remote.save(str(tmp_path))


# -- bar 15 ------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage, file", [
    (truncate, "chunks.tfrecord"), (lambda path: flip(path, mask=255), "chunks.tfrecord"), (truncate, "items.tfrecord"),
    (lambda path: os.truncate(path, 0), "chunks.tfrecord"), (os.remove, "chunks.tfrecord"), (os.remove, "DONE"),
])
def test_a_damaged_table_is_never_an_empty_one(data_spec, make_episode, fill, tmp_path, caplog, damage, file):
    """With the manifest of `Checkpoints` the one before is taken; `load` alone is an error, not an empty table."""
    with CostPrioritizedReplay(data_spec, 2) as replay:
        checkpoints = Checkpoints(str(tmp_path / "c"), {"replay": replay})
        for step in (1, 2):
            fill(replay, make_episode, np.ones(4))
            checkpoints.save(step)
    part = tmp_path / "c" / "checkpoint-000002" / "part-replay"
    (table,) = [name for name in os.listdir(part) if name != "replay.json"]
    assert file in os.listdir(part / table)
    damage(str(part / table / file))
    copy = tmp_path / "copy"
    shutil.copytree(part, copy)
    with CostPrioritizedReplay(data_spec, 2) as replay:
        assert Checkpoints(str(tmp_path / "c"), {"replay": replay}).restore().step == 1
        assert replay.size == 4
        assert "checkpoint-000002" in caplog.text
    with CostPrioritizedReplay(data_spec, 2) as replay:
        with pytest.raises(ReplayFault):
            replay.load(str(copy))


# -- bar 16 ------------------------------------------------------------------------------------


def test_nothing_beside_or_behind_a_link_is_touched(data_spec, make_episode, fill, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious.txt").write_text("x")
    (tmp_path / "sibling").mkdir()
    (tmp_path / "sibling" / "precious.txt").write_text("x")
    with CostPrioritizedReplay(data_spec, 2, checkpoint_dir=str(tmp_path / "reverb")) as replay:
        fill(replay, make_episode, np.ones(3))
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            replay.save(str(tmp_path / name))
            assert len(os.listdir(tmp_path / name)) == 2  # what was said to be written is there
        assert os.listdir(tmp_path / "reverb") == []
        (tmp_path / "reverb" / "2020-01-01T00:00:00").symlink_to(outside)
        with pytest.raises(ReplayFault, match="alone"):
            replay.load(str(tmp_path / "one"))
    assert (outside / "precious.txt").read_text() == "x"
    assert (tmp_path / "sibling" / "precious.txt").read_text() == "x"
    assert len(os.listdir(tmp_path / "one")) == 2


def test_a_folder_that_is_not_reverbs_is_refused(data_spec, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("x")
    with pytest.raises(ReplayFault, match="precious.txt"):
        CostPrioritizedReplay(data_spec, 2, checkpoint_dir=str(tmp_path / "mine"))
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    with pytest.raises(ReplayFault, match="link"):
        CostPrioritizedReplay(data_spec, 2, checkpoint_dir=str(tmp_path / "link"))
    assert (tmp_path / "mine" / "precious.txt").read_text() == "x"


def test_a_refusal_to_save_is_a_checkpoint_fault_or_its_own(data_spec, tmp_path):
    with CostPrioritizedReplay(data_spec, 2) as replay:
        checkpoints = Checkpoints(str(tmp_path / "c"), {"replay": replay})
    with pytest.raises((CheckpointFault, ReplayFault)):
        checkpoints.save(1)
    assert os.listdir(tmp_path / "c") == []


_FULL = """
import os, resource, signal, sys
sys.path.insert(0, {here!r})
import replay_cases
from infonodes.checkpoints import CheckpointFault, Checkpoints
from infonodes.replay import CostPrioritizedReplay
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
replay = CostPrioritizedReplay(replay_cases.DATA_SPEC, 2, checkpoint_dir={folder!r} + "/reverb")
observer = replay.observer()
for frame in replay_cases.make_episode(20):
    observer(frame)
checkpoints = Checkpoints({folder!r} + "/c", {{"replay": replay}})
checkpoints.save(1)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
try:
    checkpoints.save(2)
except CheckpointFault as error:
    print("FAULT", error, "LEFT", os.listdir({folder!r} + "/reverb"), flush=True)
os._exit(0)
"""


@pytest.mark.parametrize("limit", [0, 300])
def test_a_disk_that_takes_no_more_is_a_checkpoint_fault(tmp_path, limit):
    """Reverb raises IndexError or says nothing, and leaves what it wrote. Files may not grow past a limit."""
    code = _FULL.format(here=os.path.dirname(__file__), folder=str(tmp_path), limit=limit)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert "FAULT" in done.stdout and "Reverb could not write its checkpoint" in done.stdout, done.stderr[-2000:]
    assert done.stdout.strip().endswith("LEFT []")
    assert os.listdir(tmp_path / "c") == ["checkpoint-000001"]


@pytest.mark.parametrize("name", ["chunks.tfrecord", "items.tfrecord", "tables.tfrecord"])
def test_a_file_cut_off_anywhere_is_no_checkpoint(data_spec, make_episode, tmp_path, name):
    """TensorFlow reads a compressed file that ends after some record as one that was meant to."""
    with CostPrioritizedReplay(data_spec, 2) as replay:
        observer = replay.observer()
        for frame in make_episode(20):
            observer(frame)
        observer.flush()
        path = replay.py_client.checkpoint()
        written = types.SimpleNamespace(checkpoint=lambda: path, server_address="written")
        _, sizes = table_files.write(written, 10.0, str(tmp_path))
        assert list(sizes.values()) == [20]
        with open(os.path.join(path, name), "rb") as file:
            whole = file.read()
        for size in range(0, len(whole), 7):
            with open(os.path.join(path, name), "wb") as file:
                file.write(whole[:size])
            with pytest.raises(OSError, match="Reverb could not write its checkpoint"):
                table_files.write(written, 10.0, str(tmp_path))


def test_a_queue_is_saved_while_a_dataset_reads_it(data_spec, make_episode, tmp_path):
    """What a dataset takes meanwhile is not in the checkpoint, which says itself how much it holds."""
    with FifoReplay(data_spec, 2) as replay:
        observer = replay.observer()
        for frame in make_episode(3000):
            observer(frame)
        observer.flush()
        windows, stop = iter(replay.dataset(1)), threading.Event()

        def read():
            while not stop.is_set():
                next(windows)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        for number in range(5):
            (tmp_path / str(number)).mkdir()
            replay.save(str(tmp_path / str(number)))
        stop.set()
        reader.join(30.0)
    for number in range(5):
        with FifoReplay(data_spec, 2) as replay:
            replay.load(str(tmp_path / str(number)))


def test_an_empty_table_comes_back(data_spec, tmp_path):
    with FifoReplay(data_spec, 2) as replay:
        replay.save(str(tmp_path))
    with FifoReplay(data_spec, 2) as replay:
        replay.load(str(tmp_path))
        assert replay.size == 0
