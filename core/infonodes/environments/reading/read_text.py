"""read_text: which digit stands in the chapter asked for?"""
from __future__ import annotations

from typing import Optional

import numpy as np
from tf_agents.specs import array_spec

from infonodes.environments.reading.task import Puzzle, ReadingTask


class ReadText(ReadingTask):
    """A book of chapters in alphabetical order, one digit in each.

    ```
    aaa>aa>>a3a<a<aa|bb>b1bb<b<bbbb|ccc>>>c0c…        question: b     answer: 1
    ```

    A chapter's body is its letter; somewhere in it stands a digit, and a share of the other
    places holds an arrow towards it. So a window tells which way the chapter asked for lies
    (compare letters), and within it which way the digit does (follow the arrow). Chapters'
    lengths, the digits and their places are drawn.

    Symbols: `questions` letters, `<`, `>`, `answers` digits, in this order. Best share right: 1.

    Attributes:
      vocabulary: How many symbols there are.
    """

    name = "read_text"

    def __init__(
        self,
        length: int = 240,
        questions: int = 4,
        answers: int = 4,
        ticks: int = 20,
        arrows: float = 0.35,
        rows: Optional[int] = None,
        seed: Optional[int] = None,
    ):
        """Builds the task.

        Args:
          length: Symbols in the book.
          questions: Chapters.
          answers: Digits there are.
          ticks: Moves in an episode.
          arrows: Share of a chapter's places that hold an arrow, in [0, 1).
          rows: As for every reading task.
          seed: As for every reading task.

        Raises:
          ValueError: if the chapters would be too short, or a size is too small.
        """
        self._shortest = length // (2 * max(questions, 1))
        if self._shortest < 3:
            raise ValueError(f"read_text: length={length}, expected at least 6 symbols a chapter, of {questions}")
        if not 0.0 <= arrows < 1.0:
            raise ValueError(f"read_text: arrows={arrows}, expected a share in [0, 1)")
        self._length, self._arrows = length, arrows
        self.vocabulary = questions + 2 + answers
        spec = array_spec.BoundedArraySpec([length], np.int32, 0, self.vocabulary - 1, "data")
        super().__init__(spec, questions, answers, ticks, rows, seed)

    def draw(self, rng: np.random.Generator) -> Puzzle:
        text, question = np.empty(self._length, np.int32), int(rng.integers(self.questions))
        spare = self._length - self.questions * self._shortest
        cuts = np.sort(rng.integers(0, spare + 1, self.questions - 1))
        lengths = self._shortest + np.diff([0, *cuts, spare])
        before, after = self.questions, self.questions + 1  # The symbols < and >.
        begin, answer, place = 0, 0, 0
        for chapter, size in enumerate(lengths):
            digit, at = int(rng.integers(self.answers)), int(rng.integers(size))
            arrows = np.where(np.arange(size) < at, after, before)
            body = np.where(rng.random(size) < self._arrows, arrows, chapter)
            body[at] = self.questions + 2 + digit
            text[begin : begin + size] = body
            if chapter == question:
                answer, place = digit, begin + at
            begin += int(size)
        return Puzzle(text, question, answer, (float(place),))

    def write_out(self, text: np.ndarray) -> str:
        """Returns a text as people read it.

        Args:
          text: Symbols.
        """
        letters = [chr(ord("a") + i) for i in range(self.questions)]
        symbols = [*letters, "<", ">", *map(str, range(self.answers))]
        return "".join(symbols[int(s)] for s in text)
