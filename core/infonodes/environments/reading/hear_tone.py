"""hear_tone: which pitch has the tone of the voice asked for?"""
from __future__ import annotations

from typing import Optional

import numpy as np
from tf_agents.specs import array_spec

from infonodes.environments.reading.task import Puzzle, ReadingTask

# Cycles in a period: the voices' hums, and the pitches of tones. All are whole numbers of cycles
# in a window of `period` samples.
HUMS = (4, 8)
PITCHES = (14, 20, 26, 32)


class HearTone(ReadingTask):
    """A stereo sound of two voices that hum throughout; each sounds a tone once.

    A voice's hum is louder on the right while its tone is still to come and on the left
    once it is past, balanced around the tone, where it swells; so a window tells which
    way the tone of the voice asked for lies. The tone lasts for 1/8 of the sound and has one of 4 pitches. The two
    tones do not overlap. Samples carry noise.

    Question: which voice, low or high hum; answer: which pitch. Best share right: 1.

    Attributes:
      period: Samples in which the hums and tones make `HUMS` and `PITCHES` cycles.
    """

    name = "hear_tone"

    def __init__(
        self,
        samples: int = 2048,
        period: int = 96,
        ticks: int = 20,
        noise: float = 0.05,
        rows: Optional[int] = None,
        seed: Optional[int] = None,
    ):
        """Builds the task.

        Args:
          samples: In the sound.
          period: Samples in which a frequency of k makes k cycles, more than twice the
            highest pitch; a window of as many samples hears each on a frequency of its own.
          ticks: Moves in an episode.
          noise: Standard deviation of a sample's noise; a tone has amplitude 0.4.
          rows: As for every reading task.
          seed: As for every reading task.

        Raises:
          ValueError: if pitches could not be told apart, or a size is too small.
        """
        if period <= 2 * PITCHES[-1] or samples < 8 * period:
            raise ValueError(
                f"hear_tone: samples={samples}, period={period}: expected a period above {2 * PITCHES[-1]}, and at "
                "least 8 of them"
            )
        self.period, self._samples, self._noise = period, samples, noise
        spec = array_spec.BoundedArraySpec([samples, 2], np.float32, -1.0, 1.0, "data")
        super().__init__(spec, len(HUMS), len(PITCHES), ticks, rows, seed)

    def draw(self, rng: np.random.Generator) -> Puzzle:
        time, length = np.arange(self._samples), self._samples // 8
        middles = self._middles(rng, length)
        pitches = rng.integers(self.answers, size=self.questions)
        turn = lambda cycles: np.sin(2.0 * np.pi * (cycles * time / self.period + rng.random()))
        sound = self._noise * rng.standard_normal([self._samples, 2])
        for hum, middle, pitch in zip(HUMS, middles, pitches):
            away = (time - middle) / length
            pan = np.tanh(2.0 * away)  # -1 right, 1 left
            swell = 0.1 + 0.1 * np.exp(-0.5 * (2.0 * away) ** 2)
            sound += (swell * turn(hum))[:, None] * np.stack([1.0 + pan, 1.0 - pan], axis=1)
            envelope = 0.4 * np.exp(-0.5 * (4.0 * away) ** 2) * (np.abs(away) < 0.5)
            sound += (envelope * turn(PITCHES[pitch]))[:, None]
        question = int(rng.integers(self.questions))
        data = np.clip(sound, -1.0, 1.0).astype(np.float32)
        return Puzzle(data, question, int(pitches[question]), (float(middles[question]),))

    def _middles(self, rng: np.random.Generator, length: int) -> np.ndarray:
        """Returns where the tones are loudest, 1.5 lengths or more apart, `[2]`."""
        while True:
            middles = rng.integers(length // 2, self._samples - length // 2, size=self.questions)
            if abs(int(middles[0]) - int(middles[1])) >= 1.5 * length:
                return middles
