"""Files that a run appends to, cut back to where they were at a checkpoint."""
from __future__ import annotations

import os
import stat
from typing import Any, Callable, Sequence

from infonodes.checkpoints.faults import CheckpointFault


class GrowingFiles:
    """Files that only grow: a checkpoint holds their sizes, not their content.

    Lines written after the checkpoint are cut off when the run goes on from it, as it will
    write them again: no gap, no line twice, no torn line. Files that the checkpoint does not know
    are removed.
    """

    def __init__(
        self,
        folder: str,
        names: Sequence[str],
        flush: Callable[[], Any],
        close: Callable[[], Any] = lambda: None,
    ):
        """Refers to the files.

        Args:
          folder: Where they are.
          names: Files, or folders of files, in `folder`; they need not exist yet.
          flush: Brings what was written to the operating system; called before sizes are
            taken, which are then brought to the disk.
          close: Closes those that are open for writing; called before they are cut.
        """
        self._folder, self._names = os.path.realpath(folder), tuple(names)
        self._flush, self._close = flush, close

    def get_state(self) -> dict[str, int]:
        """Returns the size of each file in bytes."""
        self._flush()
        sizes = {}
        for name in self._found():
            descriptor = os.open(os.path.join(self._folder, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
                sizes[name] = os.fstat(descriptor).st_size
            finally:
                os.close(descriptor)
        return sizes

    def set_state(self, state: dict[str, int]) -> None:
        """Cuts the files back.

        Raises:
          CheckpointFault: if one is gone or shorter than it was: its lines cannot be made up for.
        """
        self._close()
        found = self._found()
        for name, size in state.items():
            path = os.path.join(self._folder, name)
            has = os.path.getsize(path) if name in found else 0
            if has < size:
                raise CheckpointFault(
                    f"{path}: {has} bytes, but {size} when the checkpoint was written; put the file back"
                )
        for name in found:
            path = os.path.join(self._folder, name)
            if name in state:
                os.truncate(path, state[name])
            else:
                os.remove(path)

    def _found(self) -> list[str]:
        """Returns the plain files that there are; links are left alone."""
        found = []
        for name in self._names:
            path = os.path.join(self._folder, name)
            inner = [path]
            if os.path.isdir(path) and not os.path.islink(path):
                inner = [os.path.join(root, file) for root, _, files in os.walk(path) for file in files]
            found += [
                os.path.relpath(p, self._folder) for p in inner
                if os.path.lexists(p) and stat.S_ISREG(os.lstat(p).st_mode)
            ]
        return sorted(found)
