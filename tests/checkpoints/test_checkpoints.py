"""A checkpoint comes back bit by bit, or not at all; the expectation is the state at its step."""
import os
import shutil
import subprocess
import sys
import time

import checkpoint_cases as cases
import numpy as np
import pytest

from infonodes.checkpoints import CheckpointDamaged, CheckpointFault, CheckpointMismatch, Checkpoints, manifest, nests
from tests.damage import flip, truncate


def restored(folder, **arguments):
    case = cases.Case(folder, **arguments)
    return case, case.checkpoints.restore()


def test_everything_comes_back(tmp_path):
    snapshots = cases.written(tmp_path / "c")
    case, found = restored(tmp_path / "c")
    assert found.step == 3 and case.snapshot() == snapshots[3]
    again = cases.Case(tmp_path / "d")
    for step in (1, 2, 3, 4):
        again.advance(step)
    case.advance(4)
    assert case.snapshot() == again.snapshot()  # and goes on as if never stopped


def test_an_empty_folder_is_a_new_run(tmp_path):
    assert restored(tmp_path / "c")[1] is None


def test_keeps_a_number(tmp_path):
    cases.written(tmp_path / "c", steps=5, keep=3)
    assert sorted(os.listdir(tmp_path / "c")) == [f"checkpoint-00000{i}" for i in (3, 4, 5)]


def test_is_due_by_time(tmp_path):
    case = cases.Case(tmp_path / "c", every_s=0.5)
    time.sleep(0.6)
    assert case.checkpoints.is_due()
    assert not cases.Case(tmp_path / "d", every_s=1e6).checkpoints.is_due()


def test_nests_round_trip(tmp_path):
    state = {
        "a": [np.arange(6, dtype=np.int8).reshape(2, 3), {"b": np.float32(0.1)}, None, True],
        "big": 2**127 + 1, "float": 0.1, "nan": float("nan"), "text": "ä", "empty": {}, "zero": np.zeros([0, 2]),
    }
    nests.save(str(tmp_path), "s", state)
    found = nests.load(str(tmp_path), "s")
    np.testing.assert_array_equal(found["a"][0], state["a"][0])
    assert found["a"][0].dtype == np.int8 and found["a"][1]["b"].dtype == np.float32
    assert found["a"][1]["b"] == np.float32(0.1) and found["a"][2:] == [None, True]
    assert (found["big"], found["float"], found["text"], found["empty"]) == (2**127 + 1, 0.1, "ä", {})
    assert np.isnan(found["nan"]) and found["zero"].shape == (0, 2)


@pytest.mark.parametrize("bad", [object(), {"a": {1}}, {1: 2}, np.array([object()]), {"__array__": "a0"}])
def test_nests_refuse_what_they_could_not_read_back(tmp_path, bad):
    with pytest.raises(CheckpointFault, match="state s"):
        nests.save(str(tmp_path), "s", bad)


# -- bar 14: what differs is an error that lists it, what is damaged gives way to the one before ----


def rename(first, second):
    return cases.Net(names=(first, second))


@pytest.mark.parametrize("arguments, words", [
    (dict(net=rename("kernel", "offset")), ["net/offset", "net/bias", "renamed perhaps"]),
    (dict(net=cases.Net(names=("kernel", "bias", "extra"))), ["missing in the checkpoint", "net/extra"]),
    (dict(net=cases.Net(names=("kernel",))), ["not known now", "net/bias"]),
    (dict(net=cases.Net(size=4)), ["net/kernel", "[3]", "[4]"]),
    (dict(other=cases.Counter()), ["part 'other'", "None", "state"]),
    (dict(notes=cases.Counter()), ["part 'notes'", "folder", "state"]),
    (dict(config={**cases.CONFIG, "lr": 0.2}), ["'lr'", "0.1", "0.2"]),
    (dict(config={"lr": 0.1}), ["'layers'", "nothing"]),
])
def test_a_mismatch_lists_what_differs_and_restores_nothing(tmp_path, arguments, words):
    cases.written(tmp_path / "c")
    case = cases.Case(tmp_path / "c", **arguments)
    before = [v.numpy().tolist() for v in case.net.variables]
    with pytest.raises(CheckpointMismatch) as caught:
        case.checkpoints.restore()
    for word in words:
        assert word in str(caught.value)
    assert [v.numpy().tolist() for v in case.net.variables] == before and case.notes.text == ""


def empty(path):
    os.truncate(path, 0)


def link(path):
    shutil.move(path, path + ".away")
    shutil.move(path + ".away", os.path.join(os.path.dirname(path), "..", "..", "..", "away"))
    os.symlink(os.path.join(os.path.dirname(path), "..", "..", "..", "away"), path)


def add(path):
    shutil.copy(path, path + ".more")


@pytest.mark.parametrize("damage", [truncate, flip, empty, os.remove, link, add])
@pytest.mark.parametrize("file", [
    "manifest.json", "variables/variables.index", "variables/variables.data-00000-of-00001",
    "states/counter.json", "states/counter.npz", "part-notes/notes.txt",
])
def test_a_damaged_newest_one_gives_way_to_the_one_before(tmp_path, damage, file, caplog):
    snapshots = cases.written(tmp_path / "c")
    newest = tmp_path / "c" / "checkpoint-000003"
    damage(str(newest / file))
    case, found = restored(tmp_path / "c")
    assert found.step == 2 and case.snapshot() == snapshots[2]
    assert "checkpoint-000003" in caplog.text and "checkpoint-000002" in caplog.text
    case.advance(3)
    case.checkpoints.save(3)  # the number is free again, and the sound one is kept
    assert {os.path.basename(p) for p in case.checkpoints.paths()} == {"checkpoint-000002", "checkpoint-000003"}


def test_a_file_that_cannot_be_read_is_damage(tmp_path, monkeypatch):
    """A disk that fails in the middle of a file; root reads whatever its mode is."""
    cases.written(tmp_path / "c")
    read = manifest._sha256

    def fail(path):
        if "checkpoint-000003" in path:
            raise OSError(5, "Input/output error", path)
        return read(path)

    monkeypatch.setattr(manifest, "_sha256", fail)
    assert restored(tmp_path / "c")[1].step == 2


def test_all_damaged_is_an_error_that_lists_them(tmp_path):
    cases.written(tmp_path / "c")
    for number in (2, 3):
        flip(str(tmp_path / "c" / f"checkpoint-00000{number}" / "states" / "counter.npz"))
    with pytest.raises(CheckpointDamaged, match="(?s)000003.*000002"):
        restored(tmp_path / "c")


def test_what_an_interrupted_save_left_is_removed(tmp_path):
    snapshots = cases.written(tmp_path / "c")
    shutil.copytree(tmp_path / "c" / "checkpoint-000003", tmp_path / "c" / "part-checkpoint-000004")
    case, _ = restored(tmp_path / "c")
    assert case.snapshot() == snapshots[3]
    assert sorted(os.listdir(tmp_path / "c")) == ["checkpoint-000002", "checkpoint-000003"]


# -- folders -----------------------------------------------------------------------------------------


def test_a_folder_with_something_else_or_a_link_is_refused(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("x")
    with pytest.raises(CheckpointFault, match="precious.txt"):
        cases.Case(tmp_path / "mine")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    with pytest.raises(CheckpointFault, match="link"):
        cases.Case(tmp_path / "link")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "part-checkpoint-000001").symlink_to(tmp_path / "mine")
    with pytest.raises(CheckpointFault, match="part-checkpoint-000001"):
        cases.Case(tmp_path / "c")
    assert (tmp_path / "mine" / "precious.txt").read_text() == "x"


@pytest.mark.parametrize("arguments, word", [
    (dict(keep=1), "keep >= 2"), (dict(every_s=0), "every_s > 0"), (dict(thing=object()), "'thing'"),
])
def test_bad_arguments(tmp_path, arguments, word):
    with pytest.raises(CheckpointFault, match=word):
        cases.Case(tmp_path / "c", **arguments)
    with pytest.raises(CheckpointFault, match="a/b"):
        Checkpoints(str(tmp_path / "c"), {"a/b": cases.Counter()})


# -- a disk that refuses -------------------------------------------------------------------------------

_FULL = """
import resource, signal, sys
sys.path.insert(0, {here!r})
import checkpoint_cases as cases
from infonodes.checkpoints import CheckpointFault
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
case = cases.Case({folder!r})
assert case.checkpoints.restore().step == 3
case.advance(4)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
try:
    case.checkpoints.save(4)
except CheckpointFault as error:
    print("FAULT", error)
"""


@pytest.mark.parametrize("limit", [0, 100, 300, 700])
def test_a_disk_that_takes_no_more_leaves_the_last_good_one(tmp_path, limit):
    """Files may not grow past a limit, in a process of its own: TensorFlow's and Python's writes both fail."""
    snapshots = cases.written(tmp_path / "c")
    code = _FULL.format(here=os.path.dirname(__file__), folder=str(tmp_path / "c"), limit=limit)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert "FAULT" in done.stdout and "disk full" in done.stdout, done.stderr[-2000:]
    assert "checkpoint-000003" in done.stdout
    case, found = restored(tmp_path / "c")
    assert found.step == 3 and case.snapshot() == snapshots[3]
