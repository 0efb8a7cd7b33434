"""find_in_image: which mark is stamped on the lamp of the colour asked for?"""
from __future__ import annotations

from typing import Optional

import numpy as np
from tf_agents.specs import array_spec

from infonodes.environments.reading.task import Puzzle, ReadingTask

_SIDE, _HALF = 7, 3
_ROWS, _COLUMNS = np.indices([_SIDE, _SIDE])
# Marks of 7 by 7 pixels: bars across, bars down, a chequer, and all bright.
MARKS = np.stack(
    [_ROWS % 2 == 0, _COLUMNS % 2 == 0, (_ROWS + _COLUMNS) % 2 == 0, np.ones([_SIDE, _SIDE], bool)]
).astype(np.float32)


class FindInImage(ReadingTask):
    """Three lamps, red, green and blue, each with a mark; each lights its colour's channel.

    A channel's brightness falls with the distance from its lamp, so that in any window the
    slope of the channel asked for points to its lamp. On the lamp a mark of 7 by 7
    pixels is stamped: pixels of the mark at full brightness of that channel, the rest of
    its square dark. Lamps stand at least 12 pixels apart. Pixels carry noise.

    Question: which colour; answer: which of 4 marks. Best share right: 1.
    """

    name = "find_in_image"

    def __init__(
        self,
        size: int = 48,
        ticks: int = 20,
        noise: float = 0.01,
        rows: Optional[int] = None,
        seed: Optional[int] = None,
    ):
        """Builds the task.

        Args:
          size: Height and width in pixels.
          ticks: Moves in an episode.
          noise: Standard deviation of a pixel's noise; the brightest is 1.
          rows: As for every reading task.
          seed: As for every reading task.

        Raises:
          ValueError: if the image is too small for its lamps, or another size is too small.
        """
        if size < 30:
            raise ValueError(f"find_in_image: size={size}, expected at least 30 pixels, for three lamps apart")
        self._size, self._noise = size, noise
        spec = array_spec.BoundedArraySpec([size, size, 3], np.uint8, 0, 255, "data")
        super().__init__(spec, 3, len(MARKS), ticks, rows, seed)

    def draw(self, rng: np.random.Generator) -> Puzzle:
        lamps = self._lamps(rng)
        marks = rng.integers(self.answers, size=3)
        along = np.arange(self._size)
        away = np.hypot(along[None, :, None] - lamps[:, 0, None, None], along[None, None, :] - lamps[:, 1, None, None])
        image = 0.8 - 0.75 * away / (np.sqrt(2.0) * self._size)  # [3, H, W], from 0.05 to 0.8
        image += self._noise * rng.standard_normal(image.shape)
        for channel, ((y, x), mark) in enumerate(zip(lamps, marks)):
            image[channel, y - _HALF : y + _HALF + 1, x - _HALF : x + _HALF + 1] = MARKS[mark]
        pixels = np.clip(np.round(image.transpose(1, 2, 0) * 255.0), 0, 255).astype(np.uint8)
        question = int(rng.integers(self.questions))
        y, x = lamps[question]
        return Puzzle(pixels, question, int(marks[question]), (float(y), float(x)))

    def _lamps(self, rng: np.random.Generator) -> np.ndarray:
        """Returns three places well inside and 12 or more apart, `[3, 2]`."""
        while True:
            lamps = rng.integers(_HALF, self._size - _HALF, size=(3, 2))
            gaps = [np.hypot(*(lamps[i] - lamps[j])) for i in range(3) for j in range(i)]
            if min(gaps) >= 12:
                return lamps
