"""What the bars count, on runs made by hand."""
from experiments import bars

_RISES = [(1, 0.0), (2, 9.0), (3, 9.0), (4, 9.0), (5, 0.0)]
_ENDS = [(1, 0.0), (2, 0.0), (3, 9.0), (4, 9.0), (5, 9.0)]
_WAVERS = [(1, 9.0), (2, 0.0), (3, 9.0), (4, 0.0), (5, 9.0)]
RUNS = {"v": {0: _RISES, 1: _ENDS, 2: _WAVERS}}


def test_seeds_that_end_high_and_seeds_that_get_there():
    assert bars.seeds_finally("v", 9.0)(RUNS) == 1
    assert bars.seeds_reaching("v", 9.0)(RUNS) == 2
    assert bars.seeds_at("v", 3, 9.0)(RUNS) == 3


def test_mean_between_counts_both_ends():
    assert bars.mean_between("v", 4, 5)(RUNS) == (9 + 0 + 9 + 9 + 0 + 9) / 6


def test_a_bar_judges():
    reached, line = bars.Bar("seeds", bars.seeds_finally("v", 9.0), 2).judge(RUNS)
    assert not reached and line.startswith("MISS: seeds: 1 (bar 2)")
