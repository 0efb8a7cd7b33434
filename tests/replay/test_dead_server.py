"""A server that died is an error within the deadline, in a process that can be killed."""
import pathlib
import subprocess
import sys

_MAIN = pathlib.Path(__file__).with_name("dead_server_main.py")


def test_every_wait_ends():
    done = subprocess.run(
        [sys.executable, str(_MAIN)], capture_output=True, text=True, timeout=50, check=False
    )
    results = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert len(results) == 11, done.stderr[-3000:]
    # A frame is only handed over; whoever goes on writing meets the limit of what may be underway.
    assert results.pop(0) == ["write", "returned", "in-time"]
    assert [r for r in results if r[1:] != ["ReplayTimeout", "in-time"]] == []
