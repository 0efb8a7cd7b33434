"""The flags of every binary that runs a sweep."""
from __future__ import annotations

from absl import flags

SEEDS = flags.DEFINE_integer("seeds", None, "Seeds a variant, from 0; the experiment's own number by default.")
STEPS = flags.DEFINE_integer("steps", None, "Environment steps a run; the experiment's own number by default.")
WORKERS = flags.DEFINE_integer("workers", 2, "Processes at a time, one TensorFlow thread each.")
ONLY = flags.DEFINE_list("only", [], "Variants to run; all by default.")
