"""Weights of inputs: one over a mean variance."""

from __future__ import annotations

__all__ = ["clipped_mean", "compute_weight"]

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
from lsst.images import MaskedImage

from ..products.mask_planes import bits_of, plane_array

_IQR_TO_SIGMA = 0.741301109252802
"""Standard deviation of a normal distribution over its interquartile range."""


def clipped_mean(values: npt.ArrayLike, *, sigma: float = 3.0, iterations: int = 2) -> float:
    """Return the mean of values within some standard deviations, NaN if there are no values.

    The first clip is about the median, with a width from the interquartile range; each further one
    about the mean of the clip before, with its standard deviation. Every clip starts again from all
    values (the statistics of the Rubin pipelines).
    """
    data = np.asarray(values, dtype=np.float64).ravel()
    data = data[np.isfinite(data)]
    if data.size == 0:
        return float("nan")
    first, centre, third = np.percentile(data, [25.0, 50.0, 75.0])
    width = _IQR_TO_SIGMA * (third - first)
    mean = float(centre)
    for _ in range(iterations):
        kept = data[np.abs(data - centre) <= sigma * width]
        mean = float(kept.mean())
        centre, width = mean, float(kept.std(ddof=1)) if kept.size > 1 else 0.0
    return mean


def compute_weight(
    masked_image: MaskedImage, *, bad: Collection[str] = ("BAD", "NO_DATA", "SAT")
) -> float:
    """Return the weight of an image from its variance plane: 1 / clipped mean.

    Parameters
    ----------
    masked_image
        A warp, a cell or a cut-out, with our mask planes.
    bad
        Planes whose pixels do not count.

    Returns
    -------
    weight
        In the inverse unit of the variance; 0 if no pixel counts.
    """
    variance = masked_image.variance.array
    bits = bits_of(masked_image.mask.schema, bad, ignore_missing=True)
    good = np.isfinite(variance) & ((plane_array(masked_image.mask) & bits) == 0)
    mean = clipped_mean(variance[good])
    return 1.0 / mean if np.isfinite(mean) and mean > 0 else 0.0
