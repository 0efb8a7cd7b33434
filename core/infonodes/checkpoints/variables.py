"""TensorFlow variables of a checkpoint: compared by name before any is assigned."""
from __future__ import annotations

import os
import tempfile
from typing import Any, Mapping

import tensorflow as tf

from infonodes import slots
from infonodes.checkpoints.faults import CheckpointMismatch

NAME = "variables"
_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_ENDING = "/.ATTRIBUTES/VARIABLE_VALUE"
_SLOT = "/.OPTIMIZER_SLOT/"

Shapes = dict[str, tuple[list[int], str]]


def save(folder: str, trackables: Mapping[str, Any]) -> None:
    """Writes all variables below `trackables` as a TensorFlow checkpoint."""
    tf.train.Checkpoint(**trackables).write(os.path.join(folder, NAME))


def restore(folder: str, trackables: Mapping[str, Any]) -> None:
    """Assigns all variables below `trackables`, or none.

    Args:
      folder: Where `save` wrote.
      trackables: The same names, over the same kinds of objects.

    Raises:
      CheckpointMismatch: listing variables that only one of the two sides has, and those
        whose shape or dtype differ.
    """
    path = os.path.join(folder, NAME)
    checkpoint = tf.train.Checkpoint(**trackables)
    make_slots(path, trackables)
    # What would be saved today: every name of a variable, those of optimiser slots too.
    with tempfile.TemporaryDirectory() as scratch:
        wanted = _shapes(checkpoint.write(os.path.join(scratch, NAME)))
    _compare(wanted, _shapes(path), path)
    checkpoint.read(path).assert_consumed()


def restore_one(folder: str, name: str, trackable: Any) -> None:
    """Assigns all variables below one trackable, and leaves the others of the checkpoint.

    Args:
      folder: Where `save` wrote.
      name: The trackable's name there.
      trackable: The same kind of object.

    Raises:
      CheckpointMismatch: if one of its variables is not in the checkpoint, or has another shape.
    """
    path = os.path.join(folder, NAME)
    try:
        found = tf.train.Checkpoint(**{name: trackable}).read(path)
        found.assert_existing_objects_matched().expect_partial()
    except (AssertionError, ValueError) as error:
        raise CheckpointMismatch(f"{path}: it does not fit {name!r}: {error}") from error


def _shapes(path: str) -> Shapes:
    reader = tf.train.load_checkpoint(path)
    dtypes = reader.get_variable_to_dtype_map()
    return {
        name.replace(_ENDING, ""): (list(shape), dtypes[name].name)
        for name, shape in reader.get_variable_to_shape_map().items()
        if name != _GRAPH
    }


def make_slots(path: str, trackables: Mapping[str, Any]) -> None:
    """Has optimisers that took no step yet, as those within RLNodes, make the slots that were saved of them.

    Before restoring: without them a checkpoint does not fit; or, with TF-Agents' Checkpointer, which waits for what is
    not made yet, the next checkpoint would lack it if it is written before the next step.

    Args:
      path: Of a checkpoint of TensorFlow's.
      trackables: What it was written of, by the same names.
    """
    checkpoint = tf.train.Checkpoint(**trackables)
    owned: dict[str, list[str]] = {}
    for name in sorted(_shapes(path)):
        variable, _, slot = name.partition(_SLOT)
        if slot:
            owned.setdefault(slot.rpartition("/")[0], []).append(variable)
    for place, names in owned.items():
        optimizer = _at(checkpoint, place)
        variables = [found for found in (_at(checkpoint, name) for name in dict.fromkeys(names)) if found is not None]
        if isinstance(optimizer, slots.OPTIMIZERS) and not optimizer.variables():
            slots.create(optimizer, variables)


def _at(checkpoint: tf.train.Checkpoint, path: str) -> Any:
    """Returns what stands at a path of attributes, or None."""
    found: Any = checkpoint
    for part in path.split("/"):
        found = found and tf.train.TrackableView.children(found).get(part)
    return found


def _compare(wanted: Shapes, found: Shapes, path: str) -> None:
    missing, extra = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    differ = [
        f"{name}: saved {found[name]}, now {wanted[name]}"
        for name in sorted(set(wanted) & set(found)) if wanted[name] != found[name]
    ]
    if not (missing or extra or differ):
        return
    renamed = [
        f"{old} -> {new}" for old in extra for new in missing
        if found[old] == wanted[new] and old.rpartition("/")[0] == new.rpartition("/")[0]
    ]
    lists = {
        "missing in the checkpoint": missing, "not known now": extra, "of another shape or dtype": differ,
        "renamed perhaps": renamed,
    }
    told = "; ".join(f"{what}: {names}" for what, names in lists.items() if names)
    raise CheckpointMismatch(
        f"{path}: the variables differ; {told}. Nothing was restored: build the same agent as when it was saved"
    )
