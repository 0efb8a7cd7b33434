"""The manifest: which files make up a checkpoint, with their sizes and sha256."""
from __future__ import annotations

import hashlib
import json
import os
import stat
from typing import Any

from infonodes.checkpoints.faults import CheckpointDamaged

NAME = "manifest.json"
_FORMAT = 1
_BLOCK = 1 << 20


def write(folder: str, content: dict[str, Any]) -> None:
    """Writes the manifest of all that lies in `folder`, and brings everything to the disk.

    Args:
      folder: Holds the checkpoint's files, and no manifest.
      content: What else it tells, as JSON can hold it.
    """
    files = {}
    for name in _files(folder):
        path = os.path.join(folder, name)
        sync(path)
        files[name] = {"bytes": os.path.getsize(path), "sha256": _sha256(path)}
    body = {"format": _FORMAT, "files": files, **content}
    path = os.path.join(folder, NAME)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"sha256": _digest(body), "body": body}, file, indent=1)
    sync(path)
    for root, _, _ in os.walk(folder):
        sync(root)


def read(folder: str) -> dict[str, Any]:
    """Returns the manifest's content, once every file was compared with it.

    Raises:
      CheckpointDamaged: naming the first file that is missing, too much, a link, unreadable, or changed.
    """
    path = os.path.join(folder, NAME)
    try:
        with open(path, encoding="utf-8") as file:
            whole = json.load(file)
        body = whole["body"]
        is_intact = whole["sha256"] == _digest(body)
        listed = body["files"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointDamaged(f"{path}: no manifest ({type(error).__name__}: {error})") from error
    if not is_intact:
        raise CheckpointDamaged(f"{path}: the manifest was changed after it was written")
    if body["format"] != _FORMAT:
        raise CheckpointDamaged(f"{path}: format {body['format']}, this version reads {_FORMAT}")
    try:
        _compare(folder, listed)
    except OSError as error:
        raise CheckpointDamaged(f"{folder}: a file cannot be read ({error})") from error
    return body


def sync(path: str) -> None:
    """Brings a file, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _compare(folder: str, listed: dict[str, Any]) -> None:
    found = set(_files(folder)) - {NAME}
    if found != set(listed):
        raise CheckpointDamaged(
            f"{folder}: missing files {sorted(set(listed) - found)}, files too many {sorted(found - set(listed))}"
        )
    for name, expected in listed.items():
        path = os.path.join(folder, name)
        if os.path.getsize(path) != expected["bytes"]:
            raise CheckpointDamaged(f"{path}: {os.path.getsize(path)} bytes, expected {expected['bytes']}")
        if _sha256(path) != expected["sha256"]:
            raise CheckpointDamaged(f"{path}: its content was changed after it was written")


def _files(folder: str) -> list[str]:
    """Returns the paths below `folder`; refuses what is neither a file nor a folder."""
    found = []
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = os.path.join(root, name)
            mode = os.lstat(path).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise CheckpointDamaged(f"{path}: a link or a special file; a checkpoint holds plain files only")
            if stat.S_ISREG(mode):
                found.append(os.path.relpath(path, folder))
    return sorted(found)


def _digest(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
