"""Is a question answered whose answer lies anywhere in large data, through a window of 5 %?

  python -m experiments.reading --task=read_text --seeds=3

A cell is a variant and a seed: the reader, a fixed window, and a cursor moved at random, the
last two learning to answer as the reader does. A finished cell is a JSON under
runs/reading/TASK/ and is not run again. Tables, trails and a GIF go to docs/results/reading/.
"""
from __future__ import annotations

import dataclasses
import json
import os
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tqdm
from absl import app, flags

from experiments import command_line, reading_plots, results, sweep_flags
from experiments.errors import RunError
from experiments.reading_loop import Run
from experiments.reading_tasks import CONFIGS, VARIANTS, ReadingConfig
from experiments.whole_files import write_json

_ROUNDS = flags.DEFINE_integer("rounds", None, "Rounds a cell; the task's own number by default.")
_VARIANTS = flags.DEFINE_list("variants", list(VARIANTS), "Which readers.")
sweep_flags.adopt("seeds", "task")
BAR, SHARE, SEEDS = 0.90, 0.05, 3


def build() -> list[ReadingConfig]:
    """Returns the cells that the flags ask for."""
    base = CONFIGS[sweep_flags.task(CONFIGS, "read_text")]
    if _ROUNDS.value is not None:
        base = dataclasses.replace(base, rounds=_ROUNDS.value)
    wrong = sorted(set(_VARIANTS.value) - set(VARIANTS))
    if wrong:
        raise RunError(f"--variants: {wrong} are none of {VARIANTS}")
    seeds = range(sweep_flags.SEEDS.value or SEEDS)
    return [dataclasses.replace(base, variant=v, seed=s) for v in _VARIANTS.value for s in seeds]


def cell(config: ReadingConfig, home: str, docs: str) -> dict[str, Any]:
    """Returns a cell's record, from its file if it is there.

    Args:
      config: What fixes it.
      home: Folder of the cells.
      docs: Folder of the pictures; seed 0 of the reader draws them.

    Raises:
      RunError: if it was run with another config.
    """
    path = os.path.join(home, f"{config.variant}-seed{config.seed}.json")
    asked = json.loads(json.dumps(dataclasses.asdict(config)))
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        if found["config"] != asked:
            raise RunError(f"cell {path!r} was run with other settings; remove that file to run it anew")
        return found
    began, run = time.monotonic(), Run(config)
    name = f"{config.task} {config.variant} seed {config.seed}"
    scores = run.go(lambda rounds: tqdm.tqdm(rounds, desc=name, mininterval=5.0))
    found = {
        "config": asked,
        "scores": [dataclasses.asdict(s) for s in scores],
        "window_share": run.agent.graph["page"].window_share,
        "guess": 1.0 / run.evaluator.env.answers,
        "seconds": round(time.monotonic() - began, 1),
    }
    if config.variant == "reader" and config.seed == 0:
        draw(run, config, docs)
    write_json(path, found, indent=1)
    return found


def draw(run: Run, config: ReadingConfig, docs: str) -> None:
    """Draws the trails of three evaluated episodes, and one as a GIF."""
    player = run.evaluator
    player.env.seed(20_000 + config.seed)
    played = player.play()
    window = run.agent.graph["page"].window
    distances = [float(np.max(np.abs(np.subtract(p.place, played.places[0, 0])))) for p in player.puzzles]
    for number, row in enumerate(np.argsort(distances)[::-1][[0, len(distances) // 4, len(distances) // 2]]):
        puzzle, places = player.puzzles[row], played.places[row, :-1]
        path = os.path.join(docs, f"{config.task}-trail{number}.png")
        reading_plots.trail(player.env, puzzle, places, window, path, config.task)
        if number == 0:
            answers = played.frames.action[row, :-1]
            path = os.path.join(docs, f"{config.task}.gif")
            reading_plots.episode(player.env, puzzle, places, answers, window, path, config.task)


def table(task: str, cells: list[dict[str, Any]]) -> tuple[str, bool]:
    """Returns the results as a page, and whether the bar is reached.

    Args:
      task: Whose they are.
      cells: Their records.
    """
    share, guess = cells[0]["window_share"], cells[0]["guess"]
    lines = [
        f"# {task}\n",
        f"Share of 256 episodes answered right at the bell, each seed's last evaluation. The window covers "
        f"{share:.1%} of the data. A guess is right in {guess:.0%}; the readers may be silent, which counts as not "
        f"right: the column *guessing* is the share right if each silence were a guess. Return: ticks with the right "
        f"answer less those with a wrong one. Bound: the best return of a reader that must have the answer's middle in "
        f"its window; one that knows a tone or a mark by its edge may exceed it.\n",
        "| reader | seeds | right, by seed | mean | worst | guessing | return | bound | env steps | seconds a cell |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    reached, verdict = True, ""
    for variant in VARIANTS:
        mine = [c for c in cells if c["config"]["variant"] == variant]
        if not mine:
            continue
        last = [c["scores"][-1] for c in mine]
        right = np.array([s["right"] for s in last])
        guessing = np.mean([s["right"] + guess * s["silent"] for s in last])
        if variant == "reader":
            reached = bool(right.mean() >= BAR) and share <= SHARE
            told = "pass" if reached else "MISS"
            verdict = f"{told}: reader {right.mean():.3f} (bar {BAR:g}), worst seed {right.min():.3f}"
        lines.append(
            f"| {variant} | {', '.join(str(c['config']['seed']) for c in mine)} | "
            f"{', '.join(f'{r:.3f}' for r in right)} | {right.mean():.3f} | {right.min():.3f} | {guessing:.3f} | "
            f"{np.mean([s['mean_return'] for s in last]):.2f} | {np.mean([s['bound'] for s in last]):.2f} | "
            f"{last[0]['steps']} | {np.mean([c['seconds'] for c in mine]):.0f} |"
        )
    if verdict:
        lines += ["", verdict, "", f"![trail]({task}-trail0.png)", "", f"![episode]({task}.gif)"]
    return "\n".join(lines) + "\n", reached


def raw(cells: list[dict[str, Any]]) -> str:
    """Returns every evaluation of every cell as CSV.

    Args:
      cells: Their records.
    """
    lines = ["variant,seed,step,right,silent,return"]
    for found in cells:
        name = f"{found['config']['variant']},{found['config']['seed']}"
        lines += [
            f"{name},{s['steps']},{s['right']:.6f},{s['silent']:.6f},{s['mean_return']:.6f}" for s in found["scores"]
        ]
    return "\n".join(lines) + "\n"


def main(argv: list) -> None:
    """Runs what is missing, writes the page, and exits with 1 on a miss."""
    command_line.check(argv)
    task = sweep_flags.task(CONFIGS, "read_text")
    home, docs = os.path.join("runs", "reading", task), os.path.join("docs", "results", "reading")
    os.makedirs(home, exist_ok=True)
    os.makedirs(docs, exist_ok=True)
    try:
        asked = {(config.variant, config.seed): config for config in build()}
        whole = {at for at, config in asked.items() if config.rounds >= CONFIGS[task].rounds}
        results.refuse_loss(os.path.join(docs, f"{task}-raw.csv"), lambda variant, seed, _: (variant, seed) in whole)
        cells = [cell(config, home, docs) for config in asked.values()]
    except (RunError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error
    text, reached = table(task, cells)
    for name, page in ((f"{task}.md", text), (f"{task}-raw.csv", raw(cells))):
        with open(os.path.join(docs, name), "w", encoding="utf-8") as file:
            file.write(page)
    print(text)
    if not reached:
        raise SystemExit(1)


if __name__ == "__main__":
    app.run(main)
