"""A short run of an agent with a body, that predicts, and how much of a report is asked of it."""
from experiments.forage_settings import body
from experiments.run_config import RunConfig
from infonodes.environments.forage import ForageSettings

CONFIG = RunConfig(
    env="forage", preset="embodied", steps=120, warmup=60, eval_every=60, eval_episodes=2, batch_size=8,
    train_every=10,
    settings={"pred": {"hidden": [8], "latent_size": 8}, "reward": {"gamma": 0.8}, "body": body(ForageSettings())},
)
SETTINGS = dict(steps=60, horizon=4, ticks=30)
