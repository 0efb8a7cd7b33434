"""Run by test_export: loads an exported policy where nothing of the project was imported, and acts."""
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from tf_agents.policies import py_tf_eager_policy


def main():
    path, steps_path, out_path = sys.argv[1:]
    specs = py_tf_eager_policy.SavedModelPyTFEagerPolicy(path, load_specs_from_pbtxt=True)
    policy = tf.saved_model.load(path)
    with np.load(steps_path, allow_pickle=False) as file:
        steps, index = [], 0
        leaves = len(tf.nest.flatten(specs.time_step_spec))
        while f"{index}/0" in file:
            flat = [tf.constant(file[f"{index}/{i}"]) for i in range(leaves)]
            steps.append(tf.nest.pack_sequence_as(specs.time_step_spec, flat))
            index += 1
    state, found = dict(policy.get_initial_state(len(steps[0].reward))), {}
    state["rng"] = tf.zeros_like(state["rng"])
    for index, step in enumerate(steps):
        taken = policy.action(step, state)
        state = taken.state
        for i, leaf in enumerate(tf.nest.flatten((taken.action, dict(taken.state), taken.info))):
            found[f"{index}/{i}"] = leaf.numpy()
    np.savez(out_path, **found)
    assert not [name for name in sys.modules if name.split(".")[0] in ("infonodes", "experiments")]


if __name__ == "__main__":
    main()
