"""The mean of values without their outliers, as weights are made from it."""

from __future__ import annotations

__all__ = ["IQR_TO_SIGMA", "clipped_mean"]

import numpy as np
import numpy.typing as npt

IQR_TO_SIGMA = 0.741301109252802
"""Standard deviation of a normal distribution over its interquartile range."""


def clipped_mean(values: npt.ArrayLike, *, sigma: float = 3.0, iterations: int = 2) -> float:
    """Return the mean of values within some standard deviations, NaN if there are no values.

    Parameters
    ----------
    values
        Of any shape; those that are not finite do not count.
    sigma
        Half-width of what is kept, in standard deviations.
    iterations
        Number of clips.

    Notes
    -----
    The first clip is about the median, with a width from the interquartile range; each further one
    about the mean of the clip before, with its standard deviation. Every clip starts again from all
    values (the statistics of the Rubin pipelines).
    """
    data = np.asarray(values, dtype=np.float64).ravel()
    data = data[np.isfinite(data)]
    if data.size == 0:
        return float("nan")
    first, centre, third = np.percentile(data, [25.0, 50.0, 75.0])
    width = IQR_TO_SIGMA * (third - first)
    mean = float(centre)
    for _ in range(iterations):
        kept = data[np.abs(data - centre) <= sigma * width]
        mean = float(kept.mean())
        centre, width = mean, float(kept.std(ddof=1)) if kept.size > 1 else 0.0
    return mean
