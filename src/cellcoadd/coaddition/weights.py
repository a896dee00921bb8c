"""Weights of inputs: one over a mean variance."""

from __future__ import annotations

__all__ = ["compute_weight"]

from collections.abc import Collection

import numpy as np
from lsst.images import MaskedImage

from ..kernels.clipped_mean import clipped_mean
from ..products.mask_planes import bits_of, plane_array


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
