"""How many windows and new priorities does a replay take a second, whatever the costs are?

  python -m experiments.bench_replay
  python -m experiments.bench_replay --cost_scale=1e9 --rounds=9
  python -m experiments.bench_replay --rounds=100  # Two million windows: does memory stay?

Costs are log-normal about `--cost_scale`; Reverb's own sum tree slows down tenfold, and warns, on priorities of 1e9.
Windows are written through the observer of a batch of environments, from this one thread.
Bars: 15,000 windows and 20,000 new priorities a second, no warning.
"""
from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from typing import Callable, Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
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
_BARS = {"windows": 15_000.0, "priorities": 20_000.0}
_BATCH, _LENGTH, _SIZE = 64, 2, 100_000
_WARNING = b"Tree needs"


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


def measure(replay: CostPrioritizedReplay, rng: np.random.Generator) -> dict[str, list[float]]:
    """Returns windows and priorities a second, and this process's memory in MB, of each round."""
    costs = lambda shape: np.float32(_SCALE.value * rng.lognormal(0.0, 2.0, shape))
    rows = _ENVIRONMENTS.value
    frames = tensor_spec.sample_spec_nest(replay.data_spec, outer_dims=(rows,))
    frames = tf.nest.map_structure(lambda leaf: leaf.numpy(), frames)
    moving = np.full([rows], ts.StepType.MID, np.int32)
    frames = frames._replace(step_type=moving, next_step_type=moving)
    observer = replay.observer(rows, write_every=max(1, 64 // rows))
    found: dict[str, list[float]] = {"windows": [], "priorities": [], "memory": []}
    info = None
    for _ in range(_ROUNDS.value):
        drawn = costs([_WINDOWS.value // rows, rows])
        began = time.perf_counter()
        for row in drawn:
            observer(frames._replace(policy_info={"cost": row}))
        observer.flush()
        found["windows"].append(drawn.size / (time.perf_counter() - began))
        if info is None:
            _, info = next(iter(replay.dataset(_BATCH)))
        batches = [tf.constant(costs(_BATCH)) for _ in range(_UPDATES.value)]
        began = time.perf_counter()
        for batch in batches:
            replay.update_priorities(info, batch)
        found["priorities"].append(_UPDATES.value * _BATCH / (time.perf_counter() - began))
        found["memory"].append(rss_mb())
    observer.close()
    return found


def main(argv: list) -> None:
    """Prints the medians; exits with 1 on a miss."""
    command_line.check(argv)
    with native_stderr() as said:
        with CostPrioritizedReplay(data_spec(), _LENGTH, _SIZE) as replay:
            found = measure(replay, np.random.default_rng(0))
        warnings = said().count(_WARNING)
    rates = {name: float(np.median(found[name])) for name in _BARS}
    for name, rate in rates.items():
        print(f"{name:11s}{rate:9,.0f} a second (bar {_BARS[name]:,.0f})")
    full = max(_SIZE // _WINDOWS.value, 1)  # Rounds that fill the table.
    for i in range(full, _ROUNDS.value + 1, full):
        print(f"memory {found['memory'][i - 1]:,.0f} MB once {i * _WINDOWS.value:,} windows had come")
    print(f"{warnings} warnings of the sum tree (bar 0)")
    raise SystemExit(int(bool(warnings) or any(rates[name] < bar for name, bar in _BARS.items())))


if __name__ == "__main__":
    app.run(main)
