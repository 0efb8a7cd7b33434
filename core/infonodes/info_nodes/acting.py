"""The three interchangeable forms of `f_act`: from a wished latent to controls."""
from __future__ import annotations

import abc
from typing import Callable, Optional

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from infonodes.info_nodes.info_node import InfoNode
from infonodes.networks.mlp import MLP

Predict = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
FORMS = ("inverse", "search", "gradient")


class Act(tf.Module, abc.ABC):
    """Finds controls that lead from z to a wished latent.

    All encodings are floats, `[..., U]` for all controls of a node joined.
    """

    @abc.abstractmethod
    def __call__(
        self,
        z: tf.Tensor,
        wish: tf.Tensor,
        options: tf.Tensor,
        now: tf.Tensor,
        predict: Predict,
        seed: Optional[tf.Tensor],
    ) -> tf.Tensor:
        """Returns controls `[B, U]`.

        Args:
          z: Where the node is, `[B, D]`.
          wish: Where it is asked to be, `[B, D]`.
          options: Controls known to be possible, `[B, N, U]`.
          now: What the controls did at the last tick, `[B, U]`.
          predict: The node's `f_pred`.
          seed: int32 `[2]` to sample where the form is a distribution; None for its mode.
        """


class SearchAct(Act):
    """The option whose predicted latent is nearest to the wish."""

    def __call__(self, z, wish, options, now, predict, seed):
        count = options.shape[1]
        reached = predict(tf.repeat(z[:, None], count, axis=1), options)
        distance = tf.reduce_sum((reached - wish[:, None]) ** 2, axis=-1)
        return tf.gather(options, tf.argmin(distance, axis=1), axis=1, batch_dims=1)


class GradientAct(Act):
    """The notes' `convenience_f_act`: descends ‖f_pred(z, u) − wish‖² in u.

    Starts from the best option, takes normalised steps, and projects into the range of
    encoded controls: [-1, 1], of latents their own. Discrete controls take the nearest code on
    decoding. A step that does not come nearer is not taken.
    """

    def __init__(self, controls: list[InfoNode], steps: int = 5, rate: float = 0.2, name: str = "gradient_act"):
        super().__init__(name=name)
        bounds = [_bounds(control) for control in controls]
        self._low, self._high = (np.concatenate([b[side] for b in bounds]) for side in (0, 1))
        self._steps, self._rate = steps, rate
        self._start = SearchAct()

    def __call__(self, z, wish, options, now, predict, seed):
        far = lambda u: tf.reduce_sum((predict(z, u) - wish) ** 2, axis=-1, keepdims=True)
        control = self._start(z, wish, options, now, predict, seed)
        best = far(control)
        for i in range(self._steps):
            with tf.GradientTape() as tape:
                tape.watch(control)
                distance = far(control)
            slope = tape.gradient(distance, control)
            step = slope / (tf.norm(slope, axis=-1, keepdims=True) + 1e-8)
            moved = tf.clip_by_value(control - self._rate * 0.7**i * step, self._low, self._high)
            reached = far(moved)
            control = tf.where(reached < best, moved, control)
            best = tf.minimum(best, reached)
        return control


def _bounds(control: InfoNode) -> np.ndarray:
    """Returns the range of a control's encoding: `[2, control_size]`."""
    spec = control.target_spec
    ends = (spec.minimum, spec.maximum) if control.is_latent and spec is not None else (-1.0, 1.0)
    return np.stack([np.broadcast_to(np.float32(end), [control.control_size]) for end in ends])


class InverseAct(Act):
    """Learned in hindsight: (z_t, z_{t+k} − z_t, k) to what the controls did at t.

    Any pair of a trajectory is expert data for reaching its end (Ghosh et al. 2021, GCSL).
    Discrete controls get a categorical, continuous ones a mixture of Gaussians, since a
    mean over several valid causes is none of them; latents a difference-corrected mean,
    u = now + f(z, wish) − f(z, z): "no change wanted" sends no change.
    """

    def __init__(
        self,
        controls: list[InfoNode],
        latent_size: int,
        hidden: tuple[int, ...],
        mixture: int = 5,
        name: str = "inverse_act",
    ):
        super().__init__(name=name)
        self._heads = [_head(c, mixture) for c in controls]
        self._network = MLP(hidden, sum(h.parameters for h in self._heads), False, output_scale=0.1, name="f_act")
        self._network(tf.zeros([1, 2 * latent_size + 1]))

    def __call__(self, z, wish, options, now, predict, seed):
        heads = self._split(z, wish, tf.ones(tf.shape(z)[:-1]))
        still = self._split(z, z, tf.ones(tf.shape(z)[:-1]))
        widths = [h.width for h in self._heads]
        parts = []
        for i, (head, now_i) in enumerate(zip(self._heads, tf.split(now, widths, axis=-1))):
            one = None if seed is None else tf.random.experimental.stateless_fold_in(seed, i)
            parts.append(head.choose(heads[i], still[i], now_i, one))
        return tf.concat(parts, axis=-1)

    def assess(
        self, z: tf.Tensor, later: tf.Tensor, ticks: tf.Tensor, controls: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Scores what was done.

        Args:
          z: `[..., D]` at t.
          later: `[..., D]` at t + k.
          ticks: `[...]`, k: ticks, or spans of a node that holds its targets.
          controls: `[..., U]`, what the controls did at t.

        Returns:
          Its negative log-likelihood `[...]`, and 1 where the mode would have done the
          same (within 0.25 of a control's range), else 0.
        """
        heads = self._split(z, later, ticks)
        parts = tf.split(controls, [h.width for h in self._heads], axis=-1)
        triples = list(zip(self._heads, heads, parts))
        loss = tf.add_n([h.loss(p, u) for h, p, u in triples])
        far = [tf.reduce_max(tf.abs(h.mode(p) - u), -1) for h, p, u in triples]
        return loss, tf.cast(tf.add_n(far) < 0.25, tf.float32)

    def _split(self, z: tf.Tensor, wish: tf.Tensor, ticks: tf.Tensor) -> list[tf.Tensor]:
        found = self._network(z, wish - z, tf.math.log(ticks)[..., None])
        return tf.split(found, [h.parameters for h in self._heads], axis=-1)


class _Categorical:
    """Head of a control whose code is one-hot blocks of given widths."""

    def __init__(self, blocks: list[int]):
        self._blocks = blocks
        self.width = self.parameters = sum(blocks)

    def mode(self, logits):
        return self.choose(logits, None, None, None)

    def choose(self, logits, still, now, seed):
        del still, now
        noise = 0.0
        if seed is not None:
            uniform = tf.random.stateless_uniform(tf.shape(logits), seed, 1e-6, 1.0)
            noise = -tf.math.log(-tf.math.log(uniform))
        parts = tf.split(logits + noise, self._blocks, axis=-1)
        return tf.concat([tf.one_hot(tf.argmax(p, -1), b) for p, b in zip(parts, self._blocks)], -1)

    def loss(self, logits, controls):
        pairs = zip(tf.split(logits, self._blocks, -1), tf.split(controls, self._blocks, -1))
        return tf.add_n([tf.nn.softmax_cross_entropy_with_logits(u, p) for p, u in pairs])


class _Mixture:
    """Head of a continuous control: M diagonal Gaussians."""

    def __init__(self, width: int, mixture: int):
        self.width, self._mixture = width, mixture
        self.parameters = mixture * (1 + 2 * width)

    def mode(self, parameters):
        return self.choose(parameters, None, None, None)

    def choose(self, parameters, still, now, seed):
        del still, now
        weights, mean, scale = self._parts(parameters)
        if seed is None:
            pick = tf.argmax(weights, axis=-1)
            return tf.clip_by_value(tf.gather(mean, pick, axis=-2, batch_dims=1), -1.0, 1.0)
        distribution = self._distribution(weights, mean, scale)
        return tf.clip_by_value(distribution.sample(seed=seed), -1.0, 1.0)

    def loss(self, parameters, controls):
        return -self._distribution(*self._parts(parameters)).log_prob(controls)

    def _parts(self, parameters):
        m, u = self._mixture, self.width
        weights, mean, scale = tf.split(parameters, [m, m * u, m * u], axis=-1)
        shape = tf.concat([tf.shape(weights), [u]], axis=0)
        scale = 0.05 + tf.nn.softplus(tf.reshape(scale, shape))
        return weights, tf.tanh(tf.reshape(mean, shape)), scale

    def _distribution(self, weights, mean, scale):
        return tfp.distributions.MixtureSameFamily(
            tfp.distributions.Categorical(logits=weights),
            tfp.distributions.MultivariateNormalDiag(mean, scale),
        )


class _Difference:
    """Head of a latent control: a mean, corrected so that no wish is no change."""

    def __init__(self, width: int):
        self.width = self.parameters = width

    def mode(self, mean):
        return mean

    def choose(self, mean, still, now, seed):
        del seed
        return now + mean - still

    def loss(self, mean, controls):
        return tf.reduce_sum((mean - controls) ** 2, axis=-1)


def _head(control: InfoNode, mixture: int) -> _Categorical | _Mixture | _Difference:
    if control.is_latent:
        return _Difference(control.control_size)
    if control.blocks:
        return _Categorical(list(control.blocks))
    return _Mixture(control.control_size, mixture)


def make_act(form: str, controls: list[InfoNode], latent_size: int, hidden: tuple[int, ...]) -> Act:
    """Returns the named form of `f_act`.

    Raises:
      ValueError: listing the forms, for an unknown one.
    """
    if form == "search":
        return SearchAct()
    if form == "gradient":
        return GradientAct(controls)
    if form == "inverse":
        return InverseAct(controls, latent_size, hidden)
    raise ValueError(f"f_act={form!r}: expected one of {FORMS}, or an Act")
