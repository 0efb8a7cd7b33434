"""PredNode: predicts what it senses, acts by asking for reachable futures."""
from __future__ import annotations

import dataclasses
from typing import Callable, Iterable, Mapping, Optional, Union

import gin
import tensorflow as tf
from tf_agents.specs import tensor_spec

from infonodes.info_nodes import acting
from infonodes.info_nodes.info_node import SCALAR, InfoNode, pick_target, where_row
from infonodes.networks.gated import Gated
from infonodes.networks.mlp import EnsembleMLP, Joined, mlp
from infonodes.networks.rowwise import rowwise
from infonodes.networks.slow import Slow
from infonodes.packing import outer_shape
from infonodes.rules import consensus, prediction, returns
from infonodes.types import Experience, GraphError, NodeError, NodeLoss, State, Target, Tick

_BOUNDS = {"simnorm": (0.0, 1.0), "layernorm": (-3.0, 3.0)}


@gin.configurable(module="infonodes")
@dataclasses.dataclass(frozen=True)
class PredSettings:
    """Settings of a `PredNode`.

    Attributes:
      latent_size: D.
      hidden: Widths of the hidden layers of the default networks.
      norm: What keeps default latents bounded: `simnorm` or `layernorm`.
      f_act: `search`, `inverse` or `gradient`, see `acting`.
      transmit: What children read: `latent` (z) or `error` (z − z_pred).
      unroll: K, predictions ahead in the loss.
      starts: Frames of a window that predictions start from, evenly spread.
      hold: Ticks that a target for a control is held, and one prediction spans.
      slow_rate: Rate of the slow copies (targets, and evaluation); at 1 they lag by one update.
      greedy_slow: Perceive and act with the slow copies in greedy mode: weights averaged
        over updates evaluate steadier than the last ones.
      inverse_weight: Weight of the inverse-dynamics loss, which also keeps latents from
        collapsing.
      encoder_rate: Scale of the optimiser's step on `f_abs`.
      heads: Ensemble heads for information gain; 0 for none.
      consensus: None, `simple` or `complex`: what neighbours do in `forward`.
      damping: ρ of complex consensus.
      rounds: Rounds of complex consensus.
      private: Share of the latent that neighbours leave alone.
      options: Candidates that controls are asked for, a tick; a discrete one gives all it has.
      detach_parents: Stop gradients into the parents' encoders.
      use_precision: Weigh errors by their running precision in the cost.
    """

    latent_size: int = 32
    hidden: tuple[int, ...] = (64,)
    norm: str = "simnorm"
    f_act: str = "search"
    transmit: str = "latent"
    unroll: int = 3
    starts: int = 1
    hold: int = 1
    slow_rate: float = 0.01
    greedy_slow: bool = True
    inverse_weight: float = 0.1
    encoder_rate: float = 1.0
    heads: int = 0
    consensus: Optional[str] = None
    damping: float = 0.3
    rounds: int = 1
    private: float = 0.5
    options: int = 16
    detach_parents: bool = False
    use_precision: bool = True

    def __post_init__(self) -> None:
        choices = {
            "norm": tuple(_BOUNDS),
            "f_act": acting.FORMS,
            "transmit": ("latent", "error"),
            "consensus": (None, "simple", "complex"),
        }
        for field, valid in choices.items():
            if getattr(self, field) not in valid:
                raise ValueError(f"PredSettings.{field}={getattr(self, field)!r}: expected one of {valid}")
        for field in ("latent_size", "unroll", "starts", "hold", "rounds", "options"):
            if getattr(self, field) < 1:
                raise ValueError(f"PredSettings.{field}={getattr(self, field)}: expected at least 1")


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
            name,
            parent_names,
            neighbor_names,
            control_names,
            energy_node_name,
            recurrent,
            trainable,
            lr_multiplier,
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
        f_abs, f_pred, f_act = self._given
        x, z, u = tf.zeros([1, width]), tf.zeros([1, size]), tf.zeros([1, self.option_size])
        if f_abs is None:
            # A softmax of small numbers is flat: start it sharp enough to tell inputs apart.
            sharp = 3.0 if cfg.norm == "simnorm" else 1.0
            if self.recurrent:
                f_abs = Gated(cfg.hidden, size, cfg.norm, sharp, name="f_abs")
            else:
                f_abs = mlp(cfg.hidden, size, False, cfg.norm, sharp, name="f_abs")
        if f_pred is None:
            f_pred = Joined(mlp(cfg.hidden, size, normalise=False, output=cfg.norm, name="f_pred"))
        self.f_abs = Slow(f_abs, cfg.slow_rate, *((x, z) if self.recurrent else (x,)))
        self.f_pred = Slow(f_pred, cfg.slow_rate, z, u)
        self._check_width("f_abs", self.f_abs(*((x, z) if self.recurrent else (x,))))
        self._check_width("f_pred", self.f_pred(z, u))
        self.f_act = f_act
        self._inverse: Optional[acting.InverseAct] = None
        if controls:
            if f_act is None:
                self.f_act = acting.make_act(cfg.f_act, controls, size, cfg.hidden)
            if isinstance(self.f_act, acting.InverseAct):
                self._inverse = self.f_act
            elif cfg.inverse_weight:
                self._inverse = acting.InverseAct(controls, size, cfg.hidden)
        self.heads = EnsembleMLP(cfg.heads, 32, size) if cfg.heads else None
        if self.heads:
            self.heads(tf.zeros([1, size + self.option_size]))
        self._squared_error = _statistic(tf.ones([size]) * 0.01, "squared_error")
        self._gain_scale = _statistic(tf.constant(1e-3), "gain_scale")
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
        low, high = _BOUNDS[cfg.norm]
        self.target_spec = tensor_spec.BoundedTensorSpec([size], tf.float32, low, high, self.name)

    def _check_width(self, which: str, out: tf.Tensor) -> None:
        if out.shape[-1] != self.settings.latent_size:
            raise GraphError(
                f"node {self.name!r}: {which} returns {out.shape[-1]} features, expected latent_size="
                f"{self.settings.latent_size}; change the layer or the setting"
            )

    def _bind_neighbors(self) -> None:
        if self.settings.consensus and not self.neighbor_names:
            raise GraphError(f"node {self.name!r}: consensus={self.settings.consensus!r} needs neighbor_names")
        for name in self.neighbor_names:
            size = getattr(self.peer(name), "settings", self.settings).latent_size
            layer = self._f_trans.get(name) or tf.keras.layers.Dense(self.settings.latent_size, name=f"f_trans_{name}")
            self._check_width(f"f_trans[{name!r}]", layer(tf.zeros([1, size])))
            self._f_trans[name] = layer

    def _learned(self) -> list[tuple[tf.Variable, float]]:
        cfg = self.settings
        rest = list(self.f_pred.learned())
        for module in (self._inverse, self.heads, *self._f_trans.values()):
            rest.extend(v for v in getattr(module, "variables", ()) if v.trainable)
        encoder = [(v, self.lr_multiplier * cfg.encoder_rate) for v in self.f_abs.learned()]
        return encoder + [(v, self.lr_multiplier) for v in rest]

    def _initialize(self) -> None:
        self.f_abs.reset()
        self.f_pred.reset()

    # -- perception --------------------------------------------------------------------

    def _bottom_up(self, parent_states: Mapping[str, State], state: State, tick: Tick) -> State:
        z = self._encode_parents(parent_states, state["z"], slow=self.slow_in(tick))
        start = state["anchor"] if self.settings.hold > 1 else state["z"]
        return self._perceived(parent_states, state, z, start, tick)

    def _perceived(self, parents, state, z, start, tick) -> State:
        done = self._done(parents)
        z_pred = self.predict(start, done, slow=self.slow_in(tick))
        # Before the first tick there is no prediction, hence no error: latents of both
        # norms are never all zero, the initial state is.
        known = tf.reduce_any(tf.not_equal(start, 0.0), axis=-1)
        error = tf.where(known[:, None], z - z_pred, 0.0)
        cost = tf.where(known, self.free_energy(error), 0.0)
        after = {**state, "z": z, "error": error, "cost": cost}
        if self._stores_options:
            after["options"] = self._joint_options(parents, tick.fold(7))
        return after

    def _perceive(self, parents, recorded, experience: Experience) -> State:
        """Encodes all frames in one batched call; a recurrent node is scanned."""
        tick = Tick(experience.seed, experience.modes)
        if self.recurrent:
            return self._perceive_recurrent(parents, recorded, experience)
        batch, time = outer_shape(experience.step_type, 2)
        encode = lambda slow: self._encode_parents(parents, None, slow)
        z = encode(False)
        before = tf.concat([recorded["z"][:, :1], tf.stop_gradient(z[:, :-1])], axis=1)
        start = tf.where((experience.step_type == 0)[..., None], recorded["z"], before)
        if self.settings.hold > 1:
            start = recorded["anchor"]
        fold = lambda x: tf.reshape(x, [batch * time] + x.shape[2:].as_list())
        flat = tf.nest.map_structure(fold, (dict(parents), recorded, z, start))
        state = self._perceived(flat[0], flat[1], flat[2], flat[3], tick)
        state = tf.nest.map_structure(
            lambda x: tf.reshape(x, [batch, time] + x.shape[1:].as_list()), state
        )
        starts, _ = self.spans(experience)
        first = tf.nest.map_structure(lambda x: tf.gather(x, starts, axis=1), dict(parents))
        return self._imagined(
            {**state, "z": z, "slow": tf.stop_gradient(encode(True))},
            self._encode_parents(first, None, False),
            experience,
        )

    def _imagined(self, state: State, z: tf.Tensor, experience: Experience) -> State:
        """Adds what the losses of this node and of its RewardNode share.

        `imagined` is `[B, starts, 1 + ahead, D]`: the latent at each start, encoded with
        gradients, and what `f_pred` makes of it. All frames' `z` are for other children;
        where there are none, the compiler drops them.
        """
        starts, ahead = self.spans(experience)
        rows = [
            tf.stack([z[:, i], *self.unroll(experience, z[:, i], start, ahead)], axis=1)
            for i, start in enumerate(starts)
        ]
        return {**state, "imagined": tf.stack(rows, axis=1)}

    def _perceive_recurrent(self, parents, recorded, experience: Experience) -> State:
        """Scans `f_abs` over time from the stored first state, both copies side by side."""
        major = lambda x: tf.transpose(x, [1, 0, *range(2, x.shape.rank)])
        inputs = self._inputs(parents)
        first = tf.equal(experience.step_type, 0)

        def body(carried, now):
            x, is_first, stored = now
            fast = self.f_abs(x, where_row(is_first, stored, carried[0]))
            slow = self.f_abs(x, where_row(is_first, stored, carried[1]), slow=True)
            return fast, slow

        start = recorded["z"][:, 0]
        stacked = (major(inputs), major(first), major(recorded["z"]))
        fast, slow = (major(x) for x in tf.scan(body, stacked, (start, start)))
        state = {**recorded, "z": fast, "slow": tf.stop_gradient(slow)}
        starts, _ = self.spans(experience)
        return self._imagined(state, tf.gather(fast, starts, axis=1), experience)

    def _inputs(self, parents: Mapping[str, State]) -> tf.Tensor:
        joined = tf.concat([self.peer(p).signal(parents[p]) for p in self._sensed], axis=-1)
        return tf.stop_gradient(joined) if self.settings.detach_parents else joined

    def _encode_parents(self, parents, z_before, slow: bool) -> tf.Tensor:
        inputs = self._inputs(parents)
        return self.f_abs(*((inputs, z_before) if self.recurrent else (inputs,)), slow=slow)

    def _done(self, parents: Mapping[str, State]) -> tf.Tensor:
        """What the controls did at the last tick, joined: `[B, U]`."""
        done = [self.peer(c).executed(parents[c]) for c in self.control_names]
        if done:
            return tf.concat(done, axis=-1)
        first = next(iter(parents.values()))
        return tf.zeros([tf.shape(first["cost"])[0], 0])

    def slow_in(self, tick: Tick) -> bool:
        """Whether a tick perceives and acts with the slow copies."""
        return self.settings.greedy_slow and tick.modes.greedy

    def predict(self, z: tf.Tensor, controls: tf.Tensor, slow: bool = False) -> tf.Tensor:
        """Returns the latent one prediction ahead: `[..., D]`, `[..., U]` to `[..., D]`."""
        return self.f_pred(z, controls, slow=slow)

    def free_energy(self, error: tf.Tensor) -> tf.Tensor:
        """Returns the cost of prediction errors `[..., D]`: `[...]`, ≥ 0."""
        pi = prediction.precision(self._squared_error)
        if not self.settings.use_precision:
            pi = tf.ones_like(pi)
        return prediction.free_energy(error, pi)

    # -- neighbours ----------------------------------------------------------------------

    def _forward(self, neighbor_states: Mapping[str, State], state: State, tick: Tick):
        cfg = self.settings
        if not cfg.consensus:
            return None, state
        others = tf.stack([self._f_trans[n](neighbor_states[n]["z"]) for n in self.neighbor_names], axis=1)
        if cfg.consensus == "simple":
            moved = consensus.simple(state["z"], others)
        else:
            own = prediction.precision(self._squared_error)
            each = tf.stack([self.peer(n).precision for n in self.neighbor_names])
            each = tf.repeat(tf.reduce_mean(each, -1, keepdims=True), cfg.latent_size, axis=-1)
            moved = consensus.precision_weighted(state["z"], own, others, each, cfg.damping, cfg.rounds)
        private = int(round(cfg.private * cfg.latent_size))
        z = tf.concat([state["z"][:, :private], moved[:, private:]], axis=-1)
        return None, {**state, "z": z}

    @property
    def precision(self) -> tf.Tensor:
        """Running precision of the prediction error, `[D]`."""
        return prediction.precision(self._squared_error)

    # -- action --------------------------------------------------------------------------

    def _top_down(self, targets, parent_states, state: State, tick: Tick):
        wish = pick_target(targets, tick.seed)
        hold = self.settings.hold > 1
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
        if hold:
            fresh = state["age"] < 0.5
            chosen = where_row(fresh, chosen, state["held"])
            age = tf.math.floormod(state["age"] + 1.0, float(self.settings.hold))
            state = {
                **state,
                "anchor": where_row(fresh, state["z"], state["anchor"]),
                "age": age,
                "held": chosen,
            }
        return self._requests(chosen, valid), state

    def _requests(self, chosen: tf.Tensor, valid: tf.Tensor) -> dict[str, Target]:
        controls = [self.peer(c) for c in self.control_names]
        parts = tf.split(chosen, [c.control_size for c in controls], axis=-1)
        return {c.name: Target(c.decode(p), valid) for c, p in zip(controls, parts)}

    def options(self, state: State) -> tf.Tensor:
        """Returns controls known to be possible from `state`: `[B, N, U]`."""
        if self._stores_options:
            return state["options"]
        # Actuators need no state to say what they can do; a fixed seed keeps sampled
        # options the same for whoever asks within a tick, and one row's for every row.
        one = {"cost": tf.zeros([1])}
        parts = [
            self.peer(c).candidates(one, self.settings.options, tf.constant([3, i]))
            for i, c in enumerate(self.control_names)
        ]
        joint = _product(parts, self.settings.options, 1)
        return tf.broadcast_to(joint, outer_shape(state["z"], 1) + joint.shape[1:].as_list())

    def _joint_options(self, parents: Mapping[str, State], tick: Tick) -> tf.Tensor:
        parts = []
        for i, name in enumerate(self.control_names):
            control = self.peer(name)
            one, count = tick.fold(i), self.settings.options
            if isinstance(control, PredNode):
                slow = control.slow_in(tick)
                parts.append(control.reachable(parents[name], count, self.settings.hold, one.seed, slow))
            else:
                parts.append(control.candidates(parents[name], count, one.seed))
        joint = _product(parts, self.settings.options, tf.shape(parts[0])[0])
        return tf.stop_gradient(_exactly(joint, self.settings.options))

    def reachable(
        self, state: State, count: int, ticks: int, seed: tf.Tensor, slow: bool = False
    ) -> tf.Tensor:
        """Returns latents that `f_pred` says the node can reach in `ticks`: `[B, N, D]`.

        The first of the controls on the way differ where they can be enumerated, later
        ones are drawn at random.
        """
        options = _exactly(self.options(state), count)
        z = tf.repeat(state["z"][:, None], count, axis=1)
        controls = options
        for k in range(ticks):
            z = self.predict(z, controls, slow=slow)
            one = tf.random.experimental.stateless_fold_in(seed, k)
            pick = tf.random.stateless_uniform([count], one, 0, count, tf.int32)
            controls = tf.gather(options, pick, axis=1)
        return z

    def _executed(self, state: State) -> tf.Tensor:
        return state["z"]

    def _replayed(self, experience: Experience) -> tf.Tensor:
        """The latent reached at the next frame: what a control of latents did."""
        z = tf.stop_gradient(experience.state["slow"])
        return tf.concat([z[:, 1:], z[:, -1:]], axis=1)

    def _encode(self, target: tf.Tensor) -> tf.Tensor:
        return target

    def _decode(self, control: tf.Tensor) -> tf.Tensor:
        low, high = _BOUNDS[self.settings.norm]
        return tf.clip_by_value(control, low, high)

    def _signal(self, state: State) -> tf.Tensor:
        return state["z"] if self.settings.transmit == "latent" else state["error"]

    def _candidates(self, state: State, count: int, seed: tf.Tensor) -> tf.Tensor:
        return self.reachable(state, count, 1, seed)

    # -- information gain --------------------------------------------------------------------

    def information_gain(self, z: tf.Tensor, controls: tf.Tensor) -> tf.Tensor:
        """Returns what trying `controls` at `z` would teach, in units of its running mean.

        Raises:
          NodeError: if the node has no ensemble.
        """
        if self.heads is None:
            raise NodeError(f"node {self.name!r} has no ensemble to disagree: set PredSettings.heads to 5")
        spread = prediction.information_gain(rowwise(self.heads, tf.concat([z, controls], axis=-1)))
        return tf.minimum(spread / tf.maximum(self._gain_scale, 1e-8), 10.0)

    # -- learning --------------------------------------------------------------------------

    def joined_controls(self, experience: Experience) -> tf.Tensor:
        """Returns what this node's controls did, from a child's experience too: `[B, T, U]`."""
        done = [experience.controls[c] for c in self.control_names]
        return tf.concat(done, -1) if done else tf.zeros(outer_shape(experience.step_type, 2) + [0])

    def spans(self, experience: Experience) -> tuple[list[int], int]:
        """Returns the frames predictions start from and how many follow each, for this window.

        Raises:
          NodeError: if the window's length is unknown or too short.
        """
        time = experience.step_type.shape[1]
        if time is None:
            raise NodeError(
                f"node {self.name!r}: the trajectory's length is unknown; set train_sequence_length of the agent"
            )
        hold = self.settings.hold
        ahead = min(self.settings.unroll, (time - 1) // hold)
        if ahead < 1:
            raise NodeError(
                f"node {self.name!r}: a window of {time} frames is shorter than one prediction of {hold} ticks; "
                f"need {hold + 1}"
            )
        last = time - 1 - ahead * hold
        count = min(self.settings.starts, last + 1)
        starts = sorted({round(i * last / max(count - 1, 1)) for i in range(count)})
        return starts, ahead

    def unroll(self, experience: Experience, z: tf.Tensor, start: int, ahead: int) -> list[tf.Tensor]:
        """Returns latents predicted 1..`ahead` spans after frame `start`, each `[B, D]`.

        Args:
          experience: Of this node or of a child: only `controls` are read.
          z: Latent at `start`, `[B, D]`.
          start: Frame index.
          ahead: Number of predictions.
        """
        hold = self.settings.hold
        controls = self.joined_controls(experience)
        unrolled = []
        for k in range(ahead):
            z = self.predict(z, controls[:, start + (k + 1) * hold - 1 if hold > 1 else start + k])
            unrolled.append(z)
        return unrolled

    def _loss(self, experience: Experience) -> NodeLoss:
        cfg, modes = self.settings, experience.modes
        slow, imagined = experience.state["slow"], experience.state["imagined"]
        starts, ahead = self.spans(experience)
        valid = tf.cast(tf.not_equal(experience.step_type[:, :-1], 2), tf.float32)
        costs, total = [], 0.0
        for i, start in enumerate(starts):
            alive = tf.math.cumprod(valid[:, start:], axis=1)
            for k in range(1, ahead + 1):
                mask = alive[:, k * cfg.hold - 1]
                error = slow[:, start + k * cfg.hold] - imagined[:, i, k]
                total += mask * tf.reduce_sum(error**2, axis=-1)
                costs.append(mask * self.free_energy(tf.stop_gradient(error)))
        scale = float(len(starts) * ahead)
        # Latents of either norm are compared at the scale of one simplex group a feature set.
        loss = total / scale * (1.0 if cfg.norm == "simnorm" else 4.0 / cfg.latent_size)
        consistency = loss
        loss = loss * float(modes.train_world_model)
        metrics = {"prediction": tf.reduce_mean(consistency)}
        if self._inverse is not None:
            inverse, agreement = self._inverse_loss(experience, starts)
            weight = 1.0 if self.f_act is self._inverse else cfg.inverse_weight
            loss += weight * float(modes.train_policy) * inverse
            metrics["inverse"] = tf.reduce_mean(inverse)
            metrics["agreement"] = agreement
        if self.heads is not None:
            loss += float(modes.train_world_model) * self._ensemble_loss(experience, starts, valid)
        if self._f_trans:
            loss += float(modes.train_world_model) * self._agreement_loss(experience)
        if modes.dream and self.f_act is self._inverse and self._inverse is not None:
            loss += self._dream_loss(experience)
        flat = tf.reshape(tf.stop_gradient(imagined[:, :, 0]), [-1, cfg.latent_size])
        metrics["latent_std"] = tf.reduce_mean(tf.math.reduce_std(flat, axis=0))
        metrics["effective_rank"] = prediction.effective_rank(flat)
        return NodeLoss(loss, tf.add_n(costs) / scale, metrics)

    def _inverse_loss(self, experience: Experience, starts: list[int]) -> tuple[tf.Tensor, tf.Tensor]:
        """Hindsight: what the controls did where z_{t+k} was reached from z_t.

        For each k of the unroll if the node acts by it, else for k = 1.

        Returns:
          The loss `[B]`, and the share of choices it would repeat.
        """
        assert self._inverse is not None
        slow = experience.state["slow"]
        valid = tf.cast(tf.not_equal(experience.step_type[:, :-1], 2), tf.float32)
        controls = self.joined_controls(experience)
        total, hits, count = 0.0, 0.0, 0
        for i, start in enumerate(starts):
            z, done = experience.state["imagined"][:, i, 0], controls[:, start]
            alive = tf.math.cumprod(valid[:, start:], axis=1)
            furthest = min(self.settings.unroll if self.f_act is self._inverse else 1, alive.shape[1])
            for k in range(1, furthest + 1):
                mask, ticks = alive[:, k - 1], tf.fill(tf.shape(valid)[:1], float(k))
                loss, agreed = self._inverse.assess(z, slow[:, start + k], ticks, done)
                total += mask * loss
                count += 1
                if k == 1:
                    hits += tf.reduce_sum(mask * agreed) / tf.maximum(tf.reduce_sum(mask), 1.0)
        return total / float(count), tf.stop_gradient(hits / float(len(starts)))

    def _ensemble_loss(self, experience: Experience, starts: list[int], valid: tf.Tensor) -> tf.Tensor:
        assert self.heads is not None
        z, slow = tf.stop_gradient(experience.state["z"]), experience.state["slow"]
        controls, total = self.joined_controls(experience), 0.0
        for start in starts:
            guesses = self.heads(tf.concat([z[:, start], controls[:, start]], axis=-1))
            error = guesses - slow[:, None, start + 1]
            total += valid[:, start] * tf.reduce_sum(error**2, axis=[-2, -1])
        return total / float(len(starts))

    def _agreement_loss(self, experience: Experience) -> tf.Tensor:
        """Trains translations to map neighbours onto the shared part of this latent."""
        private = int(round(self.settings.private * self.settings.latent_size))
        own = tf.stop_gradient(experience.state["z"])[..., private:]
        total = 0.0
        for name, states in experience.neighbors.items():
            guess = rowwise(self._f_trans[name], tf.stop_gradient(states["z"]))[..., private:]
            total += tf.reduce_mean((guess - own) ** 2, axis=[1, 2])
        return total

    def _dream_loss(self, experience: Experience) -> tf.Tensor:
        """Night-dreaming: `f_act` learns from imagined ticks what leads where."""
        assert self._inverse is not None
        z = tf.stop_gradient(experience.state["imagined"][:, 0, 0])
        options = self.options(tf.nest.map_structure(lambda x: x[:, 0], experience.state))
        pick = tf.random.stateless_uniform([1], experience.seed, 0, options.shape[1], tf.int32)
        done = tf.gather(options, pick[0], axis=1)
        later = tf.stop_gradient(self.predict(z, done))
        return self._inverse.assess(z, later, tf.ones(tf.shape(z)[:1]), done)[0]

    def _after_update(self, experience: Experience, step: tf.Tensor) -> None:
        self.f_abs.follow()
        self.f_pred.follow()
        hold, slow = self.settings.hold, experience.state["slow"]
        imagined = experience.state["imagined"][:, 0]
        alive = returns.cumulative_valid(experience.step_type)[:, hold - 1]
        squared = tf.reduce_sum(alive[:, None] * (slow[:, hold] - imagined[:, 1]) ** 2, 0)
        squared = squared / tf.maximum(tf.reduce_sum(alive), 1.0)
        self._squared_error.assign(self._squared_error + 0.01 * (squared - self._squared_error))
        if self.heads is not None:
            controls = self.joined_controls(experience)[:, 0]
            spread = rowwise(self.heads, tf.concat([imagined[:, 0], controls], axis=-1))
            gain = tf.reduce_mean(prediction.information_gain(spread))
            self._gain_scale.assign(self._gain_scale + 0.01 * (gain - self._gain_scale))


def _statistic(initial: tf.Tensor, name: str) -> tf.Variable:
    """A running statistic: not trained, averaged over replicas."""
    return tf.Variable(
        initial,
        trainable=False,
        name=name,
        synchronization=tf.VariableSynchronization.ON_WRITE,
        aggregation=tf.VariableAggregation.MEAN,
    )


def _product(parts: list[tf.Tensor], limit: int, batch: Union[int, tf.Tensor]) -> tf.Tensor:
    """Joins candidates of several controls: all pairs if they are few, else matched rows.

    Args:
      parts: `[B, N_i, U_i]` each.
      limit: Most candidates to return.
      batch: B, for a node without controls.

    Returns:
      `[B, N, ΣU_i]`.
    """
    if not parts:
        return tf.zeros([batch, 1, 0])
    joint = parts[0]
    for part in parts[1:]:
        n, m = joint.shape[1], part.shape[1]
        if n * m <= limit:
            joint = tf.concat([tf.repeat(joint, m, axis=1), tf.tile(part, [1, n, 1])], axis=-1)
        else:
            size = max(n, m)
            joint = tf.concat([_exactly(joint, size), _exactly(tf.reverse(part, [1]), size)], axis=-1)
    return joint


def _exactly(options: tf.Tensor, count: int) -> tf.Tensor:
    """Repeats or cuts `[B, N, U]` to `[B, count, U]`."""
    n = options.shape[1]
    return options[:, :count] if n >= count else tf.gather(options, [i % n for i in range(count)], axis=1)
