"""Tasks by agents by seeds: ours beside TF-Agents', Stable-Baselines3's and random moves."""
