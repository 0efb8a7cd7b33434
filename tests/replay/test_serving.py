"""A server's checkpoints are whole or skipped, and a port has one server."""
from __future__ import annotations

import gc
import os
import shutil
import socket
import subprocess
import sys

import portpicker
import pytest
import replay_cases
import reverb

from infonodes.replay import CostPrioritizedReplay, ReplayFault, serving
from infonodes.replay.serving import PortLock, ReplayServer, read_manifest


def make_table(max_size=1000, length=2):
    # `make_table` needs no server, but the replay starts one.
    with CostPrioritizedReplay(replay_cases.DATA_SPEC, length) as replay:
        return replay.make_table(max_size, 1)


@pytest.fixture(name="table", scope="module")
def _table():
    return make_table


def serve(folder, table=None, **kwargs):
    return ReplayServer([table or make_table()], str(folder), portpicker.pick_unused_port(), **kwargs)


def write(server, windows, episode=0):
    replay = CostPrioritizedReplay(replay_cases.DATA_SPEC, 2, address=f"localhost:{server.port}")
    with replay:
        observer = replay.observer()
        for frame in replay_cases.make_episode(windows, episode):
            observer(frame)
        observer.flush()
        observer.close()


def test_restart_has_what_was_saved(tmp_path):
    server = serve(tmp_path / "replay")
    write(server, 20)
    path = server.save()
    assert os.path.isdir(path) and read_manifest(path)["sizes"] == {"prioritized": 20}
    write(server, 5)
    server.stop()
    again = serve(tmp_path / "replay")
    assert again.restored == again.sizes() == {"prioritized": 20}
    again.stop()


def test_saving_leaves_nothing_behind_for_each_window(tmp_path):
    windows = 3000
    server = serve(tmp_path, make_table(windows))
    write(server, windows)
    server.save()
    gc.collect()
    before = sys.getallocatedblocks()
    server.save()
    gc.collect()
    assert sys.getallocatedblocks() - before < windows / 2
    server.stop()


def test_siblings_stay_and_two_checkpoints_are_kept(tmp_path):
    """Reverb's checkpointer deletes whatever lies beside its checkpoints (measured)."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "precious.txt").write_text("x")
    server = serve(tmp_path / "replay")
    paths = []
    for episode in range(4):
        write(server, 3, episode)
        paths.append(server.save())
    server.stop()
    assert sorted(os.listdir(tmp_path)) == ["policies", "precious.txt", "replay"]
    assert [os.path.exists(p) for p in paths] == [False, False, True, True]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "missing", "no_done", "manifest"])
def test_damaged_newest_falls_back(tmp_path, damage):
    """Bar 15's six corruptions; bare Reverb starts empty in three of them."""
    server = serve(tmp_path / "replay")
    write(server, 4)
    server.save()
    write(server, 4, 1)
    newest = server.save()
    server.stop()
    spoil(newest, damage)
    again = serve(tmp_path / "replay")
    assert again.restored == again.sizes() == {"prioritized": 4}
    again.stop()


def spoil(folder, damage):
    chunks = os.path.join(folder, "chunks.tfrecord")
    with open(chunks, "rb") as file:
        data = bytearray(file.read())
    if damage == "truncated":
        data = data[: len(data) // 2]
    elif damage == "flipped":
        data[len(data) // 2] ^= 1
    elif damage == "empty":
        data = bytearray()
    elif damage == "manifest":
        with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as file:
            file.write("{}")
    with open(chunks, "wb") as file:
        file.write(data)
    if damage in ("missing", "no_done"):
        os.remove(chunks if damage == "missing" else os.path.join(folder, "DONE"))


def test_nothing_whole_is_an_error(tmp_path):
    server = serve(tmp_path / "replay")
    write(server, 4)
    path = server.save()
    server.stop()
    spoil(path, "flipped")
    with pytest.raises(ReplayFault, match="is whole"):
        serve(tmp_path / "replay")


def test_other_tables_are_refused_unless_adopted(tmp_path):
    """Reverb serves the checkpoint's capacity, sampler and signature silently."""
    server = serve(tmp_path / "replay", make_table(max_size=100))
    write(server, 4)
    server.save()
    server.stop()
    with pytest.raises(ReplayFault, match=r"prioritized\.max_size: asked for 50, saved 100"):
        serve(tmp_path / "replay", make_table(max_size=50))
    with pytest.raises(ReplayFault, match=r"prioritized\.signature"):
        serve(tmp_path / "replay", make_table(max_size=100, length=3))
    adopted = serve(tmp_path / "replay", make_table(max_size=50), adopt=True)
    assert adopted.sizes() == {"prioritized": 4}
    adopted.save()
    adopted.stop()
    with pytest.raises(ReplayFault, match=r"prioritized\.max_size: asked for 50, saved 100"):
        serve(tmp_path / "replay", make_table(max_size=50))
    serve(tmp_path / "replay", make_table(max_size=100)).stop()


def test_a_damaged_checkpoint_is_not_one_of_those_kept(tmp_path):
    """Else the next save would remove the whole one before it, and keep the damaged one."""
    server = serve(tmp_path / "replay")
    write(server, 4)
    server.save()
    newest = server.save()
    server.stop()
    spoil(newest, "flipped")
    again = serve(tmp_path / "replay")
    again.save()
    again.stop()
    kept = tmp_path / "replay" / "kept"
    assert sorted(os.listdir(kept)) == ["00000001", "00000002", "damaged-00000002"]
    for name in ("00000001", "00000002"):
        assert read_manifest(str(kept / name))["sizes"] == {"prioritized": 4}


def test_a_file_that_cannot_be_read_falls_back(tmp_path, monkeypatch):
    server = serve(tmp_path / "replay")
    write(server, 4)
    server.save()
    newest = server.save()
    server.stop()
    read = serving._sha256

    def fail(path):
        if path.startswith(newest):
            raise OSError(5, "Input/output error", path)
        return read(path)

    monkeypatch.setattr(serving, "_sha256", fail)
    again = serve(tmp_path / "replay")
    assert again.restored == {"prioritized": 4}
    again.stop()


def test_a_checkpoint_that_the_disk_does_not_take_leaves_those_before(tmp_path, monkeypatch):
    """Reverb says IndexError; what it wrote and what we wrote beside it goes."""
    server = serve(tmp_path / "replay")
    write(server, 4)
    path = server.save()

    def fail():
        os.makedirs(tmp_path / "replay" / "spool" / "2026-01-01T00:00:00" / "part")
        raise IndexError("chunks.tfrecord; No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(server._client, "checkpoint", fail)
        with pytest.raises(OSError, match="disk full"):
            server.save()
    with monkeypatch.context() as patched:
        patched.setattr(serving.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            server.save()
    assert os.listdir(tmp_path / "replay" / "spool") == []
    assert os.listdir(tmp_path / "replay" / "kept") == [os.path.basename(path)]
    server.save()
    server.stop()


def test_a_linked_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "replay")
    with pytest.raises(ReplayFault, match="is a link"):
        serve(tmp_path / "replay")


def test_second_server_on_the_port_is_refused(tmp_path):
    """Bare, both start and clients are split between them."""
    server = serve(tmp_path / "one")
    with pytest.raises(ReplayFault, match="a server is there already"):
        ReplayServer([make_table()], str(tmp_path / "two"), server.port)
    server.stop()
    PortLock(server.port).release()


def test_a_server_without_our_lock_is_seen(tmp_path):
    bare = reverb.Server([make_table()])
    with pytest.raises(ReplayFault, match="a server is there already"):
        ReplayServer([make_table()], str(tmp_path), bare.port)
    bare.stop()


def test_a_listener_on_one_interface_is_seen():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ReplayFault, match="a server is there already"):
            PortLock(other.getsockname()[1])


def test_the_lock_dies_with_its_process():
    port = portpicker.pick_unused_port()
    code = f"from infonodes.replay.serving import PortLock as P; l = P({port}); import os; os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60, capture_output=True)
    assert done.returncode == -9, done.stderr
    PortLock(port).release()


def test_a_half_saved_checkpoint_is_swept_up(tmp_path):
    server = serve(tmp_path / "replay")
    write(server, 4)
    path = server.save()
    server.stop()
    shutil.copytree(path, path[:-1] + "7.part")
    again = serve(tmp_path / "replay")
    assert again.sizes() == {"prioritized": 4}
    assert os.listdir(tmp_path / "replay" / "kept") == [os.path.basename(path)]
    again.stop()
