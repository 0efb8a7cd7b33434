"""Reading tasks: a window over a large text, image or sound, and a question about it.

| name | data | question | answer |
| --- | --- | --- | --- |
| `read_text` | 240 symbols | one of 4 chapters | one of 4 digits |
| `find_in_image` | 48 by 48 pixels, 3 colours | one of 3 colours | one of 4 marks |
| `hear_tone` | 2048 samples, stereo | one of 2 voices | one of 4 pitches |
"""
from __future__ import annotations

from typing import Any

from infonodes.environments.reading.find_in_image import FindInImage
from infonodes.environments.reading.hear_tone import HearTone
from infonodes.environments.reading.read_text import ReadText
from infonodes.environments.reading.task import Puzzle, ReadingTask

_TASKS: dict[str, type[ReadingTask]] = {"read_text": ReadText, "find_in_image": FindInImage, "hear_tone": HearTone}
NAMES = tuple(_TASKS)


def load(name: str, **kwargs: Any) -> ReadingTask:
    """Returns the reading task `name`.

    Args:
      name: One of `NAMES`.
      **kwargs: Its constructor's arguments; all take `rows` and `seed`.

    Raises:
      ValueError: listing the names, for an unknown one.
    """
    if name not in _TASKS:
        raise ValueError(f"reading task {name!r}: expected one of {NAMES}")
    return _TASKS[name](**kwargs)


__all__ = ["NAMES", "FindInImage", "HearTone", "Puzzle", "ReadText", "ReadingTask", "load"]
