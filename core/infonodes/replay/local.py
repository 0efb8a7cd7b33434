"""A replay in this process's memory, whose every draw can be repeated."""
from __future__ import annotations

from typing import Any, NamedTuple, Optional

import gin
import numpy as np
from tf_agents.trajectories import trajectory as trajectory_lib

from infonodes.replay import priorities
from infonodes.replay.faults import ReplayFault
from infonodes.replay.frame_ring import FrameRing
from infonodes.replay.frames import Explain, FrameCheck
from infonodes.replay.local_writer import LocalClient
from infonodes.replay.observer import ReplayObserver
from infonodes.replay.windows import WindowWriter
from infonodes.types import IMPORTANCE_WEIGHT, Spec
from infonodes.wire import Wire

# Of all observers together.
_MOST_ENVIRONMENTS = 64

DRAWS = ("by_cost", "uniform", "in_order")


class LocalInfo(NamedTuple):
    """What is known of sampled windows, as `reverb.SampleInfo` has it.

    Attributes:
      key: int64 `[B]`, number of the window since the beginning.
      probability: float64 `[B]`, P of each when it was drawn.
      table_size: int64 `[B]`, windows in the replay.
      priority: float64 `[B]`, cost^exponent of each, clamped.
    """

    key: np.ndarray
    probability: np.ndarray
    table_size: np.ndarray
    priority: np.ndarray


@gin.configurable(module="infonodes")
class LocalReplay:
    """Windows in numpy arrays, drawn by cost, uniformly or in order, without a server.

    The same windows, mixture and importance weights as `CostPrioritizedReplay` (`by_cost`), and the same
    queue as `FifoReplay` (`in_order`), but for one process: the generator is its own, nothing is
    drawn ahead, and `get_state` holds all of it, so that a run goes on bit by bit. A draw by cost
    takes time in proportion to the windows stored, about 1 ms for 100,000.

    Attributes:
      data_spec: Trajectory of specs of one frame.
      sequence_length: Frames in a window.
      draws: One of `DRAWS`.
    """

    def __init__(
        self,
        data_spec: Spec,
        sequence_length: int,
        max_size: int = 100_000,
        draws: str = "by_cost",
        exponent: float = 0.6,
        uniform_fraction: float = 0.5,
        beta: float = 0.4,
        stride: int = 1,
        pad: bool = True,
        seed: int = 0,
    ):
        """Builds an empty replay.

        Args:
          data_spec: The agent's `collect_data_spec`; to draw by cost, with a scalar `policy_info['cost']`.
          sequence_length: L, frames in a window.
          max_size: Windows kept. The oldest go first; in order, a full queue is an error. Fewer are kept
            with `pad=False` where most episodes are shorter than a window.
          draws: `by_cost`, `uniform`, or `in_order`: each window once, in the order written.
          exponent: How strongly cost counts, from 0.
          uniform_fraction: Share of samples drawn uniformly, in `[0, 1]`.
          beta: Exponent of the importance weights, in `[0, 1]`.
          stride: Frames from one window's start to the next one's.
          pad: Whether windows start up to an episode's last move, see `WindowWriter`.
          seed: Of the draws.

        Raises:
          ReplayFault: if an option is out of range, or the spec has no cost to draw by.
        """
        if draws not in DRAWS:
            raise ReplayFault(f"LocalReplay: draws: expected one of {DRAWS}, got {draws!r}")
        priorities.check_options("LocalReplay", exponent, uniform_fraction, beta)
        if sequence_length < 1 or stride < 1 or max_size < 1:
            raise ReplayFault(
                f"LocalReplay: expected sequence_length, stride and max_size of 1 or more, got "
                f"{sequence_length}, {stride} and {max_size}"
            )
        self._wire = Wire(data_spec)
        if draws == "by_cost" and "policy_info/cost" not in self._wire.paths:
            raise ReplayFault(
                f"LocalReplay: data_spec.policy_info: expected a 'cost' to draw by, got leaves {self._wire.paths}; use "
                "draws='uniform', or an agent's collect_data_spec whose policy puts it there"
            )
        self.data_spec, self.sequence_length, self.draws = data_spec, sequence_length, draws
        self._exponent, self._uniform_fraction, self._beta = exponent, uniform_fraction, beta
        self._stride, self._pad, self._max_size = stride, pad, max_size
        self._rng = np.random.default_rng(seed)
        # An episode of one move has two frames and one window. While a window is open, every
        # environment may add its length of frames; windows may so end in another order than they began.
        self._slack = _MOST_ENVIRONMENTS * (sequence_length + 1)
        self._ring = FrameRing(self._wire.size, (stride + 1) * max_size + 2 * self._slack)
        self._windows = np.zeros([max_size, sequence_length], np.int64)
        self._raised = np.ones([max_size], np.float64)
        self._first, self._next = 0, 0  # Windows first … next - 1 are stored, at their number modulo max_size.
        self._observers: list[ReplayObserver] = []

    # -- what users call -------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Windows stored now."""
        return self._next - self._first

    def observer(self, batch_size: Optional[int] = None, explain: Optional[Explain] = None) -> ReplayObserver:
        """Returns an observer for one driver or actor.

        Args:
          batch_size: As for `CostPrioritizedReplay`.
          explain: The same.

        Raises:
          ReplayFault: for more than 64 environments in all.
        """
        observer = ReplayObserver(FrameCheck(self.data_spec, explain), self._make_writer, batch_size)
        total = observer.batch_size + sum(o.batch_size for o in self._observers)
        if total > _MOST_ENVIRONMENTS:
            raise ReplayFault(f"LocalReplay: {total} environments, expected at most {_MOST_ENVIRONMENTS}; use Reverb's")
        self._observers.append(observer)
        return observer

    def sample(self, batch_size: int) -> tuple[trajectory_lib.Trajectory, LocalInfo]:
        """Draws windows, with replacement; in order, takes the next ones.

        Args:
          batch_size: B.

        Returns:
          A Trajectory of numpy leaves `[B, L, ...]`, by cost with
          `policy_info['importance_weight']` float32 `[B, L]`; and what is known of the windows.

        Raises:
          ReplayFault: if there are no windows, or in order fewer than `batch_size`.
        """
        if self.size < (batch_size if self.draws == "in_order" else 1):
            raise ReplayFault(f"LocalReplay: {batch_size} windows asked for, {self.size} stored; collect more first")
        keys, probability = self._draw(batch_size)
        slots = keys % self._max_size
        trajectory = self._wire.form(self._wire.decode_arrays(self._ring.take(self._windows[slots])))
        sizes = np.full(batch_size, self.size, np.int64)
        info = LocalInfo(keys, probability, sizes, self._raised[slots])
        if self.draws == "in_order":
            self._first += batch_size
        if self.draws != "by_cost":
            return trajectory, info
        weight = priorities.importance_weights(probability, sizes, self._beta).astype(np.float32)
        weight = np.tile(weight[:, None], [1, self.sequence_length])
        policy_info = {**trajectory.policy_info, IMPORTANCE_WEIGHT: weight}
        return trajectory._replace(policy_info=policy_info), info

    def update_priorities(self, info: LocalInfo, costs: Any) -> None:
        """Gives sampled windows the priorities of their new costs; those gone since are skipped.

        Args:
          info: Of the sampled batch.
          costs: `[B]`; NaN gets the highest priority.
        """
        raised = priorities.powered(np.asarray(costs), self._exponent)
        stored = info.key >= self._first
        self._raised[info.key[stored] % self._max_size] = raised[stored]

    def clear(self) -> None:
        """Removes every window."""
        self._first = self._next

    def check(self) -> None:
        """Does nothing: there is no server to be lost."""

    def wait_for(self, n: int, timeout_s: float = 60.0) -> None:
        """Raises ReplayFault unless there are `n` windows: nobody else could write them."""
        del timeout_s
        if self.size < n:
            raise ReplayFault(f"LocalReplay: expected {n} windows, got {self.size}; collect more first")

    def close(self) -> None:
        """Closes the observers."""
        for observer in self._observers:
            observer.close()

    # -- checkpoints -------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Returns contents, costs, the generator and the open episodes of the observers."""
        keys = np.arange(self._first, self._next)
        slots = keys % self._max_size
        oldest = self._windows[slots].min() if self.size else self._ring.count
        open_frames = [observer.oldest_frame for observer in self._observers]
        oldest = min([int(oldest), *(frame for frame in open_frames if frame is not None)])
        return {
            "leaves": self._wire.contents,
            "limits": [self._max_size, self.sequence_length, self._stride, self.draws],
            "rng": self._rng.bit_generator.state,
            "first": self._first,
            "next": self._next,
            "windows": self._windows[slots],
            "raised": self._raised[slots],
            "frames": self._ring.get_state(oldest),
            "observers": [observer.get_state() for observer in self._observers],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Puts all of it back, into a replay with the same options and as many observers.

        Raises:
          ReplayFault: naming what differs.
        """
        limits = [self._max_size, self.sequence_length, self._stride, self.draws]
        for what, saved, now in (
            ("leaves", state["leaves"], self._wire.contents),
            ("[max_size, sequence_length, stride, draws]", state["limits"], limits),
            ("observers", len(state["observers"]), len(self._observers)),
        ):
            if saved != now:
                raise ReplayFault(f"LocalReplay: {what}: saved {saved}, now {now}; build it as it was")
        self._ring.set_state(state["frames"])
        self._first, self._next = state["first"], state["next"]
        slots = np.arange(self._first, self._next) % self._max_size
        self._windows[slots], self._raised[slots] = state["windows"], state["raised"]
        self._rng.bit_generator.state = state["rng"]
        for observer, saved in zip(self._observers, state["observers"]):
            observer.set_state(saved)

    # -- private -----------------------------------------------------------------------------

    def _draw(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns keys and their probabilities, `[count]` each."""
        if self.draws == "in_order":
            return np.arange(self._first, self._first + count), np.ones(count)
        if self.draws == "uniform":
            keys = self._rng.integers(self._first, self._next, count)
            return keys, np.full(count, 1.0 / self.size)
        keys = np.arange(self._first, self._next)
        raised = self._raised[keys % self._max_size]
        share = self._uniform_fraction
        probability = share / self.size + (1.0 - share) * raised / raised.sum()
        edges = np.cumsum(probability)
        picked = np.searchsorted(edges, self._rng.random(count) * edges[-1], side="right")
        picked = np.minimum(picked, self.size - 1)
        return keys[picked], probability[picked]

    def _make_writer(self, batch_size: int) -> WindowWriter:
        client: Any = LocalClient(self)
        cost_itself = lambda cost: cost  # Probabilities are worked out when drawing.
        return WindowWriter(
            client, batch_size, "local", self.sequence_length, self._stride, self._pad, cost_itself, 1.0
        )

    def add_frame(self, frame: np.ndarray) -> int:
        """Keeps a frame and returns its number; windows about to lose frames go."""
        number = self._ring.add(frame)
        lost = number - self._ring.capacity + self._slack
        while self.size and self._windows[self._first % self._max_size][0] <= lost:
            self._first += 1  # Its frames are about to be written over.
        return number

    def add_window(self, frames: list[int], cost: float) -> None:
        """Keeps a window of frames, by their numbers, of this mean cost; for `WindowWriter`.

        One that began too long ago, as its environment paused while others went on, is dropped: its first frames may
        be written over before those of windows stored earlier.
        """
        if self._ring.count - frames[0] > self._slack:
            return
        if self.size == self._max_size:
            if self.draws == "in_order":
                raise ReplayFault(
                    f"LocalReplay: the queue is full with {self.size} windows; sample them before collecting more, "
                    "or pass a greater max_size"
                )
            self._first += 1
        slot = self._next % self._max_size
        self._windows[slot] = frames
        self._raised[slot] = priorities.powered(float(cost), self._exponent)
        self._next += 1
