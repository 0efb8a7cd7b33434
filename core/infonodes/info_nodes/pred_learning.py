"""What a PredNode learns from: prediction, hindsight, disagreement, its neighbours."""
from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from infonodes.info_nodes.pred_replay import joined_controls, spans
from infonodes.rules import prediction, returns
from infonodes.types import Experience, NodeLoss

if TYPE_CHECKING:
    from infonodes.info_nodes.pred_node import PredNode


def loss(node: PredNode, experience: Experience) -> NodeLoss:
    """Returns the node's loss, its parts switched by the modes, and its cost: mean free energy."""
    cfg, modes = node.settings, experience.modes
    imagined = experience.state["imagined"]
    starts, ahead = spans(node, experience)
    consistency, cost = _prediction_loss(node, experience, starts, ahead)
    total = consistency * float(modes.train_world_model)
    metrics = {"prediction": tf.reduce_mean(consistency)}
    acts_by_it = node.f_act is node.inverse
    if node.inverse is not None:
        hindsight, agreement = _inverse_loss(node, experience, starts)
        weight = 1.0 if acts_by_it else cfg.inverse_weight
        total += weight * float(modes.train_policy) * hindsight
        metrics["inverse"] = tf.reduce_mean(hindsight)
        metrics["agreement"] = agreement
    if node.heads is not None:
        total += float(modes.train_world_model) * _ensemble_loss(node, experience, starts)
    if node.neighbor_names:
        total += float(modes.train_world_model) * _agreement_loss(node, experience)
    if modes.dream and modes.train_policy and node.inverse is not None and acts_by_it:
        total += _dream_loss(node, experience)
    flat = tf.reshape(tf.stop_gradient(imagined[:, :, 0]), [-1, cfg.latent_size])
    metrics["latent_std"] = tf.reduce_mean(tf.math.reduce_std(flat, axis=0))
    metrics["effective_rank"] = prediction.effective_rank(flat)
    return NodeLoss(total, cost, metrics)


def _prediction_loss(
    node: PredNode, experience: Experience, starts: list[int], ahead: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Squared error of imagined latents against the slow encoder's, and their free energy: `[B]` each."""
    cfg = node.settings
    slow, imagined = experience.state["slow"], experience.state["imagined"]
    costs, total = [], 0.0
    for i, start in enumerate(starts):
        alive = returns.cumulative_valid(experience.step_type[:, start:])
        for k in range(1, ahead + 1):
            mask = alive[:, k * cfg.hold - 1]
            error = slow[:, start + k * cfg.hold] - imagined[:, i, k]
            total += mask * tf.reduce_sum(error**2, axis=-1)
            costs.append(mask * node.free_energy(tf.stop_gradient(error)))
    scale = float(len(starts) * ahead)
    # Latents of either norm are compared at the scale of one simplex group a feature set.
    size = 1.0 if cfg.norm == "simnorm" else 4.0 / cfg.latent_size
    return total / scale * size, tf.add_n(costs) / scale


def _inverse_loss(node: PredNode, experience: Experience, starts: list[int]) -> tuple[tf.Tensor, tf.Tensor]:
    """Hindsight: what the controls did where the latent k spans after z_t was reached from it.

    For each k of the unroll if the node acts by it, else for k = 1.

    Returns:
      The loss `[B]`, and the share of choices it would repeat.
    """
    assert node.inverse is not None
    slow, hold = experience.state["slow"], node.settings.hold
    controls = joined_controls(node, experience)
    total, hits, count = 0.0, 0.0, 0
    for i, start in enumerate(starts):
        z, done = experience.state["imagined"][:, i, 0], controls[:, start + hold - 1]
        alive = returns.cumulative_valid(experience.step_type[:, start:])
        furthest = min(node.settings.unroll if node.f_act is node.inverse else 1, alive.shape[1] // hold)
        for k in range(1, furthest + 1):
            mask, spans_on = alive[:, k * hold - 1], tf.fill(tf.shape(alive)[:1], float(k))
            wrong, agreed = node.inverse.assess(z, slow[:, start + k * hold], spans_on, done)
            total += mask * wrong
            count += 1
            if k == 1:
                hits += tf.reduce_sum(mask * agreed) / tf.maximum(tf.reduce_sum(mask), 1.0)
    return total / float(count), tf.stop_gradient(hits / float(len(starts)))


def _ensemble_loss(node: PredNode, experience: Experience, starts: list[int]) -> tf.Tensor:
    """Squared error of each head one span ahead, `[B]`; it does not shape the latents."""
    assert node.heads is not None
    z, slow = tf.stop_gradient(experience.state["z"]), experience.state["slow"]
    controls, hold, total = joined_controls(node, experience), node.settings.hold, 0.0
    for start in starts:
        alive = returns.cumulative_valid(experience.step_type[:, start:])[:, hold - 1]
        guesses = node.heads(z[:, start], controls[:, start + hold - 1])
        error = guesses - slow[:, None, start + hold]
        total += alive * tf.reduce_sum(error**2, axis=[-2, -1])
    return total / float(len(starts))


def _agreement_loss(node: PredNode, experience: Experience) -> tf.Tensor:
    """Trains translations to map neighbours onto the shared part of this latent, `[B]`."""
    private = node.private_size
    own = tf.stop_gradient(experience.state["z"])[..., private:]
    total = 0.0
    for name, states in experience.neighbors.items():
        guess = node.translated(name, tf.stop_gradient(states["z"]))[..., private:]
        total += tf.reduce_mean((guess - own) ** 2, axis=[1, 2])
    return total


def _dream_loss(node: PredNode, experience: Experience) -> tf.Tensor:
    """Night-dreaming: `f_act` learns from imagined ticks what leads where, `[B]`."""
    assert node.inverse is not None
    z = tf.stop_gradient(experience.state["imagined"][:, 0, 0])
    options = node.options(tf.nest.map_structure(lambda x: x[:, 0], experience.state))
    pick = tf.random.stateless_uniform([1], experience.seed, 0, options.shape[1], tf.int32)
    done = tf.gather(options, pick[0], axis=1)
    later = tf.stop_gradient(node.predict(z, done))
    return node.inverse.assess(z, later, tf.ones(tf.shape(z)[:1]), done)[0]
