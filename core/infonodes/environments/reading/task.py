"""What the reading tasks share: one text, image or sound an episode, and a question about it."""
from __future__ import annotations

import abc
from typing import NamedTuple, Optional, Sequence

import numpy as np
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts


class Puzzle(NamedTuple):
    """One episode's task.

    Attributes:
      data: What can be looked through, of the data spec.
      question: Which of the hidden answers is asked for.
      answer: The right one.
      place: Where it stands in the data, a number an axis.
    """

    data: np.ndarray
    question: int
    answer: int
    place: tuple[float, ...]


class ReadingTask(py_environment.PyEnvironment, abc.ABC):
    """Data too large for a window, and a question whose answer stands somewhere in them.

    The whole data are in each observation; it is the agent's workspace that sees a window only,
    and the agent that moves it. At each tick the environment takes an answer, or silence; after
    `ticks` ticks the bell rings, and **the answer given at the bell is the answer**.

    ```
    observation  {'data': the same all episode, 'question': int32 []}
    action       int32 []: 0 is silent, 1 + k gives answer k
    reward       at each tick: 1 for the right answer, -1 for a wrong one, 0 for silence
    end          after `ticks` moves, cut off (discount 1): the tasks have no terminal state
    ```

    Silence pays more than a guess among more than two, so that an agent that knows nothing earns
    nothing, and what it earns tells that it knows. Each of `questions` has an answer of its own
    in the data, drawn independently, so that the question must be heeded; and whatever stands at
    a place gives a clue to where the answer asked for is, so that it can be found without
    looking at everything.

    With `rows` the environment is a batch of episodes that start and end together.

    Attributes:
      questions: How many questions there are.
      answers: How many answers; a guess is right with a chance of 1 / answers.
      ticks: Moves in an episode.
      puzzles: The current episode's, one a row.
    """

    name = "reading"

    def __init__(
        self,
        data_spec: array_spec.ArraySpec,
        questions: int,
        answers: int,
        ticks: int,
        rows: Optional[int] = None,
        seed: Optional[int] = None,
    ):
        """Builds the shared part.

        Args:
          data_spec: Of one row's data.
          questions: How many questions there are.
          answers: How many answers, at least 2.
          ticks: Moves in an episode.
          rows: Episodes at a time; None has no batch dimension.
          seed: Fixes all that is drawn; None draws one.

        Raises:
          ValueError: naming the task and the size that is too small.
        """
        least = {"questions": (questions, 1), "answers": (answers, 2), "ticks": (ticks, 1), "rows": (rows or 1, 1)}
        for what, (size, low) in least.items():
            if size < low:
                raise ValueError(f"{self.name}: {what}={size}, expected at least {low}")
        super().__init__(handle_auto_reset=True)
        self.questions, self.answers, self.ticks = questions, answers, ticks
        self._rows = rows
        self._specs = {
            "data": data_spec,
            "question": array_spec.BoundedArraySpec([], np.int32, 0, questions - 1, "question"),
        }
        self._rng = np.random.default_rng(seed)
        self.puzzles: list[Puzzle] = []
        self._tick = 0

    @property
    def batched(self) -> bool:
        """Whether there is a batch dimension."""
        return self._rows is not None

    @property
    def batch_size(self) -> Optional[int]:
        """Episodes at a time, or None."""
        return self._rows

    def observation_spec(self) -> dict[str, array_spec.ArraySpec]:
        """Returns the specs of one row's observation."""
        return self._specs

    def action_spec(self) -> array_spec.BoundedArraySpec:
        """Returns the spec of one row's answer."""
        return array_spec.BoundedArraySpec([], np.int32, 0, self.answers, "answer")

    def seed(self, seed: int) -> int:
        """Starts the random draws anew from `seed`; call `reset` next."""
        self._rng = np.random.default_rng(seed)
        return seed

    def optimal_return(self, start: Sequence[float], max_speed: float, reach: float) -> float:
        """Returns a bound on the mean return of readers that must have the answer's middle in sight.

        No reader does better who is silent until the answer's place is within reach of the
        cursor, and goes there straight, along all axes at once; one who knew the way would reach it.
        What says the answer may be wider than its place: a tone is heard, and a mark seen, before its
        middle is in the window, so that a reader may exceed the bound by a little.

        Args:
          start: Where the cursor starts, a number an axis.
          max_speed: Places a tick.
          reach: How near the cursor must be to see the answer's middle, in places along each axis.
        """
        found = []
        for puzzle in self.puzzles:
            away = float(np.max(np.abs(np.subtract(puzzle.place, start))))
            late = min(self.ticks, int(np.ceil(max(0.0, away - reach) / max_speed)))
            found.append(self.ticks - late)
        return float(np.mean(found))

    @abc.abstractmethod
    def draw(self, rng: np.random.Generator) -> Puzzle:
        """Returns a new puzzle."""

    def _reset(self) -> ts.TimeStep:
        self._tick = 0
        self.puzzles = [self.draw(self._rng) for _ in range(self._rows or 1)]
        seen = {
            "data": np.stack([p.data for p in self.puzzles]),
            "question": np.array([p.question for p in self.puzzles], np.int32),
        }
        self._right = np.array([1 + p.answer for p in self.puzzles])
        self._seen = seen if self.batched else {k: v[0] for k, v in seen.items()}
        return ts.restart(self._seen, batch_size=self._rows)

    def _step(self, action: np.ndarray) -> ts.TimeStep:
        self._tick += 1
        right = np.equal(action, self._right if self.batched else self._right[0])
        reward = np.where(right, 1.0, np.where(np.equal(action, 0), 0.0, -1.0)).astype(np.float32)
        shape = () if self._rows is None else (self._rows,)
        kind = ts.StepType.LAST if self._tick == self.ticks else ts.StepType.MID
        return ts.TimeStep(
            np.full(shape, kind, np.int32), reward, np.ones(shape, np.float32), dict(self._seen)
        )
