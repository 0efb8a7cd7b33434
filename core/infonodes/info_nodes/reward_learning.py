"""What a RewardNode learns from: rewards, ends and values along imagined paths, and what was met."""
from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from infonodes.info_nodes import pred_replay
from infonodes.info_nodes.rows import fold_time
from infonodes.rules import returns, spans
from infonodes.types import Experience, NodeLoss

if TYPE_CHECKING:
    from infonodes.info_nodes.reward_node import RewardNode


def loss(node: RewardNode, experience: Experience) -> NodeLoss:
    """Returns the errors of the node's heads, switched by the modes, and its cost: how far rewards fell short."""
    experience = _rewarded(node, experience)
    imagined = experience.parents[node.pred_name]["imagined"]
    starts, ahead = pred_replay.spans(node.pred, experience)
    total = 0.0
    metrics: dict[str, tf.Tensor] = {}
    for i, start in enumerate(starts):
        error, parts = _window_loss(node, _window(node, experience, start), imagined[:, i], ahead)
        total += error / len(starts)
        metrics = metrics or parts
    moved = returns.cumulative_valid(experience.step_type)
    unmet = tf.maximum(node.set_point - experience.reward[:, :-1], 0.0)
    cost = tf.reduce_sum(moved * unmet, 1) / tf.maximum(tf.reduce_sum(moved, 1), 1.0)
    metrics.update(set_point=node.set_point, epsilon=node.met.epsilon)
    return NodeLoss(total * float(experience.modes.train_rewards), cost, metrics)


def signal(node: RewardNode, experience: Experience) -> tf.Tensor:
    """Returns what the node values of each move of a window, in its own units: `[B, T-1]`."""
    return _signal(node, _rewarded(node, experience))


def update_met(node: RewardNode, experience: Experience, step: tf.Tensor) -> None:
    """Widens the range that was met, moves the quantile of the values, and lets epsilon fall."""
    cfg = node.settings
    experience = _window(node, _rewarded(node, experience))
    reward = _signal(node, experience)
    moved = returns.is_move(experience.step_type)
    # Absorbing costs lie a tenth above the highest met: ending is never the cheaper life.
    low = tf.reduce_min(moved * reward) * (1.1 if cfg.signal == "intrinsic" else 1.0)
    node.keep(
        low=tf.minimum(node.met.low, low),
        high=tf.maximum(node.met.high, tf.reduce_max(moved * reward)),
        best=tf.maximum(node.met.best, tf.reduce_max(experience.reward)),
    )
    values = _bootstrap(node, experience, returns.cumulative_valid(experience.step_type))
    above = tf.reduce_mean(tf.cast(values > node.met.quantile, tf.float32))
    done = tf.minimum(tf.cast(step, tf.float32) / max(cfg.epsilon_steps, 1), 1.0)
    node.keep(
        # Stochastic quantile step: moves up while more than 1 - q of the values lie above.
        quantile=node.met.quantile + 0.05 * node.value_range * (above - (1 - cfg.quantile)),
        epsilon=cfg.epsilon + (cfg.final_epsilon - cfg.epsilon) * done,
    )


def _window(node: RewardNode, experience: Experience, start: int = 0) -> Experience:
    """The experience from frame `start`, a prediction of the PredNode a frame."""
    pred = experience.parents[node.pred_name]
    kept = {name: pred[name] for name in ("slow", "options") if name in pred}
    window = experience._replace(parents={node.pred_name: kept}, state={}, decision=())
    if start:
        window = tf.nest.map_structure(
            lambda x: x[:, start:] if isinstance(x, tf.Tensor) and x.shape.rank > 1 else x, window
        )
    hold = node.pred.settings.hold
    return spans.every(window, hold) if hold > 1 else window


def _rewarded(node: RewardNode, experience: Experience) -> Experience:
    """The experience with the reward that the node is to value, where it is not the environment's.

    A sensor says at t + 1 what the move from t was worth; what it says after a boundary is
    of no move, and masked as boundaries are.
    """
    if node.settings.signal != "sensed":
        return experience
    said = experience.parents[node.reward_name]["value"]
    return experience._replace(reward=tf.concat([said[:, 1:], said[:, -1:]], axis=1))


def _signal(node: RewardNode, experience: Experience) -> tf.Tensor:
    source = experience.intrinsic if node.settings.signal == "intrinsic" else experience.reward
    return source[:, :-1]


def _bootstrap(node: RewardNode, window: Experience, moved: tf.Tensor) -> tf.Tensor:
    """Values that the targets lean on, `[B, 1]` or `[B, T-1]`."""
    pred = window.parents[node.pred_name]
    reached = {name: returns.leaned_on(frames[:, 1:], moved, node.settings.lam) for name, frames in pred.items()}
    z = reached.pop("slow")
    if node.settings.bootstrap == "reached":
        return node.value(z, slow=True)
    rows = tf.nest.map_structure(fold_time, {"z": z, **reached})
    return tf.reshape(node.best(rows, window.seed), [-1, z.shape[1]])


def _targets(node: RewardNode, window: Experience, moved: tf.Tensor) -> tf.Tensor:
    bootstrap = _bootstrap(node, window, moved)
    reward, ended = _signal(node, window), spans.ended(window)
    return tf.stop_gradient(
        returns.n_step_targets(reward, ended, moved, bootstrap, node.gamma, node.settings.lam, node.terminal)
    )


def _window_loss(
    node: RewardNode, window: Experience, imagined: tf.Tensor, ahead: int
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Errors of the heads along one imagined path, `[B]`; window and path start together."""
    moved = returns.cumulative_valid(window.step_type)
    targets = _targets(node, window, moved)
    reward = (_signal(node, window) - node.met.low) / node.value_range
    now, following, mask = imagined[:, :-1], imagined[:, 1:], moved[:, :ahead]
    done = pred_replay.joined_controls(node.pred, window)[:, :ahead]
    raw_reward, proceeds = tf.unstack(node.outlook_head(*node.move(now, done, following)), axis=-1)
    errors = {
        "reward": (raw_reward - reward[:, :ahead]) ** 2,
        "continuation": tf.nn.sigmoid_cross_entropy_with_logits(1 - spans.ended(window)[:, :ahead], proceeds),
        "value": _value_error(node, now, targets[:, :ahead]),
    }
    parts = {name: tf.reduce_mean(mask * error, axis=1) for name, error in errors.items()}
    total = tf.add_n(list(parts.values()))
    if node.interest is not None:
        parts["interest"] = _interest_error(node, window, imagined[:, 0], moved)
        total += parts["interest"]
    metrics = {name: tf.reduce_mean(error) for name, error in parts.items()}
    metrics["mean_value"] = tf.reduce_mean(targets)
    return total, metrics


def _value_error(node: RewardNode, z: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of the heads with the target's place in the range, `[...]`."""
    logits = node.value_heads(z)[..., 0]  # [..., heads]
    place = tf.clip_by_value((target - node.met.low) / node.value_range, 0.0, 1.0)
    labels = tf.repeat(place[..., None], logits.shape[-1], axis=-1)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits), axis=-1)


def _interest_error(node: RewardNode, window: Experience, z: tf.Tensor, moved: tf.Tensor) -> tf.Tensor:
    """The value of information gain, fitted like V, `[B]`; it does not shape the latents."""
    assert node.interest is not None
    cfg, pred = node.settings, node.pred
    slow = window.parents[node.pred_name]["slow"]
    gain = pred.information_gain(slow[:, :-1], pred_replay.joined_controls(pred, window)[:, :-1])
    reached = returns.leaned_on(slow[:, 1:], moved, cfg.lam)
    beyond = tf.nn.softplus(node.interest(reached, slow=True)[..., 0])
    target = returns.n_step_targets(gain, spans.ended(window), moved, beyond, cfg.curiosity_gamma, cfg.lam)
    guess = tf.nn.softplus(node.interest(tf.stop_gradient(z))[..., 0])
    return moved[:, 0] * (guess - tf.stop_gradient(target[:, 0])) ** 2
