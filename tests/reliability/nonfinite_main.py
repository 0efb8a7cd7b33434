"""Run by test_nonfinite: trains on episodes with faults of one kind in them, and on the same ones without."""
import sys

import numpy as np
import tensorflow as tf
import tree
from tf_agents.environments import suite_gym
from tf_agents.policies import py_tf_eager_policy
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import trajectory

from experiments import settings
from infonodes.environments import guarded
from infonodes.replay import LocalReplay, ReplayFault

BAD = (np.nan, np.inf, -np.inf)


class Faulty(guarded.wrappers.PyEnvironmentBaseWrapper):
    """Spoils one field of a time step when told to."""

    spoil = None

    def _step(self, action):
        step = self._env.step(action)
        if self.spoil is None:
            return step
        field, value = self.spoil
        if field == "obs":
            return step._replace(observation=np.full_like(step.observation, value))
        return step._replace(reward=np.asarray(value, np.float32)) if field == "reward" else step


def record(agent, env_name, count):
    """Returns frames of the agent's own, with their (time step, action) pairs."""
    env = suite_gym.load(env_name)
    env.seed(0)
    policy = py_tf_eager_policy.PyTFEagerPolicy(agent.collect_policy, use_tf_function=True)
    step, state, frames = env.reset(), policy.get_initial_state(1), []
    while len(frames) < count:
        chosen = policy.action(step, state)
        after = env.step(chosen.action)
        frames.append(trajectory.from_transition(step, chosen, after))
        step, state = after, chosen.state
    return frames


def spoiled(frame, field, value):
    """Returns the frame with a value that is not finite where `field` says."""
    info = frame.policy_info
    if field == "cost":
        return frame._replace(policy_info={**info, "cost": np.full_like(info["cost"], value)})
    packed = {**info["packed"], "float32": info["packed"]["float32"].copy()}
    packed["float32"][..., 0] = value
    return frame._replace(policy_info={**info, "packed": packed})


def refused_by_environment(env_name, field, value):
    """Whether the guard names the field, the environment and the step."""
    faulty = Faulty(suite_gym.load(env_name))
    env = guarded.GuardedEnvironment(faulty, name="actor-7")
    env.reset()
    spec = env.action_spec()
    good = np.asarray((spec.minimum + spec.maximum) / 2, spec.dtype) * np.ones(spec.shape, spec.dtype)
    env.step(good)
    faulty.spoil = (field, value)
    bad = np.full_like(good, value) if field == "action" else good
    name = {"obs": "observation", "reward": "reward", "action": "action"}[field]
    try:
        env.step(bad)
    except guarded.EnvironmentFault as error:
        return name in str(error) and "actor-7" in str(error) and "step 1" in str(error)
    return False


def weights(agent, frames, faults, field):
    """Returns the weights after training, with `faults` bad frames put in between, and how many were refused."""
    replay = LocalReplay(agent.collect_data_spec, agent.train_sequence_length, seed=0)
    observer, refused = replay.observer(), 0
    cuts = set(np.linspace(10, len(frames) - 10, abs(faults)).astype(int))
    for number, frame in enumerate(frames):
        if number in cuts:
            if faults > 0:
                try:
                    observer(spoiled(frame, field, BAD[number % 3]))
                except ReplayFault as error:
                    refused += {"cost": "policy_info/cost", "policy_state": "policy_info/packed"}[field] in str(error)
            else:
                observer.discard()
        observer(frame)
    for _ in range(10):
        batch, info = replay.sample(16)
        replay.update_priorities(info, agent.train(tf.nest.map_structure(tf.constant, batch)).extra["cost"].numpy())
    return [v.numpy() for v in agent.variables], refused


def build(env):
    tf.keras.utils.set_random_seed(0)
    specs = tensor_spec.from_spec((env.time_step_spec(), env.action_spec()))
    return settings.build_agent("predictive", {"pred": {"hidden": [16], "latent_size": 8}}, *specs, 0)


def main():
    faults = int(sys.argv[1])
    for field in ("obs", "reward", "action"):
        found = sum(refused_by_environment("Pendulum-v1", field, BAD[i % 3]) for i in range(faults))
        print("RESULT", field, found, flush=True)
    env = suite_gym.load("CartPole-v1")
    frames = record(build(env), "CartPole-v1", 4 * faults + 40)
    clean, _ = weights(build(env), frames, -faults, "")
    for field in ("policy_state", "cost"):
        found, refused = weights(build(env), frames, faults, field)
        same = all(np.array_equal(a, b) and np.isfinite(a).all() for a, b in zip(found, clean))
        print("RESULT", field, refused, "same" if same else "DIFFERENT", flush=True)
    assert tree.flatten(clean)


if __name__ == "__main__":
    main()
