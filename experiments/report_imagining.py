"""How far ahead a PredNode imagines well: its rollouts from real frames, against what came."""
from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

import numpy as np
import tensorflow as tf
from tf_agents.trajectories import trajectory as trajectory_lib

from experiments.report_trial import flat
from infonodes.agent import InfoNodeAgent
from infonodes.info_nodes import pred_replay
from infonodes.info_nodes.pred_node import PredNode

# Windows that are rolled out, at most; evenly spread over what was collected.
MOST_WINDOWS = 256
_RIDGE = 1e-3
_LEAST_SPREAD = 1e-6


class Foresight(NamedTuple):
    """How wrong a node's imagined ticks are, by how far ahead they lie.

    Errors are root mean squares in units of the real values' spread: 1 is as good as always
    guessing their mean.

    Attributes:
      node: Name.
      ticks: How far ahead, `[K]`.
      windows: How many rollouts.
      latent: Error by what guesses, `[K]`: `imagined`; `unchanged`, the latent at the start.
      observed: The same of observations, read from latents by a linear map that was fitted to
        other frames: `imagined`; `readout`, the map of the real latent, which is the best that
        can be hoped for; `unchanged`, the observation at the start. None with too few frames.
      example: One rollout: real and imagined observations, `[K, F]` each; None likewise.
    """

    node: str
    ticks: np.ndarray
    windows: int
    latent: dict[str, np.ndarray]
    observed: Optional[dict[str, np.ndarray]]
    example: Optional[tuple[np.ndarray, np.ndarray]]


def cut(frames: Sequence[trajectory_lib.Trajectory], length: int) -> list[int]:
    """Returns where windows of `length` frames within one episode start, at most `MOST_WINDOWS`, evenly spread."""
    begun = np.array([int(np.asarray(frame.step_type)) == 0 for frame in frames])
    starts = [s for s in range(len(frames) - length + 1) if not begun[s + 1 : s + length].any()]
    if len(starts) <= MOST_WINDOWS:
        return starts
    return [starts[i] for i in np.linspace(0, len(starts) - 1, MOST_WINDOWS).astype(int)]


def longest(frames: Sequence[trajectory_lib.Trajectory]) -> int:
    """Returns the number of frames of the longest episode."""
    begun = [i for i, frame in enumerate(frames) if int(np.asarray(frame.step_type)) == 0]
    return max(b - a for a, b in zip([0, *begun], [*begun, len(frames)]))


def foresee(
    agent: InfoNodeAgent, node: PredNode, frames: Sequence[trajectory_lib.Trajectory], horizon: int
) -> Optional[Foresight]:
    """Rolls `f_pred` out along the controls that were really done.

    Args:
      agent: Whose.
      node: One of its nodes.
      frames: Of its collect policy, in order.
      horizon: Predictions ahead, fewer where episodes are shorter.

    Returns:
      What was found; None if no episode is as long as one prediction.
    """
    hold = node.settings.hold
    ahead = min(horizon, (longest(frames) - 1) // hold)
    if ahead < 1:
        return None
    length = 1 + ahead * hold
    starts = cut(frames, length)
    real, imagined = _rollouts(agent, node, frames, starts, length, ahead)  # [N, 1 + K, D] each
    latent = {
        "imagined": error(imagined[:, 1:], real[:, 1:]),
        "unchanged": error(np.repeat(real[:, :1], ahead, axis=1), real[:, 1:]),
    }
    seen = np.stack([[flat(frames[s + k * hold].observation) for k in range(ahead + 1)] for s in starts])
    observed, example = _observations(real, imagined, seen, np.array(starts), length)
    return Foresight(node.name, hold * np.arange(1, ahead + 1), len(starts), latent, observed, example)


def error(guessed: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Returns root mean squares `[K]` of `guessed - real` `[N, K, F]`, in units of the spread of `real`.

    Features that do not vary say nothing, and are left out.
    """
    spread = real.std(axis=(0, 1))
    varying = spread > _LEAST_SPREAD
    if not varying.any():
        return np.full(real.shape[1], np.nan)
    wrong = ((guessed - real)[..., varying] / spread[varying]) ** 2
    return np.sqrt(wrong.mean(axis=(0, 2)))


def readout(latents: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ridge regression of `values` `[N, F]` on `latents` `[N, D]`: matrix `[D, F]`, offset `[F]`."""
    mean = latents.mean(axis=0)
    centred = latents - mean
    gram = centred.T @ centred + _RIDGE * np.eye(latents.shape[1])
    matrix = np.linalg.solve(gram, centred.T @ (values - values.mean(axis=0)))
    return matrix, values.mean(axis=0) - mean @ matrix


def _rollouts(
    agent: InfoNodeAgent, node: PredNode, frames: Sequence, starts: Sequence[int], length: int, ahead: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns real and imagined latents, one a prediction, the start's first: `[N, 1 + K, D]` each."""
    join = lambda *leaves: np.stack(leaves)
    windows = [tf.nest.map_structure(join, *frames[s : s + length]) for s in starts]
    batch = tf.nest.map_structure(lambda *leaves: tf.convert_to_tensor(np.stack(leaves)), *windows)

    def roll(batch: trajectory_lib.Trajectory) -> tuple[tf.Tensor, tf.Tensor]:
        experience = agent.perceive(batch)[node.name]
        z = experience.state["z"]
        guesses = pred_replay.unroll(node, experience, z[:, 0], 0, ahead)
        return z[:, :: node.settings.hold], tf.stack([z[:, 0], *guesses], axis=1)

    real, imagined = tf.function(roll, autograph=False)(batch)
    return real.numpy().astype(np.float64), imagined.numpy().astype(np.float64)


def _observations(
    real: np.ndarray, imagined: np.ndarray, seen: np.ndarray, starts: np.ndarray, length: int
) -> tuple[Optional[dict[str, np.ndarray]], Optional[tuple[np.ndarray, np.ndarray]]]:
    """Fits a readout on the first half of the frames and judges by it on the second; they share no frame."""
    middle = (starts[0] + starts[-1] + length) // 2
    fitted, judged = starts + length <= middle, starts >= middle
    if fitted.sum() * real.shape[1] <= real.shape[2] or judged.sum() < 2:
        return None, None
    fold = lambda x: x.reshape([-1, x.shape[-1]])
    matrix, offset = readout(fold(real[fitted]), fold(seen[fitted]))
    z, guess, came = real[judged, 1:], imagined[judged, 1:], seen[judged, 1:]
    observed = {
        "imagined": error(guess @ matrix + offset, came),
        "readout": error(z @ matrix + offset, came),
        "unchanged": error(np.repeat(seen[judged, :1], z.shape[1], axis=1), came),
    }
    pick = len(came) // 2
    return observed, (came[pick], guess[pick] @ matrix + offset)
