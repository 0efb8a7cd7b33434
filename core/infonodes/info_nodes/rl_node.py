"""RLNode: any TF-Agents agent as a node."""
from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping, Optional

import gin
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.agents.dqn import dqn_agent
from tf_agents.agents.ppo import ppo_agent
from tf_agents.agents.reinforce import reinforce_agent
from tf_agents.policies import actor_policy, epsilon_greedy_policy, greedy_policy, q_policy, tf_policy
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory as trajectory_lib

from infonodes.info_nodes.info_node import SCALAR, InfoNode
from infonodes.networks.statistic import Statistic
from infonodes.packing import outer_shape
from infonodes.types import ENVIRONMENT, Experience, GraphError, Nest, NodeLoss, State, Target, Tick

REWARDS = ("reward", "intrinsic", "sum", "sensed")
AgentFn = Callable[[ts.TimeStep, Any, tf.Variable], tf_agent.TFAgent]


def greedy_of(agent: tf_agent.TFAgent) -> tf_policy.TFPolicy:
    """Returns an agent's policy for evaluation, without noise: SacAgent's own samples, as it does while it collects."""
    policy = agent.policy
    return greedy_policy.GreedyPolicy(policy) if isinstance(policy, actor_policy.ActorPolicy) else policy


@gin.configurable(module="infonodes")
class RLNode(InfoNode):
    """Lets a `TFAgent` choose the targets of one control from the parents' signals.

    ```
    sees   the parents' signals, joined, as the agent's observation [S]
    keeps  the agent's policy state
    says   the agent's action as a target: to an actuator, or a latent to a PredNode
    costs  nothing a tick; its priority in replay is the agent's TD error, if it has one
    ```

    The agent trains itself, with its own optimiser and step counter, on windows of the
    length that it asks for. What its control really did is the action it learns from,
    except for latent targets and on-policy agents, which learn from what they asked.
    """

    def __init__(
        self,
        name: str,
        parent_names: Iterable[str],
        control_name: str,
        agent_fn: AgentFn,
        reward: str = "reward",
        gamma: float = 0.99,
        shape_parents: bool = False,
        on_policy: Optional[bool] = None,
        trainable: bool = True,
        reward_name: Optional[str] = None,
        greedy_slow: bool = False,
    ):
        """Builds the node; the agent is made when it is bound.

        Args:
          name: Name of the node.
          parent_names: What it sees; its control too, if it is named here or is latent.
          control_name: Whom it controls.
          agent_fn: `(time_step_spec, action_spec, train_step_counter) -> TFAgent`.
          reward: `reward` (the environment's), `intrinsic` (minus the weighted costs of
            the graph) or their `sum`; under these two a termination is an absorbing
            state that costs for ever a tenth more than the highest cost met. `sensed`: what
            the node `reward_name` says.
          gamma: Discount of that absorbing state.
          shape_parents: Let the agent's loss also train the parents' encoders; for agents
            that have a loss (DQN, C51). It is the batch's mean: importance weights do not tell rows apart.
          on_policy: Whether its data may be used once only; by default known for PPO and
            REINFORCE, False for others.
          trainable: False freezes it.
          reward_name: A DriveSensor, say, for `reward="sensed"`; not part of what is seen.
          greedy_slow: In greedy mode act by the agent's target network, if it has one (DQN):
            weights averaged over updates evaluate steadier than the last ones.

        Raises:
          ValueError: for an unknown `reward`, or a `sensed` one without `reward_name`.
        """
        parents = tuple(parent_names) + (() if reward_name is None else (reward_name,))
        self._sees_control = control_name in parents
        if control_name not in parents:
            parents += (control_name,)
        super().__init__(
            name, (*parents, ENVIRONMENT), control_names=(control_name,), trainable=trainable
        )
        if reward not in REWARDS:
            raise ValueError(f"RLNode {name!r}: reward={reward!r}: expected one of {REWARDS}")
        if (reward == "sensed") != (reward_name is not None):
            raise ValueError(
                f"RLNode {name!r}: reward={reward!r}, reward_name={reward_name!r}: the name of the node that says the "
                "reward goes with 'sensed', and with that alone"
            )
        self._reward_name = reward_name
        self._greedy_slow = greedy_slow
        self.trains_itself = True
        self.stateless = False
        self._control_name, self._agent_fn = control_name, agent_fn
        self._reward, self._gamma = reward, gamma
        self._shape_parents = shape_parents
        self._asked_on_policy = on_policy

    def _bind(self) -> None:
        control = self.peer(self._control_name)
        if control.target_spec is None:
            raise GraphError(f"node {self.name!r} controls {self._control_name!r}, which takes no targets")
        self._seen = tuple(
            p for p in self.parent_names
            if p not in (ENVIRONMENT, self._reward_name) and self.peer(p).signal_size
            and (p != self._control_name or control.is_latent or self._sees_control)
        )
        size = sum(self.peer(p).signal_size for p in self._seen)
        if not size:
            raise GraphError(
                f"node {self.name!r}: its parents {self.parent_names} say nothing; give it a parent with a signal"
            )
        counter = tf.Variable(0, trainable=False, dtype=tf.int64, name="train_step")
        spec = ts.time_step_spec(tf.TensorSpec([size], tf.float32, "latent"))
        self.agent = self._agent_fn(spec, control.target_spec, counter)
        if self.agent.train_step_counter is not counter:
            raise GraphError(
                f"node {self.name!r}: agent_fn must pass train_step_counter on, or agents advance each other's"
            )
        known = isinstance(self.agent, (ppo_agent.PPOAgent, reinforce_agent.ReinforceAgent))
        self.on_policy = known if self._asked_on_policy is None else self._asked_on_policy
        self._has_loss = type(self.agent)._loss is not tf_agent.TFAgent._loss  # pylint: disable=protected-access
        self._greedy, self._collect = greedy_of(self.agent), self.agent.collect_policy
        slow = getattr(self.agent, "_target_q_network", None)
        if self._greedy_slow and type(self.agent) is dqn_agent.DqnAgent and slow is not None:  # C51's heads differ.
            by_value = q_policy.QPolicy(spec, self.agent.action_spec, slow)
            self._greedy = greedy_policy.GreedyPolicy(by_value)
        self._info_spec = _tuples(self._collect.info_spec)
        self._highest_cost = Statistic(tf.constant(0.0), "highest_cost")
        self.state_spec = {
            "agent": _tuples(self._collect.policy_state_spec),
            "action": _tuples(control.target_spec) if self._records_action else (),
            "info": self._info_spec,
            "latent": tf.TensorSpec([size], tf.float32) if self.on_policy else (),
            "cost": SCALAR,
        }
        self.decision_spec = {k: self.state_spec[k] for k in ("action", "info", "latent")}

    @property
    def _records_action(self) -> bool:
        return self.on_policy or self.peer(self._control_name).is_latent

    def _learned(self) -> list[tuple[tf.Variable, float]]:
        return []

    def _initialize(self) -> None:
        self.agent.initialize()

    def _initial_state(self, batch_size: int | tf.Tensor) -> State:
        state = super()._initial_state(batch_size)
        return {**state, "agent": _tuples(self._collect.get_initial_state(batch_size))}

    # -- the tick -----------------------------------------------------------------------

    def _latent(self, parents: Mapping[str, State]) -> tf.Tensor:
        return tf.concat([self.peer(p).signal(parents[p]) for p in self._seen], axis=-1)

    def _top_down(self, targets, parent_states, state: State, tick: Tick):
        del targets
        world = parent_states[ENVIRONMENT]
        latent = tf.stop_gradient(self._latent(parent_states))
        time_step = ts.TimeStep(world["step_type"], world["reward"], world["discount"], latent)
        policy = self._greedy if tick.modes.greedy else self._collect
        before = tf.nest.pack_sequence_as(policy.policy_state_spec, tf.nest.flatten(state["agent"]))
        step = _action(policy, time_step, before, tick)
        info = state["info"] if tick.modes.greedy else _tuples(step.info)
        after = {
            "agent": _tuples(step.state),
            "action": _tuples(step.action) if self._records_action else (),
            "info": info,
            "latent": latent if self.on_policy else (),
            "cost": state["cost"],
        }
        valid = tf.ones(tf.shape(latent)[:1], tf.bool)
        return {self._control_name: Target(step.action, valid)}, after

    def _decision(self, state: State) -> Nest:
        return {k: state[k] for k in ("action", "info", "latent")}

    def _perceive(self, parents, recorded: State, experience: Experience) -> State:
        return recorded

    # -- learning ---------------------------------------------------------------------------

    def _trajectory(self, experience: Experience, latent: tf.Tensor) -> trajectory_lib.Trajectory:
        """The agent's own trajectory, in windows of the length it trains on, `[N, n]`."""
        control, decided = self.peer(self._control_name), experience.decision
        if self._records_action:
            action = tf.nest.pack_sequence_as(control.target_spec, tf.nest.flatten(decided["action"]))
        else:
            action = control.decode(experience.controls[self._control_name])
        info = tf.nest.pack_sequence_as(self._collect.info_spec, tf.nest.flatten(decided["info"]))
        whole = trajectory_lib.Trajectory(
            step_type=experience.step_type,
            observation=latent,
            action=action,
            policy_info=info,
            next_step_type=experience.next_step_type,
            reward=self._signal_of(experience),
            discount=experience.discount,
        )
        length = self.agent.train_sequence_length
        return whole if length is None else tf.nest.map_structure(lambda x: windows(x, length), whole)

    def _signal_of(self, experience: Experience) -> tf.Tensor:
        if self._reward == "reward":
            return experience.reward
        if self._reward_name is not None:  # Said at t + 1 of the move from t.
            said = experience.parents[self._reward_name]["value"]
            return tf.concat([said[:, 1:], said[:, -1:]], axis=1)
        absorbing = 1.1 * self._highest_cost.value * self._gamma / (1 - self._gamma)
        reward = experience.intrinsic - tf.where(experience.discount <= 0.0, absorbing, 0.0)
        return reward + experience.reward if self._reward == "sum" else reward

    def _loss(self, experience: Experience) -> Optional[NodeLoss]:
        if not (self._shape_parents and self._has_loss and experience.modes.train_policy):
            return None
        with tf.summary.record_if(False):
            found = self.agent.loss(self._trajectory(experience, self._latent(experience.parents)))
        batch = tf.shape(experience.reward)[:1]
        return NodeLoss(tf.fill(batch, found.loss), tf.zeros(batch), {})

    def _train(self, experience: Experience, weights: tf.Tensor) -> Optional[NodeLoss]:
        if not (self.trainable and experience.modes.train_policy):
            return None
        latent = experience.decision["latent"] if self.on_policy else self._latent(experience.parents)
        whole = self._trajectory(experience, tf.stop_gradient(latent))
        self._highest_cost.assign(tf.maximum(self._highest_cost.value, tf.reduce_max(-experience.intrinsic)))
        with tf.summary.record_if(False):  # Its absolute scopes would collide with other nodes'.
            found = self.agent.train(self.agent.preprocess_sequence(whole), self._weights(weights, whole))
        return self._node_loss(found, experience)

    def _assess(self, experience: Experience, weights: tf.Tensor) -> Optional[NodeLoss]:
        if not (self.trainable and experience.modes.train_policy):
            return None
        batch = tf.shape(weights)
        if not self._has_loss:
            return NodeLoss(tf.zeros(batch), tf.zeros(batch), {})
        whole = self._trajectory(experience, self._latent(experience.parents))
        with tf.summary.record_if(False):
            found = self.agent.loss(whole, self._weights(weights, whole))
        return self._node_loss(found, experience)

    def _weights(self, weights: tf.Tensor, whole: trajectory_lib.Trajectory) -> Optional[tf.Tensor]:
        if self.on_policy:
            return None
        return tf.repeat(weights, tf.shape(whole.discount)[0] // tf.shape(weights)[0])

    def _node_loss(self, found: tf_agent.LossInfo, experience: Experience) -> NodeLoss:
        batch = outer_shape(experience.reward, 1)[0]
        td_error = getattr(found.extra, "td_error", None)
        cost = tf.zeros([batch])
        if isinstance(td_error, tf.Tensor) and td_error.shape.rank >= 1:
            cost = tf.reduce_mean(tf.abs(tf.reshape(td_error, [batch, -1])), axis=1)
        return NodeLoss(tf.fill([batch], found.loss), cost, {})


def _action(policy: tf_policy.TFPolicy, time_step: ts.TimeStep, state: Nest, tick: Tick) -> policy_step.PolicyStep:
    """Returns what `policy` does; what is ε-greedy draws from the tick's seed.

    The stock ε-greedy policy draws from TensorFlow's global generator, whose state no checkpoint
    holds: a resumed run would explore otherwise than one that was never stopped.
    """
    masked = policy.observation_and_action_constraint_splitter is not None
    if not isinstance(policy, epsilon_greedy_policy.EpsilonGreedyPolicy) or policy.info_spec or masked:
        return policy.action(time_step, state)
    best = policy._greedy_policy.action(time_step, state)  # pylint: disable=protected-access
    epsilon = policy._get_epsilon()  # pylint: disable=protected-access
    explores = tf.random.stateless_uniform(tf.shape(time_step.discount), tick.fold(1).seed) < epsilon
    chosen = []
    for i, (spec, leaf) in enumerate(zip(tf.nest.flatten(policy.action_spec), tf.nest.flatten(best.action))):
        drawn = tf.random.stateless_uniform(
            tf.shape(leaf), tick.fold(2 + i).seed, spec.minimum, spec.maximum + 1, spec.dtype
        )
        chosen.append(tf.where(explores, drawn, leaf))
    return best._replace(action=tf.nest.pack_sequence_as(best.action, chosen))


def windows(tensor: tf.Tensor, length: int) -> tf.Tensor:
    """Returns all windows of `length` frames: `[B, T, ...]` to `[B * (T - length + 1), length, ...]`.

    Boundary frames stay in; agents mask them by step type.

    Raises:
      ValueError: if the trajectory is shorter than a window.
    """
    batch, time = outer_shape(tensor, 2)
    if isinstance(time, int) and time < length:
        raise ValueError(
            f"the agent trains on windows of {length} frames, the trajectory has {time}; "
            "lengthen the replay's sequences"
        )
    stacked = tf.stack([tensor[:, i : i + length] for i in range(time - length + 1)], axis=1)
    return tf.reshape(stacked, [batch * (time - length + 1), length] + tensor.shape[2:].as_list())


def _tuples(nest: Nest) -> Nest:
    """Returns `nest` with lists as tuples: replay buffers refuse lists."""
    if isinstance(nest, dict):
        return {k: _tuples(v) for k, v in nest.items()}
    if isinstance(nest, tuple) and hasattr(nest, "_fields"):
        return type(nest)(*[_tuples(v) for v in nest])
    if isinstance(nest, (list, tuple)):
        return tuple(_tuples(v) for v in nest)
    return nest
