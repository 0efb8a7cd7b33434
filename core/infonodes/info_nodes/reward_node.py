"""RewardNode: values what a PredNode can reach and asks it for the best."""
from __future__ import annotations

from typing import Iterable, Mapping, NamedTuple, Optional

import gin
import tensorflow as tf

from infonodes.info_nodes import pred_replay
from infonodes.info_nodes.info_node import SCALAR, InfoNode
from infonodes.info_nodes.pred_node import PredNode
from infonodes.info_nodes.reward_settings import RewardSettings
from infonodes.networks.mlp import MLP, EnsembleMLP, Joined
from infonodes.networks.slow import Followed, Slow
from infonodes.networks.statistic import running_statistic
from infonodes.rules import planning, returns, spans
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


class _Met(NamedTuple):
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
        self._reward_name, self._pred_name = reward_name, pred_name
        self.state_spec = {"value": SCALAR, "cost": SCALAR}
        self.signal_size = 1

    # -- binding -----------------------------------------------------------------------

    def _bind(self) -> None:
        cfg, pred = self.settings, self.peer(self._pred_name)
        if not isinstance(pred, PredNode):
            raise GraphError(
                f"node {self.name!r}: pred_name {self._pred_name!r} is a {type(pred).__name__}, expected a PredNode"
            )
        if not pred.control_names:
            raise GraphError(
                f"node {self.name!r}: {self._pred_name!r} controls nothing, so no future is in reach; name its controls"
            )
        if cfg.curiosity and pred.heads is None:
            raise GraphError(
                f"node {self.name!r}: curiosity needs an ensemble in {self._pred_name!r}; "
                "set its PredSettings.heads to 5"
            )
        z = tf.zeros([1, pred.settings.latent_size])
        outlook = Joined(MLP((cfg.hidden,), 2, normalise=False, output_scale=0.1, name="outlook"))
        value = EnsembleMLP(cfg.value_heads, cfg.hidden, 1, zero_output=True, name="value")
        self._outlook = Slow(outlook, cfg.slow_rate, *self._move(z, tf.zeros([1, pred.option_size]), z))
        self._value = Slow(value, cfg.slow_rate, z)
        self._gamma = cfg.gamma**pred.settings.hold
        self._interest: Optional[Slow] = None
        if cfg.curiosity:
            interest = MLP((cfg.hidden,), 1, output_scale=0.0, name="interest")
            self._interest = Slow(interest, cfg.slow_rate, z)
        self._followed = Followed(self._outlook, self._value, *([self._interest] if self._interest else []))
        self._statistics = running_statistic(tf.constant([0.0, 0.0, 0.0, 0.0, cfg.epsilon]), "met")

    def _learned(self) -> list[tuple[tf.Variable, float]]:
        return [(v, self.lr_multiplier) for v in self._followed.learned()]

    def _initialize(self) -> None:
        self._followed.reset()

    # -- values ----------------------------------------------------------------------------

    @property
    def _met(self) -> _Met:
        return _Met(*tf.unstack(self._statistics))

    def _keep(self, **changes: tf.Tensor) -> None:
        self._statistics.assign(tf.stack(self._met._replace(**changes)))

    @property
    def _low(self) -> tf.Tensor:
        return self._met.low

    @property
    def _range(self) -> tf.Tensor:
        width = self._met.high - self._met.low
        return tf.where(width > 1e-6, width, 1.0)  # No reward has been met yet, or all are 0.

    @property
    def set_point(self) -> tf.Tensor:
        """The reward a tick that the node expects of a good life, scalar.

        The quantile of its values if they are of the reward; the best reward met, and at
        least 0, if they are of the costs that follow from the set point itself.
        """
        if self.settings.signal == "intrinsic":
            return self._met.best
        met = self._met
        return tf.clip_by_value(met.quantile + self.settings.margin * self._range, met.low, met.high)

    @property
    def terminal(self) -> tf.Tensor:
        """Normalised value of having ended, scalar."""
        return self._low if self.settings.signal == "intrinsic" else tf.zeros([])

    def value(self, z: tf.Tensor, slow: bool = False) -> tf.Tensor:
        """Returns the normalised value of latents `[..., D]`: `[...]`, within the rewards' range."""
        heads = tf.sigmoid(self._value(z, slow=slow)[..., 0])
        mean = tf.reduce_mean(heads, axis=-1)
        if self.settings.pessimism:
            mean -= self.settings.pessimism * tf.math.reduce_std(heads, axis=-1)
        return self._low + self._range * mean

    def outlook(self, z: tf.Tensor, controls: tf.Tensor, z_next: tf.Tensor, slow: bool = False) -> Outlook:
        """Returns reward and continuation of moves `[..., D]`, `[..., U]`, `[..., D]`."""
        reward, proceeds = tf.unstack(self._outlook(*self._move(z, controls, z_next), slow=slow), axis=-1)
        reward = self._low + self._range * tf.clip_by_value(reward, 0.0, 1.0)
        return Outlook(reward, tf.sigmoid(proceeds))

    def _move(self, z: tf.Tensor, controls: tf.Tensor, z_next: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """What the heads read of a move."""
        return (z, controls, z_next) if self.settings.sees_controls else (z, z_next)

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
        cfg, pred = self.settings, self.peer(self._pred_name)
        z = tf.repeat(z[:, None], controls.shape[1], axis=1)
        worth, alive, interest, reach = 0.0, 1.0, 0.0, 1.0
        first = z
        for i in range(controls.shape[2] * cfg.repeat):
            control = controls[:, :, i // cfg.repeat]
            z_next = pred.predict(z, control, slow=slow)
            seen = self.outlook(z, control, z_next, slow=slow)
            worth += alive * ((1 - self._gamma) * seen.reward + self._gamma * (1 - seen.proceeds) * self.terminal)
            if curious:
                interest += reach * (1 - cfg.curiosity_gamma) * pred.information_gain(z, control)
                reach *= cfg.curiosity_gamma * seen.proceeds
            alive *= self._gamma * seen.proceeds
            first = z_next if i == 0 else first
            z = z_next
        worth += alive * self.value(z, slow=slow)
        if curious:
            assert self._interest is not None  # Curiosity made it when it was bound.
            interest += reach * tf.nn.softplus(self._interest(z, slow=slow)[..., 0])
            worth += cfg.curiosity * self._range * interest
        return worth, first

    # -- the tick -----------------------------------------------------------------------------

    def _bottom_up(self, parent_states: Mapping[str, State], state: State, tick: Tick) -> State:
        reward = parent_states[self._reward_name]
        z = parent_states[self._pred_name]["z"]
        cost = tf.where(reward["first"] > 0.5, 0.0, tf.maximum(self.set_point - reward["value"], 0.0))
        slow = self.peer(self._pred_name).slow_in(tick)
        return {"value": self.value(z, slow=slow), "cost": cost}

    def _signal(self, state: State) -> tf.Tensor:
        return state["value"][..., None]

    def _top_down(self, targets, parent_states, state: State, tick: Tick):
        del targets
        cfg, modes = self.settings, tick.modes
        pred = self.peer(self._pred_name)
        pred_state = parent_states[self._pred_name]
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
            choice = self._explore(choice, worth, tick)
        wish = tf.gather(first, choice, axis=1, batch_dims=1)
        valid = tf.fill(tf.shape(choice), modes.collect != "rainbow")
        return {self._pred_name: Target(wish, valid)}, state

    def _explore(self, choice: tf.Tensor, worth: tf.Tensor, tick: Tick) -> tf.Tensor:
        random = tf.random.stateless_uniform(tf.shape(choice), tick.fold(2).seed, 0, tf.shape(worth)[1], tf.int32)
        dice = tf.random.stateless_uniform(tf.shape(choice), tick.fold(3).seed)
        return tf.where(dice < self._met.epsilon, random, choice)

    # -- learning ----------------------------------------------------------------------------------

    def _spans(self, experience: Experience, start: int = 0) -> Experience:
        """The window from frame `start`, a prediction of the PredNode a frame."""
        pred: PredNode = self.peer(self._pred_name)
        slow = experience.parents[self._pred_name]["slow"]
        window = experience._replace(parents={self._pred_name: {"slow": slow}}, state={}, decision=())
        if start:
            window = tf.nest.map_structure(
                lambda x: x[:, start:] if isinstance(x, tf.Tensor) and x.shape.rank > 1 else x, window
            )
        return spans.every(window, pred.settings.hold) if pred.settings.hold > 1 else window

    def _rewarded(self, experience: Experience) -> Experience:
        """The experience with the reward that the node is to value, where it is not the environment's.

        A sensor says at t + 1 what the move from t was worth; what it says after a boundary is
        of no move, and masked as boundaries are.
        """
        if self.settings.signal != "sensed":
            return experience
        said = experience.parents[self._reward_name]["value"]
        return experience._replace(reward=tf.concat([said[:, 1:], said[:, -1:]], axis=1))

    def _signal_of(self, experience: Experience) -> tf.Tensor:
        source = experience.intrinsic if self.settings.signal == "intrinsic" else experience.reward
        return source[:, :-1]

    def _bootstrap(self, experience: Experience, moved: tf.Tensor) -> tf.Tensor:
        """Values that the targets lean on, `[B, 1]` or `[B, T-1]`."""
        reached = experience.parents[self._pred_name]["slow"][:, 1:]
        return self.value(returns.leaned_on(reached, moved, self.settings.lam), slow=True)

    def _targets(self, experience: Experience, moved: tf.Tensor) -> tf.Tensor:
        bootstrap = self._bootstrap(experience, moved)
        reward, ended = self._signal_of(experience), spans.ended(experience)
        return tf.stop_gradient(
            returns.n_step_targets(
                reward, ended, moved, bootstrap, self._gamma, self.settings.lam, self.terminal
            )
        )

    def _loss(self, experience: Experience) -> Optional[NodeLoss]:
        pred: PredNode = self.peer(self._pred_name)
        experience = self._rewarded(experience)
        imagined = experience.parents[self._pred_name]["imagined"]
        starts, ahead = pred_replay.spans(pred, experience)
        total = 0.0
        metrics: dict[str, tf.Tensor] = {}
        for i, start in enumerate(starts):
            window = self._spans(experience, start)
            loss, parts = self._window_loss(window, imagined[:, i], ahead)
            total += loss / len(starts)
            metrics = metrics or parts
        moved = returns.cumulative_valid(experience.step_type)
        unmet = tf.maximum(self.set_point - experience.reward[:, :-1], 0.0)
        cost = tf.reduce_sum(moved * unmet, 1) / tf.maximum(tf.reduce_sum(moved, 1), 1.0)
        metrics.update(set_point=self.set_point, epsilon=self._met.epsilon)
        return NodeLoss(total * float(experience.modes.train_rewards), cost, metrics)

    def _window_loss(
        self, window: Experience, imagined: tf.Tensor, ahead: int
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Errors of the heads along one imagined path, `[B]`; window and path start together."""
        moved = returns.cumulative_valid(window.step_type)
        targets = self._targets(window, moved)
        reward = (self._signal_of(window) - self._low) / self._range
        now, following, mask = imagined[:, :-1], imagined[:, 1:], moved[:, :ahead]
        done = pred_replay.joined_controls(self.peer(self._pred_name), window)[:, :ahead]
        raw_reward, proceeds = tf.unstack(self._outlook(*self._move(now, done, following)), axis=-1)
        errors = {
            "reward": (raw_reward - reward[:, :ahead]) ** 2,
            "continuation": tf.nn.sigmoid_cross_entropy_with_logits(1 - spans.ended(window)[:, :ahead], proceeds),
            "value": self._value_error(now, targets[:, :ahead]),
        }
        parts = {name: tf.reduce_mean(mask * error, axis=1) for name, error in errors.items()}
        loss = tf.add_n(list(parts.values()))
        if self._interest is not None:
            parts["interest"] = self._interest_error(window, imagined[:, 0], moved)
            loss += parts["interest"]
        metrics = {name: tf.reduce_mean(error) for name, error in parts.items()}
        metrics["mean_value"] = tf.reduce_mean(targets)
        return loss, metrics

    def _value_error(self, z: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Cross-entropy of the heads with the target's place in the range, `[...]`."""
        logits = self._value(z)[..., 0]  # [..., heads]
        place = tf.clip_by_value((target - self._low) / self._range, 0.0, 1.0)
        labels = tf.repeat(place[..., None], logits.shape[-1], axis=-1)
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits), axis=-1)

    def _interest_error(self, window: Experience, z: tf.Tensor, moved: tf.Tensor) -> tf.Tensor:
        """The value of information gain, fitted like V; it does not shape the latents."""
        assert self._interest is not None
        cfg, pred = self.settings, self.peer(self._pred_name)
        slow = window.parents[self._pred_name]["slow"]
        gain = pred.information_gain(slow[:, :-1], pred_replay.joined_controls(pred, window)[:, :-1])
        reached = returns.leaned_on(slow[:, 1:], moved, cfg.lam)
        beyond = tf.nn.softplus(self._interest(reached, slow=True)[..., 0])
        target = returns.n_step_targets(gain, spans.ended(window), moved, beyond, cfg.curiosity_gamma, cfg.lam)
        guess = tf.nn.softplus(self._interest(tf.stop_gradient(z))[..., 0])
        return moved[:, 0] * (guess - tf.stop_gradient(target[:, 0])) ** 2

    def _after_update(self, experience: Experience, step: tf.Tensor) -> None:
        cfg = self.settings
        experience = self._spans(self._rewarded(experience))
        reward = self._signal_of(experience)
        moved = tf.cast(tf.not_equal(experience.step_type[:, :-1], 2), tf.float32)
        # Absorbing costs lie a tenth above the highest met: ending is never the cheaper life.
        low = tf.reduce_min(moved * reward) * (1.1 if cfg.signal == "intrinsic" else 1.0)
        self._keep(
            low=tf.minimum(self._met.low, low),
            high=tf.maximum(self._met.high, tf.reduce_max(moved * reward)),
            best=tf.maximum(self._met.best, tf.reduce_max(experience.reward)),
        )
        values = self._bootstrap(experience, returns.cumulative_valid(experience.step_type))
        above = tf.reduce_mean(tf.cast(values > self._met.quantile, tf.float32))
        done = tf.minimum(tf.cast(step, tf.float32) / max(cfg.epsilon_steps, 1), 1.0)
        self._keep(
            # Stochastic quantile step: moves up while more than 1 - q of the values lie above.
            quantile=self._met.quantile + 0.05 * self._range * (above - (1 - cfg.quantile)),
            epsilon=cfg.epsilon + (cfg.final_epsilon - cfg.epsilon) * done,
        )
        # Last: until then the slow values are those the loss bootstrapped from, computed once.
        self._followed.follow()
