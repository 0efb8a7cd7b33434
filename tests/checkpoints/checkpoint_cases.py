"""A small thing to save, with parts of each kind, and what may happen to its files."""
import os

import numpy as np
import tensorflow as tf

from infonodes.checkpoints import Checkpoints

CONFIG = {"lr": 0.1, "layers": (8, 8)}


class Net(tf.Module):
    """A variable with an optimiser: slots are part of its checkpoint."""

    def __init__(self, names=("kernel", "bias"), size=3):
        super().__init__()
        for name in names:
            setattr(self, name, tf.Variable(np.zeros(size, np.float32), name=name))
        self.optimizer = tf.keras.optimizers.legacy.Adam(0.1)
        self.optimizer._create_all_weights(list(self.trainable_variables))

    def step(self, value):
        grads = [tf.ones_like(v) * value for v in self.trainable_variables]
        self.optimizer.apply_gradients(zip(grads, self.trainable_variables))


class Counter:
    """A state: an array, a generator, a text."""

    def __init__(self):
        self.rng, self.seen = np.random.default_rng(0), np.zeros([0], np.int64)

    def draw(self):
        self.seen = np.append(self.seen, self.rng.integers(1000))

    def get_state(self):
        return {"rng": self.rng.bit_generator.state, "seen": self.seen.copy(), "none": None, "inf": float("inf")}

    def set_state(self, state):
        self.rng.bit_generator.state = state["rng"]
        self.seen = state["seen"]


class Notes:
    """A folder of its own."""

    def __init__(self):
        self.text = ""

    def save(self, folder):
        with open(os.path.join(folder, "notes.txt"), "w", encoding="utf-8") as file:
            file.write(self.text)

    def load(self, folder):
        with open(os.path.join(folder, "notes.txt"), encoding="utf-8") as file:
            self.text = file.read()


class Case:
    """All parts, and their checkpoints."""

    def __init__(self, folder, config=CONFIG, net=None, keep=2, every_s=60.0, **parts):
        self.net, self.counter, self.notes = net or Net(), Counter(), Notes()
        parts = {"net": self.net, "counter": self.counter, "notes": self.notes, **parts}
        self.checkpoints = Checkpoints(str(folder), parts, config, keep, every_s)

    def advance(self, step):
        """Does what makes the state of `step` differ from every other."""
        self.net.step(float(step))
        self.counter.draw()
        self.notes.text += f"{step} "

    def snapshot(self):
        """Returns all of the state in comparable form."""
        return (
            [v.numpy().tolist() for v in (*self.net.trainable_variables, *self.net.optimizer.variables())],
            self.counter.seen.tolist(), int(self.counter.rng.bit_generator.state["state"]["state"]), self.notes.text,
        )


def written(folder, steps=3, **arguments):
    """Returns {step: snapshot} of a folder with a checkpoint a step."""
    case, snapshots = Case(folder, **arguments), {}
    for step in range(1, steps + 1):
        case.advance(step)
        case.checkpoints.save(step)
        snapshots[step] = case.snapshot()
    return snapshots


def files_of(path):
    """Returns all files below `path`."""
    return sorted(os.path.join(root, f) for root, _, files in os.walk(path) for f in files)
