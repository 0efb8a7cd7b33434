"""How many windows and new priorities does a replay take a second, whatever the costs are?

  python -m experiments.bench_replay
  python -m experiments.bench_replay --cost_scale=1e9 --rounds=9
  python -m experiments.bench_replay --rounds=100 --nobare  # Two million windows: does memory stay?

Costs are log-normal about `--cost_scale`; Reverb's own sum tree slows down tenfold, and warns, on priorities of 1e9.
Windows are written through the observer of a batch of environments, from this one thread. Bare Reverb does the same
beside it, in turns: the costs are its priorities.
Bars: 15,000 windows and 20,000 new priorities a second, no warning.
"""
from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from typing import Any, Callable, Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import reverb
import tensorflow as tf
from absl import app, flags
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory

from experiments import command_line
from experiments.process_figures import rss_mb
from infonodes.replay import CostPrioritizedReplay

_ROUNDS = flags.DEFINE_integer("rounds", 7, "Rounds; medians count.")
_WINDOWS = flags.DEFINE_integer("windows", 20_000, "Windows written a round.")
_UPDATES = flags.DEFINE_integer("updates", 300, "Batches of 64 priorities updated a round.")
_ENVIRONMENTS = flags.DEFINE_integer("environments", 32, "Rows a call of the observer.")
_SCALE = flags.DEFINE_float("cost_scale", 1e9, "Median of the costs.")
_BARE = flags.DEFINE_bool("bare", True, "Whether to measure bare Reverb beside it.")
_BARS = {"windows": 15_000.0, "priorities": 20_000.0}
_BATCH, _LENGTH, _SIZE = 64, 2, 100_000
_WARNING = b"Tree needs"
_TABLE, _PENDING = "bare", 512


@contextlib.contextmanager
def native_stderr() -> Iterator[Callable[[], bytes]]:
    """Keeps what libraries print to file descriptor 2 meanwhile; yields a call that returns it."""
    with tempfile.TemporaryFile() as kept:
        sys.stderr.flush()
        own = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield lambda: os.pread(kept.fileno(), 1 << 20, 0)
        finally:
            os.dup2(own, 2)
            os.close(own)


def data_spec() -> trajectory.Trajectory:
    """Returns the spec of a small observation with a cost."""
    observation, action = tf.TensorSpec([4], tf.float32), tf.TensorSpec([], tf.int64)
    return trajectory.Trajectory(
        tf.TensorSpec([], tf.int32), observation, action, {"cost": tf.TensorSpec([], tf.float32)},
        tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float32), tf.TensorSpec([], tf.float32),
    )


def frames_of(rows: int) -> trajectory.Trajectory:
    """Returns a frame in the middle of an episode, `[rows, ...]`, of numpy."""
    frames = tensor_spec.sample_spec_nest(data_spec(), outer_dims=(rows,))
    moving = np.full([rows], ts.StepType.MID, np.int32)
    return tf.nest.map_structure(lambda leaf: leaf.numpy(), frames)._replace(step_type=moving, next_step_type=moving)


class Ours:
    """Writes to a `CostPrioritizedReplay`, and gives a batch drawn from it new costs."""

    def __init__(self, rows: int):
        """Starts a server; `rows` environments write."""
        self._replay = CostPrioritizedReplay(data_spec(), _LENGTH, _SIZE)
        self._frames, self._info = frames_of(rows), None
        self._observer = self._replay.observer(rows, write_every=max(1, 64 // rows))

    def write(self, costs: np.ndarray) -> None:
        """Writes a frame of each row for each row of `costs`, and waits until all windows are in the table."""
        for row in costs:
            self._observer(self._frames._replace(policy_info={"cost": row}))
        self._observer.flush()

    def update(self, costs: list[tf.Tensor]) -> None:
        """Updates the same batch once for each of `costs`."""
        if self._info is None:
            _, self._info = next(iter(self._replay.dataset(_BATCH)))
        for cost in costs:
            self._replay.update_priorities(self._info, cost)

    def close(self) -> None:
        """Ends the server."""
        self._observer.close()
        self._replay.close()


class Bare:
    """The same by Reverb's own writers and client, with columns for leaves as TF-Agents' observers have."""

    def __init__(self, rows: int):
        """Starts a server; `rows` environments write."""
        chosen = reverb.selectors.Prioritized(1.0), reverb.selectors.Fifo()
        self._server = reverb.Server([reverb.Table(_TABLE, *chosen, _SIZE, reverb.rate_limiters.MinSize(1))])
        self._client = reverb.Client(f"localhost:{self._server.port}")
        self._writers = [self._client.trajectory_writer(_LENGTH, validate_items=False) for _ in range(rows)]
        frames = frames_of(rows)
        self._frames = [tf.nest.map_structure(lambda leaf, i=i: leaf[i], frames) for i in range(rows)]
        self._keys: list[int] = []

    def write(self, costs: np.ndarray) -> None:
        """Writes as `Ours` does."""
        for row in costs:
            for writer, frame, cost in zip(self._writers, self._frames, row):
                writer.append(frame._replace(policy_info={"cost": cost}))
                if writer.episode_steps >= _LENGTH:
                    window = tf.nest.map_structure(lambda column: column[-_LENGTH:], writer.history)
                    writer.create_item(_TABLE, float(cost), window)
                writer.flush(block_until_num_items=_PENDING)
        for writer in self._writers:
            writer.flush()

    def update(self, costs: list[tf.Tensor]) -> None:
        """Updates as `Ours` does."""
        if not self._keys:
            self._keys = [sample[0].info.key for sample in self._client.sample(_TABLE, _BATCH)]
        for cost in costs:
            self._client.mutate_priorities(_TABLE, dict(zip(self._keys, cost.numpy().tolist())))

    def close(self) -> None:
        """Ends the server."""
        for writer in self._writers:
            writer.close()
        self._server.stop()


def measure(contestant: Any, rng: np.random.Generator) -> tuple[float, float]:
    """Returns the windows and priorities a second of one round."""
    costs = lambda shape: np.float32(_SCALE.value * rng.lognormal(0.0, 2.0, shape))
    drawn = costs([_WINDOWS.value // _ENVIRONMENTS.value, _ENVIRONMENTS.value])
    batches = [tf.constant(costs(_BATCH)) for _ in range(_UPDATES.value)]
    began = time.perf_counter()
    contestant.write(drawn)
    written = time.perf_counter()
    contestant.update(batches)
    return drawn.size / (written - began), len(batches) * _BATCH / (time.perf_counter() - written)


def main(argv: list) -> None:
    """Prints the medians; exits with 1 on a miss."""
    command_line.check(argv)
    rng, rows = np.random.default_rng(0), _ENVIRONMENTS.value
    contestants = {"ours": Ours(rows), **({"bare": Bare(rows)} if _BARE.value else {})}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    memory, warnings = [], 0
    for _ in range(_ROUNDS.value):
        for name, contestant in contestants.items():
            with native_stderr() as said:
                found[name].append(measure(contestant, rng))
                warnings += said().count(_WARNING) if name == "ours" else 0
        memory.append(rss_mb())
    for contestant in contestants.values():
        contestant.close()
    medians = {name: dict(zip(_BARS, np.median(rates, axis=0))) for name, rates in found.items()}
    rates = medians["ours"]
    for name, bar in _BARS.items():
        bare = medians.get("bare", {}).get(name)
        beside = f", {rates[name] / bare:.1f} times bare Reverb's {bare:,.0f}" if bare else ""
        print(f"{name:11s}{rates[name]:9,.0f} a second (bar {bar:,.0f}){beside}")
    full = max(_SIZE // _WINDOWS.value, 1)  # Rounds that fill the table.
    for i in range(full, _ROUNDS.value + 1, full):
        print(f"memory {memory[i - 1]:,.0f} MB once {i * _WINDOWS.value:,} windows had come")
    print(f"{warnings} warnings of the sum tree (bar 0)")
    raise SystemExit(int(bool(warnings) or any(rates[name] < bar for name, bar in _BARS.items())))


if __name__ == "__main__":
    app.run(main)
