"""PredNode: predicts what it senses, acts by asking for reachable futures."""
from __future__ import annotations

from typing import Callable, Iterable, Mapping, Optional

import gin
import tensorflow as tf
from tf_agents.specs import tensor_spec

from infonodes.info_nodes import acting, pred_learning, pred_networks, pred_options, pred_replay
from infonodes.info_nodes.info_node import SCALAR, InfoNode
from infonodes.info_nodes.pred_settings import BOUNDS, PredSettings
from infonodes.info_nodes.rows import pick_target, where_row
from infonodes.networks.mlp import EnsembleMLP
from infonodes.networks.rowwise import rowwise
from infonodes.networks.slow import Followed
from infonodes.networks.statistic import Statistic
from infonodes.rules import consensus, prediction, returns
from infonodes.types import Experience, GraphError, NodeError, NodeLoss, State, Target, Tick

__all__ = ["PredNode", "PredSettings"]


@gin.configurable(module="infonodes")
class PredNode(InfoNode):
    """Predicts its own latent and asks its controls for the futures it is asked for.

    ```
    z_t     = f_abs(parents_t [, z_{t-1}])        sees the parents' signals
    ẑ_{t+1} = f_pred(z_t, u_t)                    u_t what its controls did
    u_t     = f_act(z_t, z_wished)                says targets to its controls
    cost    = free energy of z_t − ẑ_t
    ```

    The prediction is made when its control is known: at the next tick, from what the
    controls say they did, so that it is right whoever else addressed them.

    A PredNode is itself a control: its targets are latents. What it "did" is the latent
    that it reached, so those above learn from what happened, not from what they wished.
    """

    def __init__(
        self,
        name: str,
        parent_names: Iterable[str],
        control_names: Iterable[str] = (),
        neighbor_names: Iterable[str] = (),
        settings: PredSettings = PredSettings(),
        f_abs: Optional[Callable[..., tf.Tensor]] = None,
        f_pred: Optional[Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = None,
        f_act: Optional[acting.Act] = None,
        f_trans: Optional[Mapping[str, Callable[[tf.Tensor], tf.Tensor]]] = None,
        recurrent: bool = False,
        trainable: bool = True,
        lr_multiplier: float = 1.0,
        energy_node_name: Optional[str] = None,
    ):
        """Builds the node; its networks are made when it is bound.

        Args:
          name: Name of the node.
          parent_names: What it senses; controls must be among them.
          control_names: Whom it sends targets.
          neighbor_names: PredNodes that it agrees with in `forward`.
          settings: See `PredSettings`.
          f_abs: Layer or callable `[N, S] -> [N, D]`, `(x, z) -> z` if recurrent.
          f_pred: Layer or callable `([..., D], [..., U]) -> [..., D]`.
          f_act: An `acting.Act`; by default the form that `settings.f_act` names.
          f_trans: Layers by neighbour that map its latent into this node's space.
          recurrent: Let `f_abs` read the node's last latent.
          trainable: False freezes it.
          lr_multiplier: Scale of the optimiser's step.
          energy_node_name: See `InfoNode`.
        """
        super().__init__(
            name, parent_names, neighbor_names, control_names, energy_node_name, recurrent, trainable, lr_multiplier
        )
        self.settings = settings
        self._given = (f_abs, f_pred, f_act)
        self._f_trans = dict(f_trans or {})

    # -- binding ---------------------------------------------------------------------

    def _bind(self) -> None:
        cfg, size = self.settings, self.settings.latent_size
        self._sensed = tuple(p for p in self.parent_names if self._senses(p))
        width = sum(self.peer(p).signal_size for p in self._sensed)
        if not width:
            raise GraphError(
                f"node {self.name!r}: its parents {self.parent_names} say nothing; give it a parent with a signal"
            )
        controls = [self.peer(c) for c in self.control_names]
        self.option_size = sum(c.control_size for c in controls)
        self._stores_options = any(c.is_latent for c in controls)
        self.option_count = pred_options.count(self.name, controls, self.settings)
        f_abs, f_pred, f_act = self._given
        self.f_abs = pred_networks.encoder(self.name, cfg, width, self.recurrent, f_abs)
        self.f_pred = pred_networks.predictor(self.name, cfg, self.option_size, f_pred)
        apart = cfg.encoder_rate != 1.0
        self._followed = [Followed(self.f_abs), Followed(self.f_pred)] if apart else [Followed(self.f_abs, self.f_pred)]
        self.f_act, self._inverse = pred_networks.acts(cfg, controls, f_act)
        self.heads = EnsembleMLP(cfg.heads, 32, size) if cfg.heads else None
        if self.heads:
            self.heads(tf.zeros([1, size + self.option_size]))
        self._squared_error = Statistic(tf.ones([size]) * 0.01, "squared_error")
        self._gain_scale = Statistic(tf.constant(1e-3), "gain_scale")
        self._fix_specs()

    def _senses(self, parent: str) -> bool:
        """Whether perception reads a parent: an actuator is only acted through."""
        node = self.peer(parent)
        return node.signal_size > 0 and (parent not in self.control_names or node.is_latent)

    def _fix_specs(self) -> None:
        cfg, size = self.settings, self.settings.latent_size
        vector = tf.TensorSpec([size], tf.float32)
        spec = {"z": vector, "error": vector, "cost": SCALAR}
        if cfg.hold > 1:
            spec.update(anchor=vector, age=SCALAR, held=tf.TensorSpec([self.option_size], tf.float32))
        if self._stores_options:
            spec["options"] = tf.TensorSpec([cfg.options, self.option_size], tf.float32)
        self.state_spec = spec
        self.signal_size = self.control_size = size
        self.is_latent = True
        low, high = BOUNDS[cfg.norm]
        self.target_spec = tensor_spec.BoundedTensorSpec([size], tf.float32, low, high, self.name)

    def _bind_neighbors(self) -> None:
        if self.settings.consensus and not self.neighbor_names:
            raise GraphError(f"node {self.name!r}: consensus={self.settings.consensus!r} needs neighbor_names")
        for name in self.neighbor_names:
            size = getattr(self.peer(name), "settings", self.settings).latent_size
            layer = self._f_trans.get(name) or tf.keras.layers.Dense(self.settings.latent_size, name=f"f_trans_{name}")
            pred_networks.check_width(self.name, f"f_trans[{name!r}]", layer(tf.zeros([1, size])), self.settings)
            self._f_trans[name] = layer

    def _learned(self) -> list[tuple[tf.Variable, float]]:
        cfg = self.settings
        rest: list[tf.Variable] = []
        for module in (self._inverse, self.heads, *self._f_trans.values()):
            rest.extend(v for v in getattr(module, "variables", ()) if v.trainable)
        rates = zip(self._followed, (cfg.encoder_rate, 1.0))
        learned = [(v, self.lr_multiplier * rate) for followed, rate in rates for v in followed.learned()]
        return learned + [(v, self.lr_multiplier) for v in rest]

    def _initialize(self) -> None:
        for followed in self._followed:
            followed.reset()

    # -- perception --------------------------------------------------------------------

    def _bottom_up(self, parent_states: Mapping[str, State], state: State, tick: Tick) -> State:
        z = self.encoded(parent_states, state["z"], slow=self.slow_in(tick))
        start = state["anchor"] if self.settings.hold > 1 else state["z"]
        return self.perceived(parent_states, state, z, start, tick)

    def perceived(
        self, parents: Mapping[str, State], state: State, z: tf.Tensor, start: tf.Tensor, tick: Tick
    ) -> State:
        """Returns the state of a tick that encoded its parents as `z`.

        Args:
          parents: This tick's states of the parents, `[B, ...]`.
          state: The node's state before the tick.
          z: `[B, D]`.
          start: Latent that the last prediction started from, `[B, D]`; 0 for none.
          tick: Seed and modes.
        """
        done = self._done(parents)
        z_pred = self.predict(start, done, slow=self.slow_in(tick))
        # Before the first tick there is no prediction, hence no error: latents of both
        # norms are never all zero, the initial state is.
        known = tf.reduce_any(tf.not_equal(start, 0.0), axis=-1)
        error = tf.where(known[:, None], z - z_pred, 0.0)
        cost = tf.where(known, self.free_energy(error), 0.0)
        after = {**state, "z": z, "error": error, "cost": cost}
        if self._stores_options:
            after["options"] = pred_options.joint(self, parents, tick.fold(7))
        return after

    def inputs(self, parents: Mapping[str, State]) -> tf.Tensor:
        """Returns what `f_abs` reads of the parents: `[..., S]`."""
        joined = tf.concat([self.peer(p).signal(parents[p]) for p in self._sensed], axis=-1)
        return tf.stop_gradient(joined) if self.settings.detach_parents else joined

    def encoded(self, parents: Mapping[str, State], z_before: Optional[tf.Tensor], slow: bool) -> tf.Tensor:
        """Returns the latent of the parents' states: `[..., D]`; only a recurrent node reads `z_before`."""
        inputs = self.inputs(parents)
        return self.f_abs(*((inputs, z_before) if self.recurrent else (inputs,)), slow=slow)

    def _done(self, parents: Mapping[str, State]) -> tf.Tensor:
        """What the controls did at the last tick, joined: `[B, U]`."""
        done = [self.peer(c).executed(parents[c]) for c in self.control_names]
        if done:
            return tf.concat(done, axis=-1)
        first = next(iter(parents.values()))
        return first["cost"][:, None] * tf.zeros([1, 0])

    def slow_in(self, tick: Tick) -> bool:
        """Whether a tick perceives and acts with the slow copies."""
        return self.settings.greedy_slow and tick.modes.greedy

    def predict(self, z: tf.Tensor, controls: tf.Tensor, slow: bool = False) -> tf.Tensor:
        """Returns the latent one prediction ahead: `[..., D]`, `[..., U]` to `[..., D]`."""
        return self.f_pred(z, controls, slow=slow)

    def free_energy(self, error: tf.Tensor) -> tf.Tensor:
        """Returns the cost of prediction errors `[..., D]`: `[...]`, ≥ 0."""
        pi = self.precision if self.settings.use_precision else tf.ones_like(self.precision)
        return prediction.free_energy(error, pi)

    @property
    def precision(self) -> tf.Tensor:
        """Running precision of the prediction error, `[D]`."""
        return prediction.precision(self._squared_error.value)

    # -- neighbours ----------------------------------------------------------------------

    def _forward(self, neighbor_states: Mapping[str, State], state: State, tick: Tick):
        cfg = self.settings
        if not cfg.consensus:
            return None, state
        others = tf.stack([self.translated(n, neighbor_states[n]["z"]) for n in self.neighbor_names], axis=1)
        if cfg.consensus == "simple":
            moved = consensus.simple(state["z"], others)
        else:
            each = tf.stack([tf.reduce_mean(self.peer(n).precision) for n in self.neighbor_names])
            each = tf.repeat(each[:, None], cfg.latent_size, axis=-1)
            moved = consensus.precision_weighted(state["z"], self.precision, others, each, cfg.damping, cfg.rounds)
        z = tf.concat([state["z"][:, : self.private_size], moved[:, self.private_size :]], axis=-1)
        return None, {**state, "z": z}

    @property
    def private_size(self) -> int:
        """Features of the latent that neighbours leave alone, the first ones."""
        return int(round(self.settings.private * self.settings.latent_size))

    def translated(self, neighbor: str, z: tf.Tensor) -> tf.Tensor:
        """Returns a neighbour's latents in this node's space: `[..., D]`."""
        return rowwise(self._f_trans[neighbor], z)

    # -- action --------------------------------------------------------------------------

    def _top_down(self, targets, parent_states, state: State, tick: Tick):
        wish = pick_target(targets, tick.seed)
        if not self.control_names:
            return {}, state
        if wish is None:
            valid = tf.zeros(tf.shape(state["cost"]), tf.bool)
            chosen = self._done(parent_states)
        else:
            assert self.f_act is not None  # Nodes with controls have one.
            valid = wish.valid
            chosen = self.f_act(
                state["z"],
                wish.value,
                self.options(state),
                self._done(parent_states),
                lambda z, u: self.predict(z, u, slow=self.slow_in(tick)),
                None if tick.modes.greedy else tick.fold(1).seed,
            )
        if self.settings.hold > 1:
            fresh = state["age"] < 0.5
            chosen = where_row(fresh, chosen, state["held"])
            anchor = where_row(fresh, state["z"], state["anchor"])
            age = tf.math.floormod(state["age"] + 1.0, float(self.settings.hold))
            state = {**state, "anchor": anchor, "age": age, "held": chosen}
        return self._requests(chosen, valid), state

    def _requests(self, chosen: tf.Tensor, valid: tf.Tensor) -> dict[str, Target]:
        controls = [self.peer(c) for c in self.control_names]
        parts = tf.split(chosen, [c.control_size for c in controls], axis=-1)
        return {c.name: Target(c.decode(p), valid) for c, p in zip(controls, parts)}

    def options(self, state: State) -> tf.Tensor:
        """Returns controls known to be possible from `state`: `[B, N, U]`."""
        return state["options"] if self._stores_options else pred_options.of_actuators(self, state)

    def _executed(self, state: State) -> tf.Tensor:
        return state["z"]

    def _replayed(self, experience: Experience) -> tf.Tensor:
        """The latent reached at the next frame: what a control of latents did."""
        z = tf.stop_gradient(experience.state["slow"])
        return tf.concat([z[:, 1:], z[:, -1:]], axis=1)

    def _encode(self, target: tf.Tensor) -> tf.Tensor:
        return target

    def _decode(self, control: tf.Tensor) -> tf.Tensor:
        low, high = BOUNDS[self.settings.norm]
        return tf.clip_by_value(control, low, high)

    def _signal(self, state: State) -> tf.Tensor:
        return state["z"] if self.settings.transmit == "latent" else state["error"]

    def _candidates(self, state: State, count: int, seed: tf.Tensor) -> tf.Tensor:
        return pred_options.reachable(self, state, count, 1, seed)

    # -- information gain --------------------------------------------------------------------

    def information_gain(self, z: tf.Tensor, controls: tf.Tensor) -> tf.Tensor:
        """Returns what trying `controls` at `z` would teach, in units of its running mean.

        Raises:
          NodeError: if the node has no ensemble.
        """
        if self.heads is None:
            raise NodeError(f"node {self.name!r} has no ensemble to disagree: set PredSettings.heads to 5")
        spread = prediction.information_gain(self.heads(z, controls))
        return tf.minimum(spread / tf.maximum(self._gain_scale.value, 1e-8), 10.0)

    # -- learning --------------------------------------------------------------------------

    @property
    def inverse(self) -> Optional[acting.InverseAct]:
        """What learns in hindsight: `f_act` itself, a judge of latents beside it, or None."""
        return self._inverse

    def _perceive(self, parents: Mapping[str, State], recorded: State, experience: Experience) -> State:
        return pred_replay.perceive(self, parents, recorded, experience)

    def _loss(self, experience: Experience) -> NodeLoss:
        return pred_learning.loss(self, experience)

    def _after_update(self, experience: Experience, step: tf.Tensor) -> None:
        for followed in self._followed:
            followed.follow()
        hold, slow = self.settings.hold, experience.state["slow"]
        imagined = experience.state["imagined"][:, 0]
        alive = returns.cumulative_valid(experience.step_type)[:, hold - 1]
        squared = tf.reduce_sum(alive[:, None] * (slow[:, hold] - imagined[:, 1]) ** 2, 0)
        squared = squared / tf.maximum(tf.reduce_sum(alive), 1.0)
        _follow(self._squared_error, squared)
        if self.heads is not None:
            controls = pred_replay.joined_controls(self, experience)[:, hold - 1]
            spread = self.heads(imagined[:, 0], controls)
            gain = tf.reduce_mean(prediction.information_gain(spread))
            _follow(self._gain_scale, gain)


def _follow(statistic: Statistic, seen: tf.Tensor) -> None:
    statistic.assign(statistic.value + 0.01 * (seen - statistic.value))
