"""Which part carries the result? Variants of the predictive agent on CartPole.

  python -m experiments.ablations
  python -m experiments.ablations --only=f_act_inverse,uniform  # refused where the table there has more
  python -m experiments.ablations --task=drift     # what keeps the cart from drifting off the track
"""
from __future__ import annotations

from absl import app

from experiments import command_line, results, sweep, sweep_flags
from experiments.errors import RunError
from experiments.run_config import RunConfig
from infonodes import presets

sweep_flags.adopt("seeds", "steps", "workers", "task", "only")

# One change each against `base`, whose settings are the preset's own.
VARIANTS = {
    "base": {},
    # How controls are found.
    "f_act_inverse": {"pred.f_act": "inverse"},
    "f_act_gradient": {"pred.f_act": "gradient"},
    "planning": {"preset": "planning"},
    "dream": {"modes.dream": True},
    # What children read; the error matters where a PredNode reads another.
    "hierarchical": {"preset": "hierarchical"},
    "hierarchical_error": {"preset": "hierarchical", "low.transmit": "error"},
    "transmit_error": {"pred.transmit": "error"},
    # How replay draws.
    "uniform": {"replay.exponent": 0.0},
    "exponent_0.3": {"replay.exponent": 0.3},
    "exponent_1.0": {"replay.exponent": 1.0},
    "no_importance_weights": {"replay.beta": 0.0},
    "no_uniform_share": {"replay.uniform_fraction": 0.0},
    # Information gain.
    "heads_only": {"pred.heads": 5},
    "curiosity": {"pred.heads": 5, "reward.curiosity": 0.1},
    # Slow copies.
    "no_slow_copies": {"pred.slow_rate": 1.0, "reward.slow_rate": 1.0},
    "greedy_fast": {"pred.greedy_slow": False},
    # What values lean on.
    "bootstrap_reached": {"reward.bootstrap": "reached", "agent.train_sequence_length": presets.WINDOW},
    "one_move": {"reward.lam": 0.0},
    # The set point.
    "quantile_0.5": {"reward.quantile": 0.5},
    "no_margin": {"reward.margin": 0.0},
    # The model.
    "layernorm": {"pred.norm": "layernorm"},
    "residual": {"pred.residual": True},
    "layernorm_residual": {"pred.norm": "layernorm", "pred.residual": True},
    "one_step": {"pred.unroll": 1},
    "no_inverse_loss": {"pred.inverse_weight": 0.0},
    "slow_encoder": {"pred.encoder_rate": 0.3},
    "no_precision": {"pred.use_precision": False},
    "recurrent": {"agent.recurrent": True},
    "one_value_head": {"reward.value_heads": 1},
    "repeat_1": {"reward.repeat": 1},
}


# Against seeds that balance the pole and let the cart drift off the track.
DRIFT = {
    "base": {},
    "residual": {"pred.residual": True},
    "hold": {"reward.epsilon_hold": 8},
    "residual_hold": {"pred.residual": True, "reward.epsilon_hold": 8},
}

# Variants and steps by task, each with a folder of results of its own.
TASKS = {"ablations": (VARIANTS, 10_000), "drift": (DRIFT, 15_000)}
SEEDS = 5


def build() -> sweep.Sweep:
    """Returns the sweep that the flags ask for."""
    task = sweep_flags.task(TASKS, "ablations")
    variants, steps = TASKS[task]
    only = sweep_flags.ONLY.value
    unknown = set(only) - set(variants)
    if unknown:
        raise RunError(f"--only={sorted(unknown)}: expected some of {list(variants)}")
    chosen = {n: v for n, v in variants.items() if not only or n in ("base", *only)}
    base = RunConfig(env="CartPole-v1", steps=sweep_flags.STEPS.value or steps)
    return sweep.Sweep(f"cartpole_{task}", base, chosen, range(sweep_flags.SEEDS.value or SEEDS))


def main(argv: list) -> None:
    """Runs what is missing and prints the table."""
    command_line.check(argv)
    try:
        asked = build()
        found = sweep.run(asked, sweep_flags.WORKERS.value)
    except RunError as error:
        raise SystemExit(f"error: {error}") from error
    print(results.table(asked.name, found, None))


if __name__ == "__main__":
    app.run(main)
