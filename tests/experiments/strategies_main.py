"""Run by test_strategies: three updates of the learner's set-up, on one device or several."""
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from absl import app

from experiments.distributed import roles, strategies
from experiments.run_config import RunConfig
from infonodes.testing import trajectory_of

BATCH = 4


def main(argv):
    del argv
    setup = strategies.make()
    with setup.scope():
        agent = roles.build_agent(RunConfig(env="probe/one_action", preset="reactive", seed=3))
    tf.random.set_seed(1)
    whole = trajectory_of(agent, BATCH, 2)
    shard = BATCH // setup.replicas
    parts = [tf.nest.map_structure(lambda x, i=i: x[i * shard:(i + 1) * shard], whole) for i in range(setup.replicas)]
    train = tf.function(lambda x: (lambda f: (setup.mean(f.loss), f.extra["cost"]))(setup.run(agent.train, x)))
    before = np.concatenate([v.numpy().ravel() for v in agent.trainable_variables])
    mine = parts if setup.workers == 1 else parts[:1] if setup.is_chief else parts[1:]
    total = setup.total(tf.constant([not setup.is_chief, 5], tf.int64)).numpy()
    assert list(total) == ([1, 10] if setup.workers == 2 else [0, 5]), total
    for _ in range(3):
        loss, costs = train(setup.spread(mine))
    after = np.concatenate([v.numpy().ravel() for v in agent.trainable_variables])
    shapes = [tuple(c.shape) for c in setup.local(costs)]
    same = [np.unique(np.array([x.numpy() for x in getattr(v, "values", [v])]), axis=0).shape[0] == 1
            for v in agent.trainable_variables]
    print(
        "RESULT", setup.replicas, int(agent.train_step_counter.numpy()), np.isfinite(float(loss)), shapes,
        bool(np.abs(after - before).max() > 0), all(same), f"{after.sum():.6f}", flush=True,
    )
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    app.run(main)
