"""Weights of inputs: one over a mean variance."""

from __future__ import annotations

__all__ = ["compute_weight"]

from collections.abc import Collection

import numpy as np
from lsst.images import MaskedImage

from ..kernels.clipped_mean import clipped_mean
from ..masks.algebra import any_of


def compute_weight(
    masked_image: MaskedImage, *, bad: Collection[str] = ("BAD", "NO_DATA", "SAT")
) -> float:
    """Return the weight of an image from its variance plane: 1 / clipped mean.

    Parameters
    ----------
    masked_image
        A warp, a cell, a cut-out, or any other of lsst.images: a visit image, a stitched coadd.
    bad
        Planes whose pixels do not count, under our names or those of Rubin's DP2; those that the
        image does not have are left out.

    Returns
    -------
    weight
        In the inverse unit of the variance; 0 if no pixel counts.

    Examples
    --------
    >>> from lsst.images import Image
    >>> from cellcoadd.masks.planes import mask_schema
    >>> image = MaskedImage(
    ...     Image(0.0, shape=(1, 3)), variance=Image(4.0, shape=(1, 3)), mask_schema=mask_schema()
    ... )
    >>> image.variance.array[0, 0] = 1e6
    >>> image.mask.set("SAT", np.array([[True, False, False]]))
    >>> compute_weight(image)
    0.25
    """
    variance = masked_image.variance.array
    good = np.isfinite(variance) & ~any_of(masked_image.mask, bad, ignore_missing=True)
    mean = clipped_mean(variance[good])
    return 1.0 / mean if np.isfinite(mean) and mean > 0 else 0.0
