"""The point-spread functions of a warp: the detector's, resampled at the centre of each cell.

The stamp goes through the same resampler as the pixels, with the same positions and the same ratio
of areas, so a star in the warp looks exactly like it.
"""

from __future__ import annotations

__all__ = ["WarpedPsf", "warp_psf"]

import logging
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from lsst.images import YX, Box, Image
from lsst.images.psfs import PointSpreadFunction

from ..conventions import fwhm_of_moments
from ..kernels.moments import adaptive_moments
from ..kernels.optimal import LEAST_STAR_FWHM
from ..kernels.resample import resample
from ..kernels.warping_kernel import WarpingKernel
from .phase_errors import phase_error
from .positions import TractToDetector
from .settings import ResamplingSettings

_LOG = logging.getLogger(__name__)

_SHARP = 0.9  # of the FWHM that a kernel is made for: sharper stars are named


class WarpedPsf(NamedTuple):
    """A detector's PSF in cells of a patch.

    Parameters
    ----------
    stamps : float32 (cells, size, size)
        On the tract's pixels at the centres of the cells, centred on the middle pixel, large enough
        for all that comes of the PSF's own stamps. Their sum is near 1. NaN where the PSF cannot be
        drawn.
    phase_errors : float64 (cells,)
        How much they change with a star's sub-pixel position; see `phase_errors.phase_error`.
    """

    stamps: npt.NDArray[np.float32]
    phase_errors: npt.NDArray[np.float64]


def warp_psf(
    psf: PointSpreadFunction,
    *,
    transform: TractToDetector,
    centres: Sequence[YX[int]],
    settings: ResamplingSettings,
    name: str,
) -> WarpedPsf:
    """Return a detector's PSF on the tract's pixels at the centres of cells.

    Parameters
    ----------
    psf
        In the detector's pixels.
    transform
        Tract pixels to detector pixels.
    centres
        Pixels of the tract.
    settings
        Those of the pixels' resampler.
    name
        Whose function it is, for the log.
    """
    if not centres:
        return WarpedPsf(np.zeros((0, 1, 1), np.float32), np.zeros(0))
    kernel = settings.warping_kernel
    padding = 2 * kernel.half_width - 1  # zeros, so that the kernel reaches over the stamp's edge
    radius = _target_radius(psf, transform, centres, padding=padding)
    spacing = max(settings.interp_length, 1)
    boxes = [
        Box.factory[
            centre.y - radius : centre.y + radius + 1, centre.x - radius : centre.x + radius + 1
        ]
        for centre in centres
    ]
    positions = transform.to_detector(
        x=np.array([centre.x for centre in centres], np.float64),
        y=np.array([centre.y for centre in centres], np.float64),
    )
    blocks = transform.node_blocks(boxes, spacing=spacing)
    sharpest = math.inf
    stamps = np.empty((len(centres), 2 * radius + 1, 2 * radius + 1), np.float32)
    errors = np.full(len(centres), np.nan)
    failures: list[str] = []
    for row, (box, nodes) in enumerate(zip(boxes, blocks, strict=True)):
        image = _draw(psf, x=float(positions.x[row]), y=float(positions.y[row]))
        if isinstance(image, str):
            failures.append(image)
            stamps[row] = np.nan
            continue
        errors[row] = phase_error(image.array.astype(np.float64), kernel)
        if kernel.is_for_stars:
            sharpest = min(sharpest, _fwhm_of(image))
        padded = np.pad(image.array, padding).astype(np.float32)[np.newaxis]
        _resample_stamp(
            padded,
            node_x=nodes.x - (image.bbox.x.start - padding),
            node_y=nodes.y - (image.bbox.y.start - padding),
            box=box,
            spacing=spacing,
            kernel=kernel,
            out=stamps[row],
        )
    if failures:
        _LOG.warning(
            "%s takes no part in %d of %d cells, where its PSF cannot be drawn; the first: %s",
            name, len(failures), len(centres), failures[0],
        )  # fmt: skip
    if sharpest < _SHARP * kernel.star_fwhm:
        _LOG.warning(
            "%s is sharper than its kernel is for: its stars have a FWHM of %.2f pixels, %s is "
            "made for %.2f and more. Their images change with their place between the pixels "
            "(psf_fidelity says by how much); kernelStarFwhm = %.1f, or more taps, changes less.",
            name, sharpest, kernel.name, kernel.star_fwhm, max(sharpest, LEAST_STAR_FWHM),
        )  # fmt: skip
    return WarpedPsf(stamps, errors)


def _fwhm_of(image: Image) -> float:
    """FWHM of a star in pixels of its image; infinite where it has no shape."""
    xx, yy, xy, converged = adaptive_moments(image.array)
    return fwhm_of_moments(xx, yy, xy) if converged else math.inf


def _draw(psf: PointSpreadFunction, *, x: float, y: float) -> Image | str:
    """Return the image of a star, or why there is none to be had."""
    try:
        image = psf.compute_stellar_image(x=x, y=y)
    except Exception as error:  # each kind of PSF fails in its own way
        return f"at x={x:.1f}, y={y:.1f} {type(error).__name__}: {error}"
    total = float(image.array.sum())
    if not (math.isfinite(total) and total > 0.0):
        return f"at x={x:.1f}, y={y:.1f} it has the sum {total}."
    return image


def _resample_stamp(
    source: npt.NDArray[np.float32],
    *,
    node_x: npt.NDArray[np.float64],
    node_y: npt.NDArray[np.float64],
    box: Box,
    spacing: int,
    kernel: WarpingKernel,
    out: npt.NDArray[np.float32],
) -> None:
    values = np.empty((1, *out.shape), np.float32)
    resample(
        source,
        np.empty((0, *source.shape[1:]), np.float32),
        np.zeros(source.shape[1:], np.int32),
        np.zeros(source.shape[1:], np.uint16),
        0,
        source.shape[1],
        node_x,
        node_y,
        box.x.start,
        box.y.start,
        spacing,
        kernel.table,
        kernel.half_width,
        0,
        1,
        values,
        np.empty((0, *out.shape), np.float32),
        np.empty(out.shape, np.int32),
        np.empty((0, *out.shape), np.float32),
        np.empty(out.shape, np.bool_),
    )
    out[...] = np.nan_to_num(values[0], nan=0.0)


def _target_radius(
    psf: PointSpreadFunction,
    transform: TractToDetector,
    centres: Sequence[YX[int]],
    *,
    padding: int,
) -> int:
    """Half-size in tract pixels beyond which the PSF is zero at every centre.

    Not a pixel less: what is cut off would depend on which other centres a patch has.
    """
    # The kernel reaches half a padding over the stamp's edge; its middle is off by half a pixel.
    half = 0.5 * max(psf.kernel_bbox.shape) + 0.5 * padding + 0.5
    jacobians = transform.jacobians(
        x=np.array([centre.x for centre in centres], np.float64),
        y=np.array([centre.y for centre in centres], np.float64),
    )
    extent = np.abs(np.linalg.inv(jacobians)).sum(axis=2).max() * half
    return math.floor(float(extent))
