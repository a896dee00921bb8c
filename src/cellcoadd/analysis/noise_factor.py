"""The correlated-noise factor of a cell: by how much catalogue errors are too small.

Resampling gives neighbouring pixels noise in common. The variance plane says what one pixel's noise
is; whoever takes pixels as independent finds for a flux, a sum over many pixels, too small an
error. The factor is the true variance of a flux weighted with the point-spread function over the
one found so: errors of such fluxes are to be multiplied by its square root.
"""

from __future__ import annotations

__all__ = ["measured_noise_factor", "noise_factor"]

import numpy as np
import numpy.typing as npt
from lsst.images import Box, Image
from scipy.signal import fftconvolve

from ..products.cell_coadd.cell import SingleCellCoadd

_LEFT_OUT = ("NO_DATA", "INEXACT_PSF")
_LARGEST_PART = 0.01  # of a flux's weight on such pixels


def noise_factor(psf: Image, covariance: Image) -> float:
    """Return the factor that follows from a covariance.

    Parameters
    ----------
    psf
        The point-spread function P, centred on (0, 0).
    covariance
        Covariance C of the noise of two pixels by their offset, centred on (0, 0): see
        `SingleCellCoadd.noise_covariance`.

    Returns
    -------
    factor
        sum_pq P_p P_q C(q - p) / (C(0) sum_p P_p^2): 1 for noise that is not correlated, NaN where
        the covariance is not known.

    Examples
    --------
    A PSF of two pixels, one diagonally above the other, whose noise is half the same:

    >>> psf = Image(np.diag([0.5, 0.5, 0.0]), bbox=Box.factory[-1:2, -1:2])
    >>> covariance = Image(np.diag([0.5, 1.0, 0.5]), bbox=Box.factory[-1:2, -1:2])
    >>> noise_factor(psf, covariance)
    1.5
    """
    pixels = psf.array.astype(np.float64)
    overlap = fftconvolve(pixels, pixels[::-1, ::-1])  # sum_p P_p P_(p + offset)
    by_offset = Image(overlap, bbox=_centred(overlap))
    # C is kept as far as P is, half as far as P overlaps itself; beyond, it is taken as 0.
    common = by_offset.bbox.intersection(covariance.bbox)
    total = float((by_offset[common].array * covariance[common].array).sum())
    zero = Box.factory[0:1, 0:1]
    return total / float(covariance[zero].array.item() * by_offset[zero].array.item())


def measured_noise_factor(cell: SingleCellCoadd) -> float:
    """Return the factor that a cell's noise realizations show.

    Returns
    -------
    factor
        The mean square of fluxes of pure noise, weighted with the point-spread function, over that
        of its pixels in the same places. NaN if there are no realizations, or no place where the
        cell's function is exact and its image fits into the outer region. In a cell of 150 pixels
        with a seeing of 4 pixels about 500 fluxes are independent: a realization's standard error
        is 6 per cent.
    """
    psf = cell.psf_image.array.astype(np.float64)
    reach = cell.psf_image.bbox.y.max
    outer = cell.outer
    # Positions in the inner region, and as far from the outer edge as a stamp reaches.
    inner = cell.inner.bbox
    region = inner.dilated_by(reach).intersection(outer.bbox)
    if region.y.size < psf.shape[0] or region.x.size < psf.shape[1]:
        return float("nan")
    squares = psf[::-1, ::-1] ** 2
    planes = outer[region]
    left_out = np.any([planes.mask.get(plane) for plane in _LEFT_OUT], axis=0)
    spoilt = fftconvolve(left_out.astype(np.float64), squares, mode="valid") / squares.sum()
    good = spoilt <= _LARGEST_PART
    if not good.any():
        return float("nan")
    fluxes, pixels = 0.0, 0.0
    for realization in planes.noise_realizations:
        noise = np.where(left_out, 0.0, realization.array.astype(np.float64))
        fluxes += float((fftconvolve(noise, psf[::-1, ::-1], mode="valid")[good] ** 2).sum())
        pixels += float(fftconvolve(noise**2, squares, mode="valid")[good].sum())
    return fluxes / pixels if pixels > 0.0 else float("nan")


def _centred(plane: npt.NDArray[np.float64]) -> Box:
    half = plane.shape[0] // 2
    return Box.factory[-half : half + 1, -half : half + 1]
