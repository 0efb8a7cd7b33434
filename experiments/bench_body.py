"""How fast does a body live in graph, and how does that grow with its organs?

  python -m experiments.bench_body

World and policy are one function, compiled by XLA up to `--xla_up_to` organs.

Writes docs/results/body_speed.md and body_speed.png.
"""
from __future__ import annotations

import os
import statistics
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
import tqdm
from absl import app, flags

from experiments import command_line, plotting, results
from experiments.forage_settings import body
from infonodes import presets
from infonodes.environments.forage import ForageSettings, ForageTFEnvironment
from infonodes.info_nodes.info_node import InfoNode
from infonodes.info_nodes.organs.energetics import (
    BodySettings,
    EnergyConversion,
    EnergyStorage,
    EnergyTransport,
    Organ,
    OrganSettings,
)

_BATCH = flags.DEFINE_integer("batch", 256, "Bodies.")
_TICKS = flags.DEFINE_integer("ticks", 50, "Ticks a call.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Calls; the median counts.")
_MINDS = flags.DEFINE_list("minds", list(presets.MINDS), "Which minds.")
_ORGANS = flags.DEFINE_list("organs", ["3", "10", "30", "100"], "Organs of each body, its blood among them.")
_XLA = flags.DEFINE_integer("xla_up_to", 30, "Most organs that are compiled by XLA, which takes minutes for more.")
_OUT = flags.DEFINE_string("out", os.path.join("docs", "results"), "Folder of the report.")

BAR = 20_000.0


def organs(count: int) -> list[InfoNode]:
    """Returns `count` organs that live on `blood`: a vessel, a depot on it, a liver and a muscle, in turns."""
    makers = (
        lambda name, _: EnergyTransport(name, "blood", OrganSettings(2, start=0.0)),
        lambda name, vessel: EnergyStorage(name, OrganSettings(2, capacity=0.1, start=0.05), vessel),
        lambda name, _: EnergyConversion(name, "blood", [[0.5, 0.3], [0.3, 0.5]]),
        lambda name, _: Organ(name, OrganSettings(2, start=0.1, basal=1e-5), "blood"),
    )
    return [makers[i % 4](f"organ{i}", f"organ{i - i % 4}") for i in range(count)]


def seconds_a_tick(mind: str, count: int) -> tuple[float, float]:
    """Returns the seconds of a tick of all bodies, and those of the first call, tracing and compiling."""
    env = ForageTFEnvironment(ForageSettings(), _BATCH.value, 0)
    specs, settings = (env.time_step_spec(), env.action_spec()), BodySettings(**body(env.settings))
    jit = count <= _XLA.value
    agent = presets.embodied(*specs, body=settings, mind=mind, organs=organs(count - 1), jit_compile=jit)
    agent.initialize()
    policy = agent.policy

    def live(*carried: Any) -> tuple:
        def tick(number: tf.Tensor, time_step: Any, policy_state: Any, state: Any) -> tuple:
            chosen = policy.action(time_step, policy_state)
            over = time_step.is_last()
            after, following, _ = env.advance(state, over, chosen.action, tf.stack([7, number]))
            return number + 1, following, chosen.state, after

        return tf.while_loop(lambda number, *_: number < _TICKS.value, tick, (tf.constant(0), *carried))[1:]

    run = tf.function(live, jit_compile=jit, autograph=False)
    state = type(env._state)(*(tf.identity(leaf) for leaf in env._state))  # pylint: disable=protected-access
    carried = (env.reset(), policy.get_initial_state(_BATCH.value), state)
    began = time.perf_counter()
    carried = run(*carried)
    first, times = time.perf_counter() - began, []
    for _ in range(_ROUNDS.value):
        began = time.perf_counter()
        carried = run(*carried)
        carried[0].reward.numpy()
        times.append((time.perf_counter() - began) / _TICKS.value)
    return statistics.median(times), first


def main(argv: list) -> None:
    """Prints and writes the table and the curve; exits with 1 on a miss."""
    command_line.check(argv)
    counts = [int(count) for count in _ORGANS.value]
    rows, rates = [], {mind: [] for mind in _MINDS.value}
    for mind, count in tqdm.tqdm([(m, c) for m in _MINDS.value for c in counts]):
        tick, first = seconds_a_tick(mind, count)
        rates[mind].append(_BATCH.value / tick)
        how = "XLA" if count <= _XLA.value else "graph"
        rows.append(f"| {mind} | {count} | {how} | {tick * 1e3:.2f} | {rates[mind][-1]:,.0f} | {first:.1f} |")
        tqdm.tqdm.write(rows[-1])
    best = max(rate[0] for rate in rates.values())
    verdict = results.verdict(best, BAR)
    text = "\n".join([
        "# Speed of a body\n",
        f"`python -m experiments.bench_body`: forage and the greedy policy of `embodied` in one function, "
        f"batch {_BATCH.value}, {os.cpu_count()} cores, TF {tf.__version__}; median of {_ROUNDS.value} calls of "
        f"{_TICKS.value} ticks. Agent steps/s at {counts[0]} organs: {verdict}.\n",
        "| mind | organs | compiled by | ms a tick | agent steps/s | first call, s |",
        "| --- | --- | --- | --- | --- | --- |", *rows, "",
        "![steps a second against organs](body_speed.png)\n",
    ])
    os.makedirs(_OUT.value, exist_ok=True)
    with open(os.path.join(_OUT.value, "body_speed.md"), "w", encoding="utf-8") as file:
        file.write(text)
    plotting.growth({m: (counts, r) for m, r in rates.items()}, os.path.join(_OUT.value, "body_speed.png"), BAR)
    print(text)
    if best < BAR:
        raise SystemExit(1)


if __name__ == "__main__":
    app.run(main)
