"""Running statistics of an unbounded observation."""
from __future__ import annotations

import tensorflow as tf

from infonodes.networks.statistic import Statistic

# Beyond this many frames the oldest weigh less, so that the statistics keep following.
_MEMORY = 1e6
# Squares of what is counted stay finite in float32.
_LARGEST = 1e15


class RunningNormaliser(tf.Module):
    """Shifts and scales to mean 0 and variance 1 over all frames it was shown.

    `d` the distance from the old mean, `w = n / (count + n)`, the variance about the new mean:

    ```
    shift     = w E[d]
    mean'     = mean + shift
    variance' = (1 - w) (variance + shift²) + w (Var[d] + (E[d] − shift)²)
    ```

    Nothing is subtracted from a square, so that a spread far smaller than the mean is kept. Under
    a distribution strategy the replicas' values are averaged at each assignment, and since the
    shift is read back after the first, the result is that of the joined batch.

    Attributes:
      mean: Statistic `[S]`, 0 before any update.
      variance: Statistic `[S]`, 1 before any update.
      count: Statistic, frames a replica was shown, at most a million.
    """

    def __init__(self, size: int, clip: float = 10.0, name: str = "normaliser"):
        """Builds the statistics.

        Args:
          size: S.
          clip: Greatest absolute value that comes out.
          name: Name of the module.
        """
        super().__init__(name=name)
        self._clip = clip
        self.mean = Statistic(tf.zeros([size]), "mean")
        self.variance = Statistic(tf.ones([size]), "variance")
        self.count = Statistic(tf.zeros([]), "count")

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Returns `x` `[..., S]` normalised and clipped."""
        scaled = (x - self.mean.value) * tf.math.rsqrt(tf.maximum(self.variance.value, 1e-6))
        return tf.clip_by_value(scaled, -self._clip, self._clip)

    def update(self, x: tf.Tensor) -> None:
        """Counts the frames `x` `[N, S]`."""
        x = tf.clip_by_value(x, -_LARGEST, _LARGEST)
        n = tf.cast(tf.shape(x)[0], tf.float32)
        w = n / tf.maximum(self.count.value + n, 1.0)
        old = self.mean.value
        d = x - old
        first = tf.reduce_mean(d, axis=0)
        spread = tf.reduce_mean((d - first) ** 2, axis=0)
        self.mean.assign(old + w * first)
        shift = self.mean.value - old
        self.variance.assign((1.0 - w) * (self.variance.value + shift**2) + w * (spread + (first - shift) ** 2))
        self.count.assign(tf.minimum(self.count.value + n, _MEMORY))


class RunningRange(tf.Module):
    """Scales to [-1, 1] by the greatest absolute value shown so far.

    Unlike a running variance it settles after few frames, and never shrinks: latents keep
    their meaning while the policy, and with it the spread of what is seen, changes.

    Attributes:
      peak: Statistic `[S]`, 0 before any update.
    """

    def __init__(self, size: int, name: str = "range"):
        """Builds the statistics.

        Args:
          size: S.
          name: Name of the module.
        """
        super().__init__(name=name)
        self.peak = Statistic(tf.zeros([size]), "peak")

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Returns `x` `[..., S]` scaled; what exceeds the range by far is clipped to ±10."""
        peak = self.peak.value
        scale = tf.where(peak > 0.0, peak, 1.0)
        return tf.clip_by_value(x / scale, -10.0, 10.0)

    def update(self, x: tf.Tensor) -> None:
        """Shows it the frames `x` `[N, S]`."""
        shown = tf.reduce_max(tf.abs(tf.clip_by_value(x, -_LARGEST, _LARGEST)), axis=0)
        self.peak.assign(tf.maximum(self.peak.value, shown))
