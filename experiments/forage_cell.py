"""One cell of the forage experiment: `python -m experiments.forage_cell RUN_JSON RESULT DOCS`."""
from __future__ import annotations

import dataclasses
import json
import os
import sys

from experiments import forage_living, forage_pictures, forage_training
from experiments.forage_training import ForageRun
from experiments.whole_files import write_json

_EVALUATIONS = 6
_FILM_TICKS = 150


def main(run_json: str, result: str, docs: str) -> None:
    """Trains, draws seed 0 of the embodied agents, and puts the result in its place, whole or not at all."""
    run = ForageRun(**json.loads(run_json))
    _, policy, evaluations = forage_training.train(run, _EVALUATIONS)
    if run.seed == 0 and run.agent == "embodied":
        os.makedirs(docs, exist_ok=True)
        name = "embodied" if run.bill else "embodied_free"
        film = forage_living.live(policy, run.world, 16, 20_000, film=True)
        row = int(film.ticks.argmax())
        forage_pictures.flows(film, row, os.path.join(docs, f"{name}_flows.png"))
        forage_pictures.episode(film, row, run.world, os.path.join(docs, f"{name}.gif"), _FILM_TICKS)
    write_json(result, {"config": dataclasses.asdict(run), "evaluations": evaluations}, indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
