"""Settings of the peers, one for all tasks, the same in TF-Agents and Stable-Baselines3; imports nothing.

DQN's and its replay's are those of the project's own runs (batch, an update a move, replay, warm-up) so that what
differs is the agent; SAC's and PPO's are the defaults of their papers and of Stable-Baselines3.
"""
from __future__ import annotations

GAMMA = 0.99
REPLAY_SIZE = 100_000
WARMUP = 300
DQN = {"layers": (100, 50), "learning_rate": 1e-3, "batch_size": 64, "epsilon": 0.1, "target_update_period": 200}
CATEGORICAL = {**DQN, "atoms": 51}
SAC = {"layers": (256, 256), "learning_rate": 3e-4, "batch_size": 256, "tau": 0.005}
PPO = {"layers": (64, 64), "learning_rate": 3e-4, "batch_size": 64, "horizon": 2048, "epochs": 10, "clip": 0.2,
       "gae_lambda": 0.95}
