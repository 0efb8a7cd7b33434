"""How long does a checkpoint of 100,000 windows of 1 KB take, and how long does a writer wait for it?

  python -m experiments.bench_checkpoint
  python -m experiments.bench_checkpoint --windows=10000

Bars: save <= 5 s, a writer waits <= 0.5 s, load <= 10 s.
"""
from __future__ import annotations

import os
import tempfile
import threading
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from absl import app, flags
from tf_agents.trajectories import trajectory

from experiments import command_line
from infonodes.checkpoints import Checkpoints
from infonodes.replay import CostPrioritizedReplay, LocalReplay

_WINDOWS = flags.DEFINE_integer("windows", 100_000, "How many.")
_BARS = {"save": 5.0, "wait": 0.5, "load": 10.0}
# A window is two frames; each moves on by one, so that 1 KB a window is 1 KB a frame.
_FLOATS = 250


def spec() -> trajectory.Trajectory:
    """Returns the spec of a frame of 1 KB."""
    scalar = lambda dtype: tf.TensorSpec([], dtype)
    return trajectory.Trajectory(
        scalar(tf.int32), tf.TensorSpec([_FLOATS], tf.float32), scalar(tf.int64), {"cost": scalar(tf.float32)},
        scalar(tf.int32), scalar(tf.float32), scalar(tf.float32),
    )


def frame(number: int, noise: np.ndarray) -> trajectory.Trajectory:
    """Returns a frame in the middle of an episode, hard to compress."""
    return trajectory.Trajectory(
        np.int32(1), np.roll(noise, number), np.int64(0), {"cost": np.float32(1.0)}, np.int32(1), np.float32(1.0),
        np.float32(1.0),
    )


def measure(make, windows: int) -> dict[str, float]:
    """Returns seconds of saving and loading, and the longest wait of a writer meanwhile."""
    noise = np.random.default_rng(0).normal(size=_FLOATS).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        replay = make()
        observer = replay.observer()
        for number in range(windows + 1):
            observer(frame(number, noise))
        observer.flush()
        checkpoints = Checkpoints(folder, {"replay": replay})
        waits, done = [], threading.Event()
        # A local replay is saved by the thread that writes: its wait is the save.
        writer = threading.Thread(target=_write, args=(replay, noise, waits, done))
        if isinstance(replay, CostPrioritizedReplay):
            writer.start()
        began = time.monotonic()
        checkpoints.save(1)
        found = {"save": time.monotonic() - began}
        done.set()
        if writer.ident:
            writer.join(60)
            found["wait"] = max(waits, default=0.0)
        replay.close()
        other = make()
        if isinstance(other, LocalReplay):
            other.observer()
        began = time.monotonic()
        Checkpoints(folder, {"replay": other}).restore()
        found["load"] = time.monotonic() - began
        assert other.size >= windows, other.size
        other.close()
    return found


def _write(replay, noise: np.ndarray, waits: list[float], done: threading.Event) -> None:
    from infonodes.replay.frames import FrameCheck
    from infonodes.replay.windows import Frames

    writer = replay._make_writer(1)  # An observer of its own would be flushed by the save.
    check, number = FrameCheck(replay.data_spec), 0
    while not done.is_set():
        began = time.monotonic()
        writer.write(Frames([check.encode(frame(number, noise))], [1], [1], [1.0]))
        writer.flush()
        waits.append(time.monotonic() - began)
        number += 1
        time.sleep(0.005)
    writer.close()


def main(argv: list) -> None:
    """Prints both replays' figures against the bars."""
    command_line.check(argv)
    makers = {
        "reverb": lambda: CostPrioritizedReplay(spec(), 2, max_size=2 * _WINDOWS.value),
        "local": lambda: LocalReplay(spec(), 2, max_size=2 * _WINDOWS.value),
    }
    missed = 0
    for name, make in makers.items():
        for what, seconds in measure(make, _WINDOWS.value).items():
            missed += seconds > _BARS[what]
            print(f"{name:8s}{what:6s}{seconds:8.2f} s   bar {_BARS[what]:g} s{'   MISSED' * (seconds > _BARS[what])}")
    raise SystemExit(int(missed > 0))


if __name__ == "__main__":
    app.run(main)
