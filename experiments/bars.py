"""Figures to reach, measured on the evaluations of a sweep."""
from __future__ import annotations

import dataclasses
from typing import Callable, Mapping

import numpy as np

from experiments import results

Measure = Callable[[Mapping[str, results.Runs]], float]


@dataclasses.dataclass(frozen=True)
class Bar:
    """One figure.

    Attributes:
      says: What is measured, with its unit.
      measure: From the runs by variant.
      least: What it must reach.
    """

    says: str
    measure: Measure
    least: float

    def judge(self, variants: Mapping[str, results.Runs]) -> tuple[bool, str]:
        """Returns whether it is reached, and a line that says so."""
        value = self.measure(variants)
        reached = value >= self.least
        return reached, f"{'pass' if reached else 'MISS'}: {self.says}: {value:.4g} (bar {self.least:g})"


def mean_between(variant: str, first: int, last: int) -> Measure:
    """Mean over seeds and over the evaluations from step `first` to `last`."""
    return lambda v: float(np.mean([r for run in v[variant].values() for s, r in run if first <= s <= last]))


def seeds_at(variant: str, step: int, least: float) -> Measure:
    """Number of seeds whose evaluation at `step` is at least `least`."""
    return lambda v: float(sum(dict(run)[step] >= least for run in v[variant].values()))


def seeds_finally(variant: str, least: float) -> Measure:
    """Number of seeds whose final return (`results.LAST` evaluations) is at least `least`."""
    final = lambda run: np.mean([r for _, r in run[-results.LAST :]])
    return lambda v: float(sum(final(run) >= least for run in v[variant].values()))


def seeds_reaching(variant: str, least: float) -> Measure:
    """Number of seeds with `results.LAST` evaluations in a row whose mean is at least `least`."""

    def reached(run: list[tuple[int, float]]) -> bool:
        returns = [r for _, r in run]
        rows = [returns[i : i + results.LAST] for i in range(len(returns) - results.LAST + 1)]
        return any(np.mean(row) >= least for row in rows)

    return lambda v: float(sum(reached(run) for run in v[variant].values()))


def middle(variant: str) -> Measure:
    """Interquartile mean of the final returns."""
    return lambda v: results.summarise(v[variant]).middle


def overlap(one: str, other: str) -> Measure:
    """Width in which the 95 % intervals of two variants' final returns overlap; < 0 if apart."""

    def measure(variants: Mapping[str, results.Runs]) -> float:
        a, b = results.summarise(variants[one]), results.summarise(variants[other])
        return min(a.high, b.high) - max(a.low, b.low)

    return measure
