"""Reverb's own checkpoints of its tables, kept away from everything else."""
from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from typing import Any, Optional

from reverb.platform.default import checkpointers

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
        self._clean()
        self.checkpointer = checkpointers.DefaultCheckpointer(path=self.folder)

    def take(self, path: str, into: str) -> None:
        """Moves the checkpoint that Reverb wrote to `path` into the folder `into`.

        Raises:
          ReplayFault: if it is not there.
        """
        if not os.path.isfile(os.path.join(path, "DONE")) or os.path.dirname(os.path.realpath(path)) != self.folder:
            raise ReplayFault(f"Reverb said it wrote {path!r}: expected a whole checkpoint in {self.folder!r}")
        shutil.move(path, os.path.join(into, os.path.basename(path)))

    def give(self, source: str) -> None:
        """Copies the one checkpoint in `source` to where a new server will find it.

        Raises:
          ReplayFault: if there is not exactly one whole checkpoint.
        """
        found = [name for name in sorted(os.listdir(source)) if _REVERBS.fullmatch(name)]
        if len(found) != 1 or not os.path.isfile(os.path.join(source, found[0], "DONE")):
            raise ReplayFault(f"{source!r}: expected one whole checkpoint of Reverb's, got {found}")
        self._refuse_others()
        self._clean()
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

    def _clean(self) -> None:
        for name in os.listdir(self.folder):
            shutil.rmtree(os.path.join(self.folder, name))


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
