"""The agent: perception re-run on replay, one tape, one optimiser step."""
from __future__ import annotations

from typing import Any, Callable, Iterable, Optional, Union

import gin
import tensorflow as tf
from tf_agents.agents import data_converter, tf_agent
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory as trajectory_lib

from infonodes import learning, slots
from infonodes.graph import NodeGraph
from infonodes.info_nodes.info_node import InfoNode
from infonodes.learning import Update
from infonodes.modes import Modes
from infonodes.policy import InfoNodePolicy, obs2dict
from infonodes.rewards import CostTree
from infonodes.types import IMPORTANCE_WEIGHT, Experience, GraphError, Nest, NodeError, Spec, State


@gin.configurable(module="infonodes")
class InfoNodeAgent(tf_agent.TFAgent):
    """Trains a graph of nodes from trajectories of its collect policy.

    One `train` call:

    ```
    trajectory ─ recorded states, observations, controls ─► perceive, parents first
      1 one tape over the losses of all nodes
      2 nodes that train themselves (RLNodes)
      3 slow copies, running statistics
      4 one optimiser step
    ```

    `LossInfo.extra` holds `cost` `[B]` (the new replay priorities) and `scalars` `[S]`, each node's
    loss, cost and metrics, which the method `scalars` names. Importance weights are read from
    `policy_info['importance_weight']` `[B, T]` if the replay added them.
    """

    def __init__(
        self,
        time_step_spec: ts.TimeStep,
        action_spec: Spec,
        nodes: Union[NodeGraph, Iterable[InfoNode]],
        optimizer: Optional[tf.keras.optimizers.legacy.Optimizer] = None,
        modes: Modes = Modes(),
        cost_tree: Optional[CostTree] = None,
        train_sequence_length: Optional[int] = None,
        gradient_clipping: Optional[float] = 10.0,
        seed: int = 0,
        observation_to_dict: Callable[[ts.TimeStep], State] = obs2dict,
        dict_to_action: Optional[Callable[[dict[str, Nest]], Nest]] = None,
        jit_compile: Optional[bool] = None,
        debug_summaries: bool = False,
        summarize_grads_and_vars: bool = False,
        train_step_counter: Optional[tf.Variable] = None,
        name: str = "InfoNodeAgent",
    ):
        """Builds the agent and its policies.

        Args:
          time_step_spec: As TF-Agents' agents take it.
          action_spec: The same.
          nodes: The nodes in any order, or a graph of them.
          optimizer: Steps the variables of all nodes; Adam at 1e-3 by default.
          modes: The switches of collecting and training; `policy` is their greedy form.
          cost_tree: How node costs sum up.
          train_sequence_length: T of the trajectories; None takes any.
          gradient_clipping: Global norm, of all replicas together, or None.
          seed: Fixes what training samples, with the train step.
          observation_to_dict: See `InfoNodePolicy`.
          dict_to_action: See `InfoNodePolicy`.
          jit_compile: Compile tick and update with XLA; by default where all nodes are
            stateless (see `InfoNodePolicy`). Under a distribution strategy the update is
            never compiled, since replicas must meet within it.
          debug_summaries: Write summaries of each node's cost, loss and metrics.
          summarize_grads_and_vars: Write summaries of gradients' norms by node.
          train_step_counter: Counts `train` calls; a variable of its own by default, so
            that agents do not advance each other's.
          name: Name of the agent.

        Raises:
          GraphError: if the nodes do not make a graph that fits the specs.
        """
        tf.Module.__init__(self, name=name)
        self.graph = nodes if isinstance(nodes, NodeGraph) else NodeGraph(nodes)
        self.modes = modes
        self.cost_tree = cost_tree or CostTree()
        unknown = sorted(set(self.cost_tree.weights) - set(self.graph.names))
        if unknown:
            raise GraphError(f"cost_tree weighs {unknown}, which no node is called; there are {list(self.graph.names)}")
        if jit_compile is None:
            jit_compile = self.graph.stateless
        self._policy_arguments: dict[str, Any] = dict(
            graph=self.graph,
            cost_tree=self.cost_tree,
            observation_to_dict=observation_to_dict,
            dict_to_action=dict_to_action,
            jit_compile=jit_compile,
        )
        self._obs2dict = observation_to_dict
        self._optimizer = optimizer or tf.keras.optimizers.legacy.Adam(1e-3)
        self._gradient_clipping = gradient_clipping
        self._seed = seed
        self._time_step_spec, self._action_spec = time_step_spec, action_spec
        if train_step_counter is None:
            train_step_counter = tf.Variable(0, trainable=False, dtype=tf.int64, name="train_step")
        collect_policy = self.make_policy(modes)
        super().__init__(
            time_step_spec,
            action_spec,
            policy=self.make_policy(modes.replace(greedy=True)),
            collect_policy=collect_policy,
            train_sequence_length=train_sequence_length,
            debug_summaries=debug_summaries,
            summarize_grads_and_vars=summarize_grads_and_vars,
            train_step_counter=train_step_counter,
        )
        self._as_trajectory = data_converter.AsTrajectory(
            self.data_context, sequence_length=train_sequence_length
        )
        self._learned = [
            (v, scale) for n in self.graph.nodes if n.trainable for v, scale in n.learned()
        ]
        slots.create(self._optimizer, [v for v, _ in self._learned])
        self._scalar_names: tuple[str, ...] = ()  # Known once an update or a loss was traced.
        self._compiled_update = tf.function(self._update, jit_compile=jit_compile, autograph=False)
        self._compiled_assess = tf.function(self._assess, jit_compile=jit_compile, autograph=False)

    @property
    def on_policy(self) -> bool:
        """Whether some node may train on its data once only, in order: use `replay.FifoReplay`."""
        return any(node.on_policy for node in self.graph.nodes)

    @property
    def collect_data_spec(self) -> trajectory_lib.Trajectory:
        """What `train` takes, without outer dimensions.

        Of plain dicts: TensorFlow wraps those that a module keeps, and what is made after a spec is
        wrapped like it. A train step on wrapped dicts takes 1.03 times as long.
        """
        spec = super().collect_data_spec
        info = {k: dict(v) if isinstance(v, dict) else v for k, v in spec.policy_info.items()}
        return spec._replace(policy_info=info)

    def make_policy(self, modes: Modes) -> InfoNodePolicy:
        """Returns a policy over the same nodes in other `modes`.

        `make_policy(Modes(collect='random'))` is the warm-up policy: it emits the same info.

        Raises:
          GraphError: for `rainbow` without a node that trains itself.
        """
        if modes.collect == "rainbow" and not any(n.trains_itself for n in self.graph.nodes):
            raise GraphError(
                "modes.collect='rainbow' lets RLNodes choose, and the graph "
                f"{list(self.graph.names)} has none; add one or collect by 'policy'"
            )
        return InfoNodePolicy(
            self._time_step_spec, self._action_spec, modes=modes, **self._policy_arguments
        )

    def perceive(self, experience: trajectory_lib.Trajectory) -> dict[str, Experience]:
        """Returns what each node would learn from, by name: perception re-run with today's parameters.

        Args:
          experience: Of the collect policy, `[B, T, ...]`, of any length that the nodes take.
        """
        return self._perceive(experience, self._seed_at(self.train_step_counter.read_value()))

    def scalars(self, found: tf_agent.LossInfo) -> dict[str, tf.Tensor]:
        """Returns what `train` or `loss` found of each node, by `node/loss`, `node/cost` and `node/metric`.

        Args:
          found: As this agent returned it. TF-Agents' Learner sums whatever is no scalar, so that
            what it returns has lost these; `debug_summaries` shows them there.

        Raises:
          ValueError: if `found` is not as this agent returned it.
        """
        values = found.extra["scalars"]
        if values.shape != [len(self._scalar_names)]:
            raise ValueError(
                f"LossInfo.extra['scalars']: expected {[len(self._scalar_names)]}, got {values.shape}; pass what "
                "this agent's train or loss returned, not what a Learner has summed of it"
            )
        return dict(zip(self._scalar_names, tf.unstack(values)))

    # -- what PPOLearner asks of an agent besides ----------------------------------------

    # Nodes normalise what they see themselves, in `after_update`.
    update_normalizers_in_train = False

    def update_observation_normalizer(self, observations: Nest) -> None:
        """Does nothing: sensors keep their own statistics."""

    def update_reward_normalizer(self, rewards: tf.Tensor) -> None:
        """Does nothing, for the same reason."""

    # -- TFAgent -----------------------------------------------------------------------

    def _initialize(self) -> None:
        for node in self.graph.nodes:
            node.initialize()

    def _train(
        self, experience: trajectory_lib.Trajectory, weights: Optional[tf.Tensor]
    ) -> tf_agent.LossInfo:
        trajectory, importance = self._prepare(experience)
        run = self._update if tf.distribute.has_strategy() else self._compiled_update
        found = run(trajectory, importance, weights, self.train_step_counter.read_value())
        # One after the other: side by side, each step would wake a thread of its own for the counter.
        with tf.control_dependencies([found.loss]):
            self.train_step_counter.assign_add(1)
        self._summarize(found)
        return found

    def _loss(
        self,
        experience: trajectory_lib.Trajectory,
        weights: Optional[tf.Tensor] = None,
        training: bool = False,
    ) -> tf_agent.LossInfo:
        del training  # Nodes have no layers that differ.
        trajectory, importance = self._prepare(experience)
        run = self._assess if tf.distribute.has_strategy() else self._compiled_assess
        return run(trajectory, importance, weights, self.train_step_counter.read_value())

    def _prepare(
        self, experience: trajectory_lib.Trajectory
    ) -> tuple[trajectory_lib.Trajectory, Optional[tf.Tensor]]:
        """Checks a trajectory against the spec; returns what nodes read of it, and its importance weights.

        The action is in the nodes' decisions too, and the recorded cost is replay's: each array
        that is handed to a compiled function takes its time.
        """
        info = experience.policy_info
        importance = info.get(IMPORTANCE_WEIGHT) if isinstance(info, dict) else None
        if importance is not None:
            self._refuse_reuse()
            rest = {k: v for k, v in info.items() if k != IMPORTANCE_WEIGHT}
            experience = experience._replace(policy_info=rest)
        trajectory = self._as_trajectory(experience)
        recorded = {"packed": trajectory.policy_info["packed"]}
        return trajectory._replace(action=(), policy_info=recorded), importance

    def _refuse_reuse(self) -> None:
        once = [node.name for node in self.graph.nodes if node.on_policy]
        if once:
            raise GraphError(
                f"nodes {once} learn on policy, and the experience has importance weights: it comes "
                "from a prioritised replay; use replay.FifoReplay"
            )

    def _seed_at(self, step: tf.Tensor) -> tf.Tensor:
        return tf.stack([tf.constant(self._seed, tf.int32), tf.cast(step, tf.int32)])

    # -- the update ----------------------------------------------------------------------

    def _update(
        self,
        trajectory: trajectory_lib.Trajectory,
        importance: Optional[tf.Tensor],
        weights: Optional[tf.Tensor],
        step: tf.Tensor,
    ) -> tf_agent.LossInfo:
        """Lets nodes train themselves, moves what follows slowly, and steps the optimiser.

        The step comes last: slow copies follow the networks as they were before it.
        """
        weights = learning.row_weights(trajectory.discount, importance, weights)
        variables = [v for v, _ in self._learned]
        with tf.GradientTape() as tape:
            experiences = self._perceive(trajectory, self._seed_at(step))
            found = learning.node_losses(self.graph, experiences)
            loss, losses = learning.aggregate(found, weights)
        gradients, norm = [], tf.zeros([])
        if variables:
            gradients = tape.gradient(
                loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            norm = tf.linalg.global_norm(gradients)
            if self._gradient_clipping:
                # Replicas' gradients are summed: each may have its share, so that the sum is within.
                share = self._gradient_clipping / tf.distribute.get_strategy().num_replicas_in_sync
                gradients, _ = tf.clip_by_global_norm(gradients, share, norm)
        experiences = tf.nest.map_structure(
            lambda x: tf.stop_gradient(x) if isinstance(x, tf.Tensor) else x, experiences
        )
        trained = learning.gather(self.graph, lambda node: node.train(experiences[node.name], weights))
        for node in self.graph.nodes:
            if node.trainable:
                node.after_update(experiences[node.name], step)
        update = learning.merge(self.cost_tree, loss, losses, found, trained, weights)
        if gradients:
            self._apply(gradients)
        return self._loss_info(update, norm)

    def _assess(
        self,
        trajectory: trajectory_lib.Trajectory,
        importance: Optional[tf.Tensor],
        weights: Optional[tf.Tensor],
        step: tf.Tensor,
    ) -> tf_agent.LossInfo:
        weights = learning.row_weights(trajectory.discount, importance, weights)
        experiences = self._perceive(trajectory, self._seed_at(step))
        found = learning.node_losses(self.graph, experiences)
        loss, losses = learning.aggregate(found, weights)
        assessed = learning.gather(self.graph, lambda node: node.assess(experiences[node.name], weights))
        update = learning.merge(self.cost_tree, loss, losses, found, assessed, weights)
        return self._loss_info(update, tf.zeros([]))

    def _loss_info(self, found: Update, norm: tf.Tensor) -> tf_agent.LossInfo:
        """Packs the scalars: each leaf that leaves a compiled call and crosses into Python costs 20 µs."""
        scalars = {**found.scalars, "agent/gradient_norm": norm}
        names = tuple(sorted(scalars))
        if self._scalar_names not in ((), names):
            differ = sorted(set(self._scalar_names) ^ set(names))
            raise NodeError(f"{differ} are reported at one call and not at another; return the same metrics always")
        self._scalar_names = names
        packed = tf.stack([tf.cast(scalars[name], tf.float32) for name in names])
        return tf_agent.LossInfo(found.loss, {"cost": found.cost, "scalars": packed})

    def _perceive(self, trajectory: trajectory_lib.Trajectory, seed: tf.Tensor) -> dict[str, Experience]:
        """Re-runs perception node by node in graph order, parents first."""
        info = self.collect_policy.unpack_info(trajectory.policy_info)
        seen = info["environment"]
        time_step = ts.TimeStep(trajectory.step_type, seen["reward"], seen["discount"], trajectory.observation)
        met = self.cost_tree.total(info["costs"])
        shared = dict(
            step_type=trajectory.step_type,
            next_step_type=trajectory.next_step_type,
            reward=trajectory.reward,
            discount=trajectory.discount,
            intrinsic=-tf.concat([met[:, 1:], tf.zeros_like(met[:, :1])], axis=1),
            modes=self.modes,
        )
        return learning.perceive(self.graph, self._obs2dict(time_step), info, seed, shared)

    # -- the optimiser ---------------------------------------------------------------------

    def _apply(self, gradients: list[tf.Tensor]) -> None:
        """One optimiser step, then shortened for the variables whose rate is scaled.

        Scaling the gradient instead would do nothing under Adam.
        """
        scaled = [(v, v.read_value(), s) for v, s in self._learned if s != 1.0]
        self._optimizer.apply_gradients([(g, v) for g, (v, _) in zip(gradients, self._learned)])
        for variable, before, scale in scaled:
            variable.assign(before + scale * (variable.read_value() - before))

    def _summarize(self, found: tf_agent.LossInfo) -> None:
        if not self._debug_summaries:
            return
        step = self.train_step_counter
        for name, value in self.scalars(found).items():
            tf.summary.scalar(f"InfoNode/{name}", value, step=step)
        tf.summary.histogram("InfoNode/priority", found.extra["cost"], step=step)
