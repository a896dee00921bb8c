"""Whether numbers fall into two groups: the cells with few inputs do when nights differ."""

from __future__ import annotations

__all__ = ["is_bimodal"]

import numpy as np
import numpy.typing as npt
from scipy.stats import gaussian_kde

_FEWEST = 20  # below, a gap is chance
_LOWEST_PART = 0.1  # of the values, in the smaller group: a few odd cells are no second group
_DEEPEST_PASS = 0.7  # of the lower peak: how far the valley must go down
_STEPS = 200


def is_bimodal(values: npt.ArrayLike) -> bool:
    """Return whether positive numbers lie in two groups with a valley between them.

    Parameters
    ----------
    values : float (n,)
        Positive; what is not finite is left out.

    Returns
    -------
    bimodal
        Whether the density of their logarithms has a valley below 0.7 of the lower of the peaks on
        its two sides, with a tenth of the values at least on either side. Fewer than 20 values
        never have one.

    Notes
    -----
    The density is a Gaussian kernel estimate with Scott's bandwidth, which is made for one group
    and smooths two: what still shows a valley is no accident of the kernel.
    """
    given = np.asarray(values, np.float64)
    logs = np.log(given[np.isfinite(given) & (given > 0)])
    if logs.size < _FEWEST or np.ptp(logs) == 0.0:
        return False
    at = np.linspace(logs.min(), logs.max(), _STEPS)
    density = gaussian_kde(logs)(at)
    # How high one must have been on the left, and will be on the right, of every place.
    left = np.maximum.accumulate(density)
    right = np.maximum.accumulate(density[::-1])[::-1]
    below = (logs[:, np.newaxis] < at).mean(axis=0)
    valley = density < _DEEPEST_PASS * np.minimum(left, right)
    return bool((valley & (below >= _LOWEST_PART) & (below <= 1.0 - _LOWEST_PART)).any())
