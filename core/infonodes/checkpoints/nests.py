"""Nests of arrays and plain values as JSON and npz; nothing that could run code."""
from __future__ import annotations

import json
import os
import zipfile
from typing import Any, Union

import numpy as np

from infonodes.checkpoints.faults import CheckpointDamaged, CheckpointFault

_ARRAY = "__array__"
_SEQUENCES = (list, tuple)
State = Union[None, bool, int, float, str, np.ndarray, list, tuple, dict]


def save(folder: str, name: str, state: State) -> None:
    """Writes `name.json` with the structure and `name.npz` with the arrays.

    Args:
      folder: An existing one.
      name: Without ending.
      state: Dicts with text keys, lists or tuples (which come back as lists), arrays, numpy
        scalars (which come back as arrays of rank 0), numbers of any size, texts and None.

    Raises:
      CheckpointFault: naming the path of a value that is none of these.
    """
    arrays: dict[str, np.ndarray] = {}
    structure = _encode(state, arrays, name)
    with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
        json.dump(structure, file)
    if arrays:
        np.savez(os.path.join(folder, name + ".npz"), **arrays)  # type: ignore[arg-type]


def load(folder: str, name: str) -> Any:
    """Returns what `save` wrote, bit by bit.

    Raises:
      CheckpointDamaged: if the files are missing or are not what `save` writes.
    """
    path = os.path.join(folder, name)
    try:
        with open(path + ".json", encoding="utf-8") as file:
            structure = json.load(file)
        arrays = {}
        if os.path.exists(path + ".npz"):
            with np.load(path + ".npz", allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
        return _decode(structure, arrays)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointDamaged(f"{path}: {type(error).__name__}: {error}") from error


def _encode(value: Any, arrays: dict[str, np.ndarray], path: str) -> Any:
    if value is None or isinstance(value, (bool, str)) or type(value) in (int, float):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        if array.dtype.hasobject:
            raise CheckpointFault(f"state {path}: expected numbers or texts, got an array of objects")
        arrays[f"a{len(arrays)}"] = array
        return {_ARRAY: f"a{len(arrays) - 1}"}
    if isinstance(value, dict):
        wrong = [key for key in value if not isinstance(key, str) or key == _ARRAY]
        if wrong:
            raise CheckpointFault(f"state {path}: expected text keys, got {wrong}; rename them")
        return {key: _encode(item, arrays, f"{path}/{key}") for key, item in value.items()}
    if isinstance(value, _SEQUENCES):
        return [_encode(item, arrays, f"{path}/{i}") for i, item in enumerate(value)]
    raise CheckpointFault(
        f"state {path}: expected dicts, lists, arrays, numbers, texts or None, got "
        f"{type(value).__name__}; return plain values from get_state"
    )


def _decode(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, dict):
        if set(value) == {_ARRAY}:
            return arrays[value[_ARRAY]]
        return {key: _decode(item, arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [_decode(item, arrays) for item in value]
    return value
