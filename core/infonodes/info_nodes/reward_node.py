"""RewardNode: values what a PredNode can reach and asks it for the best."""
from __future__ import annotations

from typing import Iterable, Mapping, NamedTuple, Optional

import gin
import tensorflow as tf

from infonodes.info_nodes import reward_learning
from infonodes.info_nodes.info_node import SCALAR, InfoNode
from infonodes.info_nodes.pred_node import PredNode
from infonodes.info_nodes.reward_settings import RewardSettings
from infonodes.networks.mlp import MLP, EnsembleMLP
from infonodes.networks.slow import Followed, Slow
from infonodes.networks.statistic import Statistic
from infonodes.rules import planning
from infonodes.types import Experience, GraphError, NodeLoss, State, Target, Tick

__all__ = ["Outlook", "RewardNode", "RewardSettings"]


class Outlook(NamedTuple):
    """What a move is worth.

    Attributes:
      reward: `[...]`, in the signal's units.
      proceeds: `[...]`, chance that it does not end the episode.
    """

    reward: tf.Tensor
    proceeds: tf.Tensor


class Met(NamedTuple):
    """What was met so far: scalars, kept as one variable, as each costs a compiled call 10 µs.

    Attributes:
      low: Least of the signal.
      high: Greatest of it.
      best: Best reward, at least 0.
      quantile: Running one of the values.
      epsilon: Chance of a random option while collecting.
    """

    low: tf.Tensor
    high: tf.Tensor
    best: tf.Tensor
    quantile: tf.Tensor
    epsilon: tf.Tensor


@gin.configurable(module="infonodes")
class RewardNode(InfoNode):
    """Chooses among the futures its PredNode can reach.

    ```
    sees   the reward, and z of one PredNode
    keeps  value [], cost []
    says   to the PredNode: the reachable latent that is worth most
             q(u) = (1−γ) r̂ + γ [ĉ V(ẑ') + (1−ĉ) terminal],  ẑ' = f_pred(z, u)
             r̂ and ĉ of (z, u, ẑ'): a control may be paid for without a trace in ẑ'
    costs  max(set point − r, 0)
    ```

    All values are normalised by 1 − γ, so that they lie in the range of the rewards met so
    far; V is a sigmoid over that range, fitted by cross-entropy: it cannot run away.

    Attributes:
      reward_name, pred_name: Its parents.
      outlook_head: Reward and continuation of a move, two numbers; made when the node is bound, as those below.
      value_heads: Places of V in the range as logits, a head each.
      interest: Value of what moves would teach, or None.
      gamma: Discount of a prediction, which may be several ticks.
    """

    def __init__(
        self,
        name: str,
        reward_name: str,
        pred_name: str,
        settings: RewardSettings = RewardSettings(),
        trainable: bool = True,
        lr_multiplier: float = 1.0,
        parent_names: Iterable[str] = (),
    ):
        """Builds the node.

        Args:
          name: Name of the node.
          reward_name: A sensor of the reward: a `RewardSensor` or a `DriveSensor`.
          pred_name: The PredNode that is valued and controlled.
          settings: See `RewardSettings`.
          trainable: False freezes it.
          lr_multiplier: Scale of the optimiser's step.
          parent_names: Further nodes to read; for subclasses.
        """
        super().__init__(
            name,
            parent_names=(reward_name, pred_name, *parent_names),
            control_names=(pred_name,),
            trainable=trainable,
            lr_multiplier=lr_multiplier,
        )
        self.settings = settings
        self.reward_name, self.pred_name = reward_name, pred_name
        self.state_spec = {"value": SCALAR, "cost": SCALAR}
        if settings.epsilon_hold > 1:
            self.state_spec.update(held=SCALAR, left=SCALAR)
        self.signal_size = 1

    # -- binding -----------------------------------------------------------------------

    def _bind(self) -> None:
        cfg, pred = self.settings, self.pred
        if not isinstance(pred, PredNode):
            raise GraphError(
                f"node {self.name!r}: pred_name {self.pred_name!r} is a {type(pred).__name__}, expected a PredNode"
            )
        if not pred.control_names:
            raise GraphError(
                f"node {self.name!r}: {self.pred_name!r} controls nothing, so no future is in reach; name its controls"
            )
        if cfg.curiosity and pred.heads is None:
            raise GraphError(
                f"node {self.name!r}: curiosity needs an ensemble in {self.pred_name!r}; "
                "set its PredSettings.heads to 5"
            )
        z = tf.zeros([1, pred.settings.latent_size])
        outlook = MLP((cfg.hidden,), 2, normalise=False, output_scale=0.1, name="outlook")
        value = EnsembleMLP(cfg.value_heads, cfg.hidden, 1, zero_output=True, name="value")
        self.outlook_head = Slow(outlook, cfg.slow_rate, *self.move(z, tf.zeros([1, pred.option_size]), z))
        self.value_heads = Slow(value, cfg.slow_rate, z)
        self.gamma = cfg.gamma**pred.settings.hold
        self.interest: Optional[Slow] = None
        if cfg.curiosity:
            interest = MLP((cfg.hidden,), 1, output_scale=0.0, name="interest")
            self.interest = Slow(interest, cfg.slow_rate, z)
        self._followed = Followed(self.outlook_head, self.value_heads, *([self.interest] if self.interest else []))
        self._statistics = Statistic(tf.constant([0.0, 0.0, 0.0, 0.0, cfg.epsilon]), "met")

    def _learned(self) -> list[tuple[tf.Variable, float]]:
        return [(v, self.lr_multiplier) for v in self._followed.learned()]

    def _initialize(self) -> None:
        self._followed.reset()

    # -- values ----------------------------------------------------------------------------

    @property
    def pred(self) -> PredNode:
        """The PredNode that is valued and controlled."""
        return self.peer(self.pred_name)

    @property
    def met(self) -> Met:
        """What was met so far."""
        return Met(*tf.unstack(self._statistics.value))

    def keep(self, **changes: tf.Tensor) -> None:
        """Replaces parts of `met`."""
        self._statistics.assign(tf.stack(self.met._replace(**changes)))

    @property
    def value_range(self) -> tf.Tensor:
        """Width of the signal's range, scalar, > 0."""
        width = self.met.high - self.met.low
        return tf.where(width > 1e-6, width, 1.0)  # No reward has been met yet, or all are 0.

    @property
    def set_point(self) -> tf.Tensor:
        """The reward a tick that the node expects of a good life, scalar.

        The quantile of its values if they are of the reward; the best reward met, and at
        least 0, if they are of the costs that follow from the set point itself.
        """
        if self.settings.signal == "intrinsic":
            return self.met.best
        met = self.met
        return tf.clip_by_value(met.quantile + self.settings.margin * self.value_range, met.low, met.high)

    @property
    def terminal(self) -> tf.Tensor:
        """Normalised value of having ended, scalar."""
        return self.met.low if self.settings.signal == "intrinsic" else tf.zeros([])

    def value(self, z: tf.Tensor, slow: bool = False) -> tf.Tensor:
        """Returns the normalised value of latents `[..., D]`: `[...]`, within the rewards' range."""
        heads = tf.sigmoid(self.value_heads(z, slow=slow)[..., 0])
        mean = tf.reduce_mean(heads, axis=-1)
        if self.settings.pessimism:
            mean -= self.settings.pessimism * tf.math.reduce_std(heads, axis=-1)
        return self.met.low + self.value_range * mean

    def outlook(self, z: tf.Tensor, controls: tf.Tensor, z_next: tf.Tensor, slow: bool = False) -> Outlook:
        """Returns reward and continuation of moves `[..., D]`, `[..., U]`, `[..., D]`."""
        reward, proceeds = tf.unstack(self.outlook_head(*self.move(z, controls, z_next), slow=slow), axis=-1)
        reward = self.met.low + self.value_range * tf.clip_by_value(reward, 0.0, 1.0)
        return Outlook(reward, tf.sigmoid(proceeds))

    def move(self, z: tf.Tensor, controls: tf.Tensor, z_next: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Returns what the outlook's head reads of a move."""
        return (z, controls, z_next) if self.settings.sees_controls else (z, z_next)

    def best(self, state: State, seed: tf.Tensor) -> tf.Tensor:
        """Returns the normalised q of the best option, by V's slow copy: `[N]`.

        The model is the one that is trained: its slow copy would cost a train step twice as much more, as nothing else
        in it reads that.

        Args:
          state: Of the PredNode: `z` `[N, D]`, and what its options are if it keeps them.
          seed: int32 `[2]`, of the sample where there are more options than `bootstrap_options`.
        """
        options, most = self.pred.options(state), self.settings.bootstrap_options
        if options.shape[1] > most:
            drawn = tf.argsort(tf.random.stateless_uniform([options.shape[1]], seed))[:most]
            options = tf.gather(options, drawn, axis=1)
        z = tf.repeat(state["z"][:, None], options.shape[1], axis=1)
        z_next = self.pred.predict(z, options)
        seen = self.outlook(z, options, z_next)
        return tf.reduce_max(self._earned(seen) + self.gamma * seen.proceeds * self.value(z_next, slow=True), axis=1)

    def _earned(self, seen: Outlook) -> tf.Tensor:
        """Returns what q counts of moves before what is worth reaching: rewards, and ends by their chance."""
        return (1 - self.gamma) * seen.reward + self.gamma * (1 - seen.proceeds) * self.terminal

    def score(
        self, z: tf.Tensor, controls: tf.Tensor, slow: bool = False, curious: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Values control sequences by rolling the PredNode's model out.

        Args:
          z: `[B, D]`.
          controls: `[B, W, H, U]`; each is held for `repeat` predictions.
          slow: Use the slow copies.
          curious: Add what the moves would teach.

        Returns:
          Normalised values `[B, W]`, and the first latents on the way `[B, W, D]`.
        """
        cfg, pred = self.settings, self.pred
        moves = [control for control in tf.unstack(controls, axis=2) for _ in range(cfg.repeat)]
        path = [tf.repeat(z[:, None], controls.shape[1], axis=1)]
        for control in moves:
            path.append(pred.predict(path[-1], control, slow=slow))
        # All moves at once: one product of many rows takes less than many of few.
        now, done = tf.stack(path[:-1]), tf.stack(moves)
        seen = self.outlook(now, done, tf.stack(path[1:]), slow=slow)
        worth = planning.worth(self._earned(seen), seen.proceeds, self.value(path[-1], slow=slow), self.gamma)
        if curious:
            assert self.interest is not None  # Curiosity made it when it was bound.
            gain = (1 - cfg.curiosity_gamma) * pred.information_gain(now, done)
            beyond = tf.nn.softplus(self.interest(path[-1], slow=slow)[..., 0])
            interest = planning.worth(gain, seen.proceeds, beyond, cfg.curiosity_gamma)
            worth += cfg.curiosity * self.value_range * interest
        return worth, path[1]

    # -- the tick -----------------------------------------------------------------------------

    def _bottom_up(self, parent_states: Mapping[str, State], state: State, tick: Tick) -> State:
        reward = parent_states[self.reward_name]
        z = parent_states[self.pred_name]["z"]
        cost = tf.where(reward["first"] > 0.5, 0.0, tf.maximum(self.set_point - reward["value"], 0.0))
        slow = self.pred.slow_in(tick)
        return {**state, "value": self.value(z, slow=slow), "cost": cost}

    def _signal(self, state: State) -> tf.Tensor:
        return state["value"][..., None]

    def _top_down(self, targets, parent_states, state: State, tick: Tick):
        del targets
        cfg, modes = self.settings, tick.modes
        pred = self.pred
        pred_state = parent_states[self.pred_name]
        options = pred.options(pred_state)  # [B, N, U]
        horizon = cfg.planning_horizon if modes.collect == "planning" else cfg.horizon
        controls = options[:, :, None]  # [B, W, H, U]
        if horizon > 1:  # Else as they are: XLA sees that f_act asks for the same predictions, and makes them once.
            paths = planning.sequences(options.shape[1], horizon, cfg.width, tick.fold(1).seed)
            controls = tf.gather(options, paths, axis=1)
        curious = cfg.curiosity > 0 and not modes.greedy
        worth, first = self.score(pred_state["z"], controls, pred.slow_in(tick), curious)
        choice = tf.argmax(worth, axis=1, output_type=tf.int32)
        if not modes.greedy:
            choice, state = self._explore(choice, worth.shape[1], state, tick)
        wish = tf.gather(first, choice, axis=1, batch_dims=1)
        valid = tf.fill(tf.shape(choice), modes.collect != "rainbow")
        return {self.pred_name: Target(wish, valid)}, state

    def _explore(self, choice: tf.Tensor, count: int, state: State, tick: Tick) -> tuple[tf.Tensor, State]:
        """Returns one of `count` options `[B]`, by chance a random one, and the state with what is held of it."""
        uniform = lambda part: tf.random.stateless_uniform(tf.shape(choice), tick.fold(part).seed)
        random = tf.random.stateless_uniform(tf.shape(choice), tick.fold(2).seed, 0, count, tf.int32)
        most, epsilon = self.settings.epsilon_hold, self.met.epsilon
        if most == 1:
            return tf.where(uniform(3) < epsilon, random, choice), state
        length = tf.clip_by_value(tf.floor(1.0 / uniform(4)), 1.0, float(most))
        mean = sum(1.0 / n for n in range(1, most + 1))
        begins = (state["left"] < 0.5) & (uniform(3) < epsilon / (mean * (1.0 - epsilon) + epsilon))
        held = tf.where(begins, tf.cast(random, tf.float32), state["held"])
        left = tf.where(begins, length, state["left"])
        chosen = tf.where(left > 0.5, tf.cast(held, tf.int32), choice)
        return chosen, {**state, "held": held, "left": tf.maximum(left - 1.0, 0.0)}

    # -- learning ----------------------------------------------------------------------------------

    def _loss(self, experience: Experience) -> Optional[NodeLoss]:
        return reward_learning.loss(self, experience)

    def _after_update(self, experience: Experience, step: tf.Tensor) -> None:
        reward_learning.update_met(self, experience, step)
        # Last: until then the slow values are those the loss bootstrapped from, computed once.
        self._followed.follow()
