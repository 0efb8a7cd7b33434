"""Reverb's own checkpoints of its tables, kept away from everything else."""
from __future__ import annotations

import errno
import itertools
import json
import os
import re
import shutil
import tempfile
import zlib
from typing import Any, Iterator, Optional

import reverb
import tensorflow as tf
from reverb.cc import schema_pb2
from reverb.cc.checkpointing import checkpoint_pb2
from reverb.platform.default import checkpointers

from infonodes.replay import faults
from infonodes.replay.faults import ReplayFault

STATE = "replay.json"
# How Reverb names its checkpoints: by the time.
_REVERBS = re.compile(r"\d{4}-\d\d-\d\dT.*")


class TableFiles:
    """A folder for Reverb's checkpointer alone.

    Reverb deletes whatever else lies in its folder, follows links there, may delete what it has
    just written, and loads a damaged checkpoint as an empty table. So the folder is checked to
    hold nothing else, and each checkpoint is moved out of it as soon as it is written.

    Attributes:
      folder: The real path.
      checkpointer: For `reverb.Server`.
    """

    def __init__(self, folder: Optional[str] = None):
        """Makes the folder if there is none.

        Args:
          folder: For Reverb alone; what Reverb left there is removed. None makes a temporary one.

        Raises:
          ReplayFault: if it is a link, or holds anything that is not Reverb's.
        """
        self._is_temporary = folder is None
        if folder is None:
            folder = tempfile.mkdtemp(prefix="infonodes-replay-")
        if os.path.islink(folder):
            raise ReplayFault(f"checkpoint_dir {folder!r}: it is a link; pass the folder itself")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.folder = os.path.realpath(folder)
        self._refuse_others()
        empty(self.folder)
        self.checkpointer = checkpointers.DefaultCheckpointer(path=self.folder)

    def write(self, client: reverb.Client, seconds: float, into: str) -> dict[str, int]:
        """Has the server of `client` write a checkpoint, and moves it into the folder `into`.

        Returns:
          The items by table that it holds.

        Raises:
          OSError: if the disk does not take it; nothing of it stays in Reverb's folder.
          ReplayTimeout: if it takes longer than `seconds`.
          ReplayFault: if it is not there.
        """
        path, sizes = write(client, seconds, self.folder)
        if not os.path.isfile(os.path.join(path, "DONE")) or os.path.dirname(os.path.realpath(path)) != self.folder:
            raise ReplayFault(f"Reverb said it wrote {path!r}: expected a whole checkpoint in {self.folder!r}")
        try:
            shutil.move(path, os.path.join(into, os.path.basename(path)))
        except OSError:
            empty(self.folder)
            raise
        return sizes

    def give(self, source: str) -> None:
        """Copies the one checkpoint in `source` to where a new server will find it.

        Raises:
          ReplayFault: if there is not exactly one whole checkpoint.
        """
        found = [name for name in sorted(os.listdir(source)) if _REVERBS.fullmatch(name)]
        if len(found) != 1 or not os.path.isfile(os.path.join(source, found[0], "DONE")):
            raise ReplayFault(f"{source!r}: expected one whole checkpoint of Reverb's, got {found}")
        self._refuse_others()
        empty(self.folder)
        shutil.copytree(os.path.join(source, found[0]), os.path.join(self.folder, found[0]))

    def close(self) -> None:
        """Removes a temporary folder."""
        if self._is_temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _refuse_others(self) -> None:
        others = [
            name for name in sorted(os.listdir(self.folder))
            if os.path.islink(os.path.join(self.folder, name)) or not _REVERBS.fullmatch(name)
        ]
        if others:
            raise ReplayFault(
                f"checkpoint_dir {self.folder!r}: it holds {others}, which Reverb would delete; give it a folder alone"
            )


def write(client: reverb.Client, seconds: float, folder: str) -> tuple[str, dict[str, int]]:
    """Has the server of `client` write a checkpoint below its `folder`.

    Returns:
      Where it is, and the items by table that it holds.

    Raises:
      OSError: if the disk does not take it; `folder` is empty then.
      ReplayTimeout: if it takes longer than `seconds`.
    """
    try:
        path = faults.within(seconds, client.checkpoint, client.server_address, "writing a checkpoint")
        return path, _sizes(path)
    except ReplayFault:
        raise
    except (IndexError, RuntimeError, tf.errors.OpError) as error:  # What Reverb and TensorFlow make of the disk's own.
        empty(folder)
        told = f"Reverb could not write its checkpoint ({error}); is the disk full?"
        raise OSError(errno.EIO, told, folder) from error


def empty(folder: str) -> None:
    """Removes the folders in `folder`."""
    for name in os.listdir(folder):
        shutil.rmtree(os.path.join(folder, name))


def write_state(folder: str, state: dict[str, Any]) -> None:
    """Writes what Reverb's checkpoint does not hold."""
    with open(os.path.join(folder, STATE), "w", encoding="utf-8") as file:
        json.dump(state, file)


def read_state(folder: str) -> dict[str, Any]:
    """Returns what `write_state` wrote.

    Raises:
      ReplayFault: if it is not there or no JSON.
    """
    try:
        with open(os.path.join(folder, STATE), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        raise ReplayFault(f"{folder!r}: no state of a replay ({error})") from error


def _sizes(folder: str) -> dict[str, int]:
    """Returns the items by table in Reverb's checkpoint `folder`, whose layout is its own.

    All of it is read: what the disk refuses at a file's end, Reverb does not notice.

    Raises:
      tf.errors.DataLossError: if a file is cut off, or its items lack their chunks.
    """
    tables = [checkpoint_pb2.PriorityTableCheckpoint.FromString(r) for r in _records(folder, "tables.tfrecord")]
    found = dict.fromkeys(sorted(table.table_name for table in tables), 0)
    for record in _records(folder, "items.tfrecord") if found else ():
        found[schema_pb2.PrioritizedItem.FromString(record).table] += 1
    chunks = sum(1 for _ in _records(folder, "chunks.tfrecord"))
    if not found or bool(chunks) != any(found.values()):
        raise tf.errors.DataLossError(None, None, f"{folder}: items {found} of {chunks} chunks")
    return found


def _records(folder: str, name: str) -> Iterator[bytes]:
    """Returns a file's records, read a thousand at a time: each tensor leaks, see `eager_leak`."""
    path = os.path.join(folder, name)
    _refuse_cut_off(path)
    batches = tf.data.TFRecordDataset(path, "ZLIB").batch(1000)
    return itertools.chain.from_iterable(batches.as_numpy_iterator())


def _refuse_cut_off(path: str) -> None:
    """Raises a DataLossError if a compressed file has no end, which TensorFlow takes for one after a whole record."""
    stream = zlib.decompressobj()
    try:
        with open(path, "rb") as file:
            while part := file.read(1 << 16):
                stream.decompress(part)
    except zlib.error as error:
        raise tf.errors.DataLossError(None, None, f"{path}: {error}") from error
    if not stream.eof or stream.unused_data:
        raise tf.errors.DataLossError(None, None, f"{path}: it is cut off")
