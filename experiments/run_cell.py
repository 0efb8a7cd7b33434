"""One cell of a sweep: `python -m experiments.run_cell CONFIG_JSON RESULT_PATH`."""
from __future__ import annotations

import json
import os
import sys

from experiments import runner
from experiments.run_config import RunConfig
from experiments.whole_files import write_text


def main(config: str, result: str) -> None:
    """Trains, and puts the result in its place, whole or not at all."""
    done = runner.train(RunConfig(**json.loads(config)), progress=False)
    with open(os.path.join(done.folder, "result.json"), encoding="utf-8") as file:
        write_text(result, file.read())


if __name__ == "__main__":
    main(*sys.argv[1:])
