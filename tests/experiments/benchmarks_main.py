"""Run by test_benchmarks: the binary with cells that cost nothing, once with the flags of each line of stdin."""
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

from absl import app, flags
from absl.testing import flagsaver

from experiments import sweep
from experiments.benchmarks import __main__ as binary
from experiments.whole_files import write_json


def outcome(args):
    ran = []

    def run_cell(home, name, cell, **_):
        ran.append(name)
        evaluations = [
            {"step": s, "train_s": 1.0, "returns": [1.0] * cell.eval_episodes, "lengths": [9] * cell.eval_episodes}
            for s in range(cell.eval_every, cell.steps + 1, cell.eval_every)
        ]
        write_json(sweep.cell_path(home, name), {"config": cell.to_json(), "evaluations": evaluations})

    binary.run_cell, error = run_cell, ""
    with flagsaver.flagsaver():
        try:
            binary.main(flags.FLAGS([binary.__name__, *args]))
        except (SystemExit, app.UsageError) as raised:
            error = str(raised)
        table = os.path.join(flags.FLAGS.docs, flags.FLAGS.suite, "table.md")
    with open(table, encoding="utf-8") as file:
        return {"error": error, "ran": ran, "table": file.read()}


if __name__ == "__main__":
    for line in sys.stdin.read().splitlines():
        print("RESULT " + json.dumps(outcome([*sys.argv[1:], *line.split()])), flush=True)
