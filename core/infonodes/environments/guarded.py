"""A guard around an environment: what crosses it fits the specs, or the fault is named."""
from __future__ import annotations

from typing import Any, Callable, Iterable, NoReturn, Optional

import numpy as np
import tree
from absl import logging
from tf_agents.environments import py_environment, wrappers
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

from infonodes.types import Nest, Spec

_FIXES = {
    "structure": "return the nest that the spec describes",
    "dtype": "cast it with np.asarray(value, spec.dtype), or change the spec",
    "shape": "reshape it, or change the spec",
    "finite": "find the division or overflow that made it; do not replace it by zero",
    "bounds": "clip it, or widen the spec's bounds",
}


class EnvironmentFault(RuntimeError):
    """An environment, or an action given to it, that broke its specs.

    Attributes:
      leaf: Path of what is wrong, such as `observation/a/0`, or the method that raised.
      step: Moves made in the episode before the fault.
      episode: Number of the episode, from 0.
      row: Index in the batch, or None.
    """

    def __init__(
        self,
        message: str,
        leaf: str = "",
        step: int = 0,
        episode: int = 0,
        row: Optional[int] = None,
    ):
        super().__init__(message)
        self.leaf, self.step, self.episode, self.row = leaf, step, episode, row


class GuardedEnvironment(wrappers.PyEnvironmentBaseWrapper):
    """Checks each action and each time step against the specs, in a few microseconds.

    Seen are structure, dtype, shape, finiteness and bounds; exceptions that the environment
    raises are given the same form. A fault calls the `on_fault` callbacks (a replay
    observer's `discard`, say, so that half an episode is not trained on), then raises
    `EnvironmentFault`; the next `reset`, or `step`, starts a new episode.
    """

    def __init__(
        self,
        env: py_environment.PyEnvironment,
        name: Optional[str] = None,
        on_fault: Iterable[Callable[[], Any]] = (),
        check_bounds: bool = True,
        tolerance: float = 1e-4,
    ):
        """Wraps `env`.

        Args:
          env: Batched or not.
          name: What faults call the environment; by default gym's id or the class.
          on_fault: Called in order, without arguments, before the fault is raised. One
            that raises is logged, so that it does not hide the fault.
          check_bounds: Whether observations must lie within their bounds; actions, reward
            and discount always must. Some simulators overshoot theirs.
          tolerance: How far floats may lie outside, relative to max(1, |bound|).
        """
        super().__init__(env)
        self._name = name or _name_of(env)
        self._on_fault = list(on_fault)
        outer = (self.batch_size,) if self.batched else ()
        self._action = _Nest("action", env.action_spec(), outer, tolerance, True)
        self._observation = _Nest(
            "observation", env.observation_spec(), outer, tolerance, check_bounds
        )
        self._rest = [
            _Nest("step_type", array_spec.BoundedArraySpec([], np.int32, 0, 2), outer, 0, True),
            _Nest("reward", env.reward_spec(), outer, tolerance, True),
            _Nest("discount", env.discount_spec(), outer, tolerance, True),
        ]
        self._steps = np.zeros(outer, np.int64)
        self._episodes = np.full(outer, -1, np.int64)

    def reward_spec(self) -> Spec:
        """Returns the environment's; TF-Agents' wrapper forgets it."""
        return self._env.reward_spec()

    def discount_spec(self) -> Spec:
        """Returns the environment's; TF-Agents' wrapper forgets it."""
        return self._env.discount_spec()

    def _reset(self) -> ts.TimeStep:
        try:
            time_step = self._env.reset()
        except Exception as error:  # pylint: disable=broad-except
            self._raised("reset", error)
        return self._checked(time_step, started=True)

    def _step(self, action: Nest) -> ts.TimeStep:
        problem = self._action.problem(action)
        if problem is not None:
            self._fail(problem, "the policy")
        try:
            time_step = self._env.step(action)
        except Exception as error:  # pylint: disable=broad-except
            self._raised("step", error)
        return self._checked(time_step)

    def _checked(self, time_step: ts.TimeStep, started: bool = False) -> ts.TimeStep:
        if not isinstance(time_step, ts.TimeStep):
            got = type(time_step).__name__
            self._fail(_Problem("time_step", "structure", "a ts.TimeStep", got), "the environment")
        parts = (*time_step[:3], time_step.observation)
        for nest, part in zip((*self._rest, self._observation), parts):
            problem = nest.problem(part)
            if problem is not None:
                self._fail(problem, "the environment")
        first = np.equal(time_step.step_type, ts.StepType.FIRST)
        fresh = np.logical_or(first, started)
        self._steps = np.where(fresh, 0, self._steps + 1)
        self._episodes = self._episodes + fresh
        return time_step

    def _raised(self, method: str, error: Exception) -> NoReturn:
        problem = _Problem(
            method, "raised", "no exception", f"{type(error).__name__}: {error}"
        )
        self._fail(problem, "the environment", error)

    def _fail(
        self, problem: "_Problem", culprit: str, cause: Optional[Exception] = None
    ) -> NoReturn:
        """Calls the callbacks and raises; the wrapper forgets where it was."""
        row = problem.row if self.batched else None
        at = 0 if row is None else row
        step, episode = int(np.ravel(self._steps)[at]), int(np.ravel(self._episodes)[at])
        self._current_time_step = None
        for callback in self._on_fault:
            try:
                callback()
            except Exception:  # pylint: disable=broad-except
                logging.exception("on_fault callback %r of %s failed", callback, self._name)
        fix = _FIXES.get(problem.kind, "see the exception above; the next reset() starts afresh")
        where = f"environment {self._name!r}, episode {episode}, step {step}"
        where += "" if row is None else f", batch row {row}"
        raise EnvironmentFault(
            f"{where}: {problem.leaf!r} from {culprit}: expected {problem.expected}, got "
            f"{problem.got}; {fix}",
            problem.leaf,
            step,
            episode,
            row,
        ) from cause


class _Problem:
    """What is wrong with one leaf."""

    def __init__(self, leaf: str, kind: str, expected: str, got: str, row: Optional[int] = None):
        self.leaf, self.kind, self.expected, self.got, self.row = leaf, kind, expected, got, row


class _Nest:
    """A spec, flattened once."""

    def __init__(self, name: str, spec: Spec, outer: tuple, tolerance: float, bounds: bool):
        self._name, self._spec = name, spec
        self._bare = not tree.is_nested(spec)
        self._leaves = [
            _Leaf("/".join([name, *map(str, path)]), leaf, outer, tolerance, bounds)
            for path, leaf in tree.flatten_with_path(spec)
        ]

    def problem(self, value: Nest) -> Optional[_Problem]:
        """Returns the first thing that is wrong with `value`, or None."""
        if self._bare:
            return self._leaves[0].problem(value)
        try:
            tree.assert_same_structure(self._spec, value, check_types=False)
        except (ValueError, TypeError):
            shape_of = tree.map_structure(lambda x: type(x).__name__, value)
            expected = f"the structure {tree.map_structure(lambda s: s.dtype.name, self._spec)}"
            return _Problem(self._name, "structure", expected, str(shape_of))
        for leaf, part in zip(self._leaves, tree.flatten(value)):
            problem = leaf.problem(part)
            if problem is not None:
                return problem
        return None


class _Leaf:
    """The checks of one array.

    Finiteness needs no look of its own: NaN fails every comparison, and infinities fail that
    with the dtype's largest number, which stands for no bound.
    """

    def __init__(self, path: str, spec: Any, outer: tuple, tolerance: float, bounds: bool):
        self._path = path
        self._dtype = np.dtype(spec.dtype)
        self._shape = (*outer, *spec.shape)
        self._low: Any = None
        self._high: Any = None
        if self._dtype.kind in "iuf":
            self._set_limits(spec, tolerance, bounds)

    def problem(self, value: Any) -> Optional[_Problem]:
        """Returns what is wrong with `value`, or None."""
        # A Python number has no dtype to be wrong.
        array = np.asarray(value, self._dtype if type(value) in (int, bool) else None)
        if array.dtype != self._dtype or array.shape != self._shape:
            return self._misfit(array)
        if self._low is None:
            return None
        if not self._shape:
            fits = self._low <= array.item() <= self._high
        else:
            fits = bool(((array >= self._low) & (array <= self._high)).all())
        return None if fits else self._outside(array)

    def _set_limits(self, spec: Any, tolerance: float, bounds: bool) -> None:
        floats = self._dtype.kind == "f"
        limits: Any = np.finfo(self._dtype) if floats else np.iinfo(self._dtype)
        low, high = limits.min, limits.max
        if bounds and isinstance(spec, array_spec.BoundedArraySpec):
            low, high = spec.minimum, spec.maximum
            if floats:
                low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
                with np.errstate(over="ignore"):
                    low = low - tolerance * np.maximum(1.0, np.abs(low))
                    high = high + tolerance * np.maximum(1.0, np.abs(high))
                low, high = np.maximum(low, limits.min), np.minimum(high, limits.max)
        elif not floats:
            return
        if not floats and np.all(low == limits.min) and np.all(high == limits.max):
            return  # A full byte is in bounds whatever it holds.
        self._low = np.asarray(low, self._dtype) if self._shape else np.asarray(low).item()
        self._high = np.asarray(high, self._dtype) if self._shape else np.asarray(high).item()

    def _misfit(self, array: np.ndarray) -> _Problem:
        kind = "dtype" if array.dtype != self._dtype else "shape"
        expected = f"{self._dtype.name}{list(self._shape)}"
        return _Problem(self._path, kind, expected, f"{array.dtype.name}{list(array.shape)}")

    def _outside(self, array: np.ndarray) -> _Problem:
        finite = np.isfinite(array)
        wrong = ~finite if not finite.all() else (array < self._low) | (array > self._high)
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        got = f"{array[index]}" + (f" at index {list(index)}" if index else "")
        row = index[0] if index else None
        if not finite.all():
            return _Problem(self._path, "finite", "finite numbers", got, row)
        low, high = (np.broadcast_to(x, array.shape)[index] for x in (self._low, self._high))
        return _Problem(self._path, "bounds", f"a value in [{low:.6g}, {high:.6g}]", got, row)


def _name_of(env: py_environment.PyEnvironment) -> str:
    """Returns gym's id where there is one, else the class within the wrappers."""
    while isinstance(env, wrappers.PyEnvironmentBaseWrapper):
        env = env.wrapped_env()
    gym_spec = getattr(getattr(env, "gym", None), "spec", None)
    return getattr(gym_spec, "id", None) or type(env).__name__
