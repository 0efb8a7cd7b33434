"""Mutated checkpoint files: an error or the checkpoint before, never a wrong load."""
import os
import random
import shutil

import checkpoint_cases as cases
import pytest

from infonodes.checkpoints import CheckpointFault


def mutate(path, rng):
    """Does one thing to one file, and says what."""
    size = os.path.getsize(path)
    kind = rng.choice(["flip", "truncate", "append", "zeros", "noise", "delete", "swap", "digit"])
    with open(path, "rb") as file:
        data = bytearray(file.read())
    if kind == "flip" and size:
        data[rng.randrange(size)] ^= 1 << rng.randrange(8)
    elif kind == "truncate":
        data = data[:rng.randrange(size + 1)]
    elif kind == "append":
        data += rng.randbytes(rng.randrange(1, 64))
    elif kind in ("zeros", "noise") and size:
        at, count = rng.randrange(size), rng.randrange(1, 64)
        data[at:at + count] = bytes(count) if kind == "zeros" else rng.randbytes(count)
    elif kind == "digit":  # Still JSON, with another number in it.
        digits = [i for i, byte in enumerate(data) if chr(byte).isdigit()]
        if digits:
            data[rng.choice(digits)] = ord(rng.choice("0123456789"))
    elif kind == "swap":
        folder = os.path.dirname(path)
        shutil.copy(os.path.join(folder, rng.choice(sorted(os.listdir(folder)))), path + ".tmp") if all(
            os.path.isfile(os.path.join(folder, n)) for n in os.listdir(folder)) else shutil.copy(path, path + ".tmp")
        os.replace(path + ".tmp", path)
        return kind
    elif kind == "delete":
        os.remove(path)
        return kind
    with open(path, "wb") as file:
        file.write(data)
    return kind


def same_content(one, other):
    with open(one, "rb") as a, open(other, "rb") as b:
        return a.read() == b.read()


def fuzz(tmp_path, count):
    snapshots = cases.written(tmp_path / "sound")
    case = cases.Case(tmp_path / "scratch")
    rng, fell_back, failed = random.Random(0), 0, 0
    for number in range(count):
        shutil.rmtree(tmp_path / "scratch")
        shutil.copytree(tmp_path / "sound", tmp_path / "scratch")
        newest = tmp_path / "scratch" / "checkpoint-000003"
        victims = [rng.choice(cases.files_of(newest))]
        if number % 4 == 0:
            victims.append(rng.choice(cases.files_of(tmp_path / "scratch" / "checkpoint-000002")))
        kinds = [mutate(victim, rng) for victim in victims]
        changed = [v for v in victims if not os.path.exists(v) or not same_content(
            v, str(v).replace("scratch", "sound", 1))]
        # What has other bytes and the same meaning may be loaded: blanks in the manifest.
        try:
            found = case.checkpoints.restore()
        except CheckpointFault:
            assert len(changed) == 2, (victims, kinds)
            failed += 1
            continue
        assert case.snapshot() == snapshots[found.step], (victims, kinds)
        if any("checkpoint-000003" in str(v) for v in changed) and not victims[0].endswith("manifest.json"):
            assert found.step == 2, (victims, kinds)
        fell_back += found.step == 2
    assert fell_back + failed > 0.8 * count
    return fell_back, failed


def test_some_mutations(tmp_path):
    fuzz(tmp_path, 40)


@pytest.mark.slow
def test_four_hundred_mutations(tmp_path):
    fell_back, failed = fuzz(tmp_path, 400)
    print(f"400 mutated checkpoints: {fell_back} fell back, {failed} were errors, 0 wrong")
