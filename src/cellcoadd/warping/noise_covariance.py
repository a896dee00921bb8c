"""What resampling makes of a detector's noise in each cell: its covariance by offset.

The variance plane of a warp says what a pixel's noise is, not that neighbours have it in common.
Who measures a flux from many pixels needs both; `analysis.noise_factor` makes one number of it.
"""

from __future__ import annotations

__all__ = ["warp_noise_covariance"]

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from lsst.images import Box

from ..kernels.noise_covariance import resampled_noise_covariance
from ..kernels.warping_kernel import WarpingKernel
from .positions import TractToDetector

_LARGEST_RADIUS = 32
"""Offsets in tract pixels beyond which the covariance is taken as 0.

Detector pixels of 5 times the tract's reach so far. Stamps of larger ones would grow with the
square of their size, and a coadd cuts them at its PSF's anyway.
"""


def warp_noise_covariance(
    transform: TractToDetector,
    boxes: Sequence[Box],
    *,
    kernel: WarpingKernel,
    correlation: npt.NDArray[np.float64] | None = None,
) -> npt.NDArray[np.float32]:
    """Return what a detector's noise of variance 1 becomes in some regions of a tract.

    Parameters
    ----------
    transform
        Tract pixels to detector pixels.
    boxes
        Inner regions of cells, of one size, whose middles lie on the detector.
    kernel
        That of the resampler.
    correlation : float64 (n, n), optional
        Correlation of the noise of two detector pixels by their offset in y and x, as in
        `CalibratedImage.noise_correlation`. None: white noise.

    Returns
    -------
    float32 (len(boxes), size, size)
        Mean covariance of two pixels of a region by their offset in y and x; offset 0 in the
        middle, and 0 beyond; at most 65 x 65.
    """
    if not boxes:
        return np.zeros((0, 1, 1), np.float32)
    x = np.array([0.5 * (box.x.min + box.x.max) for box in boxes])
    y = np.array([0.5 * (box.y.min + box.y.max) for box in boxes])
    at = transform.to_detector(x=x, y=y)
    jacobians = transform.jacobians(x=x, y=y)
    in_source = 2 * kernel.half_width + (0 if correlation is None else correlation.shape[0] // 2)
    reach = np.abs(np.linalg.inv(jacobians)).sum(axis=2).max() * in_source
    return resampled_noise_covariance(
        at.x,
        at.y,
        jacobians,
        height=boxes[0].y.size,
        width=boxes[0].x.size,
        kernel=kernel,
        radius=min(math.floor(float(reach)), _LARGEST_RADIUS),
        correlation=correlation,
    )
