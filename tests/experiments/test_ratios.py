"""Ratios are medians over fresh processes, judged by their bars."""
import os

import pytest
from absl import flags

from experiments import ratios

if not flags.FLAGS.is_parsed():
    flags.FLAGS(["x"])


def found(value, bar=2.0, at_least=True):
    return ratios.Ratio("fast", value, bar, at_least, {"ours (ms)": value})


calls = []


def measure():
    """Tells how often it was called in its process, and adds the process to the file that the variable names."""
    calls.append(None)
    with open(os.environ["RATIOS_TEST_PIDS"], "a", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")
    return [found(float(len(calls)), bar=0.0)]


@pytest.mark.parametrize(("at_least", "bar", "passes"), [
    (True, 3.0, True), (True, 3.5, False), (False, 3.0, True), (False, 2.5, False), (True, None, True),
])
def test_the_median_is_what_counts(at_least, bar, passes):
    lines, passed = ratios.table([[found(value, bar, at_least)] for value in (1.0, 3.0, 9.0)])
    assert passed is passes
    assert "3 [1, 9]" in lines[-1] and "ours (ms) 3" in lines[-1]
    assert ("MISS" in lines[-1]) is not passes


def test_one_miss_is_a_miss():
    assert not ratios.table([[found(1.0), found(3.0)]])[1]


def test_each_process_is_a_fresh_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["bench", "--processes=2"])
    monkeypatch.setattr(flags.FLAGS["processes"], "value", 2)
    monkeypatch.setenv("RATIOS_TEST_PIDS", str(tmp_path / "pids"))
    path = tmp_path / "there" / "speed.md"
    assert ratios.report("# Speed", measure, str(path))
    text = path.read_text(encoding="utf-8")
    assert "1 [1, 1]" in text  # The first call in each.
    pids = (tmp_path / "pids").read_text(encoding="utf-8").split()
    assert len(set(pids)) == 2 and str(os.getpid()) not in pids
    assert text.strip() in capsys.readouterr().out


def dies():
    raise RuntimeError("no luck")


@pytest.mark.parametrize(
    ("measure_what", "deadline_s", "says"), [(dies, 60.0, "died"), (measure, 0.1, "more than 0 s")]
)
def test_one_that_dies_or_hangs_is_an_error(measure_what, deadline_s, says, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["bench"])
    monkeypatch.setattr(ratios, "_DEADLINE_S", deadline_s)
    with pytest.raises(SystemExit, match=f"error: .*{says}"):
        ratios.exit_with("# Speed", measure_what, str(tmp_path / "speed.md"))
    assert not any(tmp_path.iterdir())
