"""A folder of checkpoints, of which the newest sound one counts."""
from __future__ import annotations

import json
import os
import re
import shutil
import time
from typing import Any, Mapping, Optional, Union

import tensorflow as tf
from absl import logging

from infonodes.checkpoints import manifest, nests, variables
from infonodes.checkpoints.faults import CheckpointDamaged, CheckpointFault, CheckpointMismatch
from infonodes.checkpoints.parts import FolderPart, StatePart

_NAME = re.compile(r"checkpoint-(\d{6,})")
_PART, _DAMAGED = "part-", "damaged-"
_VARIABLES, _STATES = "variables", "states"

Part = Union[tf.Module, StatePart, FolderPart]


class Checkpoint:
    """One checkpoint whose files were found to be those of its manifest.

    Attributes:
      path: Its folder.
      step: The step it was written at.
      config: The configuration it was written with.
      unix_s: When, in seconds since 1970.
    """

    def __init__(self, path: str):
        """Verifies the checkpoint at `path`.

        Raises:
          CheckpointDamaged: naming what is wrong.
        """
        content = manifest.read(path)
        self.path = path
        self.step: int = content["step"]
        self.config: dict[str, Any] = content["config"]
        self.unix_s: float = content["unix_s"]
        self._parts: dict[str, str] = content["parts"]

    def check(self, parts: Mapping[str, Part], config: Mapping[str, Any]) -> None:
        """Compares names of parts and configuration.

        Raises:
          CheckpointMismatch: listing those that differ.
        """
        kinds = {name: _kind(name, part) for name, part in parts.items()}
        wrong = [
            f"part {name!r}: saved as {self._parts.get(name)}, now {kinds.get(name)}"
            for name in sorted({*self._parts, *kinds}) if self._parts.get(name) != kinds.get(name)
        ]
        wrong += [
            f"config {name!r}: saved {self.config.get(name, 'nothing')!r}, now {config.get(name, 'nothing')!r}"
            for name in sorted({*self.config, *config})
            if name not in self.config or name not in config or self.config[name] != config[name]
        ]
        if wrong:
            raise CheckpointMismatch(
                f"{self.path}: it is of another run; {'; '.join(wrong)}. Nothing was restored"
            )

    def restore(self, parts: Mapping[str, Part]) -> None:
        """Puts the state back: variables first, then the other parts in order.

        Raises:
          CheckpointMismatch: if the variables differ; nothing was restored then.
          CheckpointFault: if another part refuses; the parts before it were restored.
        """
        states = {
            name: nests.load(os.path.join(self.path, _STATES), name)
            for name, kind in self._parts.items() if kind == "state"
        }
        trackables = {name: part for name, part in parts.items() if self._parts[name] == "variables"}
        if trackables:
            variables.restore(os.path.join(self.path, _VARIABLES), trackables)
        for name, part in parts.items():
            if self._parts[name] == "state":
                part.set_state(states[name])  # type: ignore[union-attr]
            elif self._parts[name] == "folder":
                part.load(os.path.join(self.path, f"part-{name}"))  # type: ignore[union-attr]

    def restore_one(self, name: str, trackable: Any) -> None:
        """Puts back the variables of one part alone, such as the agent's for a look at it.

        Raises:
          CheckpointMismatch: if they do not fit.
        """
        variables.restore_one(os.path.join(self.path, _VARIABLES), name, trackable)


class Checkpoints:
    """Writes and finds the checkpoints of one run in a folder of their own.

    ```
    checkpoints = Checkpoints(folder, {"agent": agent, "replay": replay}, config={"lr": 1e-3})
    found = checkpoints.restore()
    step = found.step if found else 0
    while step < 100_000:
        ...
        if checkpoints.is_due():
            checkpoints.save(step)
    ```

    A checkpoint is written beside the others and renamed when it is whole and on the disk,
    so that a kill at any moment leaves the one before. Its manifest holds the sha256 of each
    file; a checkpoint that does not fit it is set aside with a warning, and the one before it is
    taken. Nothing is pickled: variables are TensorFlow's own format, states are JSON and npz.

    Attributes:
      folder: The real path; nothing else may lie in it.
    """

    def __init__(
        self,
        folder: str,
        parts: Mapping[str, Part],
        config: Optional[Mapping[str, Any]] = None,
        keep: int = 2,
        every_s: float = 60.0,
    ):
        """Makes the folder if there is none, and removes what an interrupted save left.

        Args:
          folder: For checkpoints only.
          parts: What to save, by name, in the order to restore: trackable objects of
            TensorFlow (agents, modules, variables), `StatePart`s and `FolderPart`s.
          config: JSON values that must be the same on restoring.
          keep: How many to keep; 2 or more, as the newest may be found damaged.
          every_s: Seconds from one `is_due` to the next.

        Raises:
          CheckpointFault: if an argument is wrong, or the folder is a link or holds something else.
        """
        if keep < 2 or every_s <= 0:
            raise CheckpointFault(f"Checkpoints: expected keep >= 2 and every_s > 0, got {keep} and {every_s}")
        wrong = [name for name in parts if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)]
        if wrong:
            raise CheckpointFault(f"Checkpoints: parts {wrong}: expected names of letters, digits and _")
        if os.path.islink(folder):
            raise CheckpointFault(f"checkpoints folder {folder!r}: it is a link; pass the folder itself")
        self.folder = os.path.realpath(folder)
        self._parts = dict(parts)
        self._config = json.loads(json.dumps(dict(config or {})))  # Tuples are lists, as they come back.
        self._kinds = {name: _kind(name, part) for name, part in self._parts.items()}
        self._keep, self._every_s = keep, every_s
        self._saved_at = time.monotonic()
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        self._tidy()

    def is_due(self) -> bool:
        """Returns whether `every_s` have passed since the last save, or the beginning."""
        return time.monotonic() - self._saved_at >= self._every_s

    def paths(self) -> list[str]:
        """Returns the folders of the checkpoints that are whole, oldest first; unverified."""
        found = [name for name in os.listdir(self.folder) if _NAME.fullmatch(name)]
        return [os.path.join(self.folder, name) for name in sorted(found, key=_number)]

    def save(self, step: int) -> str:
        """Writes a checkpoint, on the disk when this returns, and removes the oldest ones.

        Args:
          step: Kept with it.

        Returns:
          Its folder.

        Raises:
          CheckpointFault: if it could not be written, as on a full disk; those before stay.
        """
        number = max([_number(os.path.basename(p)) for p in self.paths()], default=0) + 1
        path = os.path.join(self.folder, f"checkpoint-{number:06d}")
        part = os.path.join(self.folder, f"{_PART}{os.path.basename(path)}")
        try:
            self._write(part, step)
            os.rename(part, path)
            manifest.sync(self.folder)
        except (OSError, tf.errors.OpError) as error:
            shutil.rmtree(part, ignore_errors=True)
            last = self.paths()[-1:]
            raise CheckpointFault(
                f"{path}: could not be written at step {step} ({type(error).__name__}: {error}); is the disk "
                f"full? The last good checkpoint is {last[0] if last else 'none'}: free space and go on from it"
            ) from error
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        for old in self.paths()[:-self._keep]:
            _remove(old)
        self._saved_at = time.monotonic()
        return path

    def newest(self) -> Optional[Checkpoint]:
        """Returns the newest sound checkpoint; sets damaged ones aside, with a warning each.

        Returns:
          None if there are none at all.

        Raises:
          CheckpointDamaged: listing what is wrong with each, if none is sound.
        """
        faults = []
        for path in reversed(self.paths()):
            try:
                found = Checkpoint(path)
            except CheckpointDamaged as error:
                faults.append(str(error))
                continue
            for fault in faults:
                logging.warning("a damaged checkpoint was passed over: %s; going on from %s", fault, path)
            self._set_aside(after=path)
            return found
        if faults:
            raise CheckpointDamaged(
                f"{self.folder}: none of {len(faults)} checkpoints is sound: {'; '.join(faults)}. Restore them from "
                "a copy, or start anew in another folder"
            )
        return None

    def restore(self) -> Optional[Checkpoint]:
        """Puts the newest sound checkpoint's state back.

        Returns:
          The checkpoint, or None if there are none at all.

        Raises:
          CheckpointDamaged: if there are some and none is sound.
          CheckpointMismatch: if it is of another run, listing what differs.
        """
        found = self.newest()
        if found is not None:
            found.check(self._parts, self._config)
            found.restore(self._parts)
        return found

    def _write(self, folder: str, step: int) -> None:
        os.mkdir(folder, 0o700)
        trackables = {name: p for name, p in self._parts.items() if self._kinds[name] == "variables"}
        if trackables:
            os.mkdir(os.path.join(folder, _VARIABLES))
            variables.save(os.path.join(folder, _VARIABLES), trackables)
        states = os.path.join(folder, _STATES)
        os.mkdir(states)
        for name, part in self._parts.items():
            if self._kinds[name] == "state":
                nests.save(states, name, part.get_state())  # type: ignore[union-attr]
            elif self._kinds[name] == "folder":
                own = os.path.join(folder, f"part-{name}")
                os.mkdir(own)
                part.save(own)  # type: ignore[union-attr]
        manifest.write(
            folder, {"step": int(step), "config": self._config, "unix_s": time.time(), "parts": self._kinds}
        )

    def _tidy(self) -> None:
        foreign = [
            name for name in sorted(os.listdir(self.folder))
            if os.path.islink(os.path.join(self.folder, name)) or not _NAME.fullmatch(_bare(name))
        ]
        if foreign:
            raise CheckpointFault(
                f"checkpoints folder {self.folder!r}: it holds {foreign}, which are no checkpoints; move them"
            )
        for name in os.listdir(self.folder):
            if name.startswith(_PART):
                shutil.rmtree(os.path.join(self.folder, name))

    def _set_aside(self, after: str) -> None:
        """Renames those newer than `after`, so that they do not count among those kept."""
        paths = self.paths()
        for path in paths[paths.index(after) + 1:]:
            aside = os.path.join(self.folder, _DAMAGED + os.path.basename(path))
            shutil.rmtree(aside, ignore_errors=True)
            os.rename(path, aside)


def _kind(name: str, part: Any) -> str:
    # A module whose state is more than its variables has methods of its own to save it.
    if isinstance(part, FolderPart):
        return "folder"
    if isinstance(part, StatePart):
        return "state"
    if isinstance(part, tf.__internal__.tracking.Trackable):
        return "variables"
    raise CheckpointFault(
        f"Checkpoints: part {name!r}: expected a trackable object of TensorFlow, or one with get_state and "
        f"set_state, or with save and load; got {type(part).__name__}"
    )


def _bare(name: str) -> str:
    for start in (_PART, _DAMAGED):
        if name.startswith(start):
            return name[len(start):]
    return name


def _number(name: str) -> int:
    match = _NAME.fullmatch(name)
    assert match is not None
    return int(match[1])


def _remove(path: str) -> None:
    """Removes a checkpoint, under a name that does not count as one: it may be killed half-way."""
    doomed = os.path.join(os.path.dirname(path), _PART + os.path.basename(path))
    os.rename(path, doomed)
    shutil.rmtree(doomed)
