"""Bring every cell of a coadd to one given point-spread function.

Colours, and apertures of one size for all bands, want pixels that were seen with the same PSF. A
cell has one exact PSF, so one convolution does it: in come the cells and the width that is wanted,
out come the same cells with a Gaussian of that width for a PSF, and with the noise that they have
then.
"""

from __future__ import annotations

__all__ = ["match_psfs"]

import dataclasses
import logging

import numpy as np
import numpy.typing as npt
from scipy import signal

from ..conventions import FWHM_PER_SIGMA, fwhm_of_moments
from ..kernels.moments import adaptive_moments
from ..products.cell_coadd.stack import CellStack

_LOG = logging.getLogger(__name__)

_KAPPA = 1e-6
"""Of the power of a PSF at frequency 0: where a PSF has less, the filter gives up. It multiplies no
wave by more than 500, and a target that is as wide as the PSF comes out within 1e-3."""

_SPREAD = 0.1  # of the filter's largest value: mask bits spread as far as it is larger
_REACHED = 1e-3  # of the peak: how far the PSF of a cell may be off

type _Floats = npt.NDArray[np.float64]


def match_psfs(stack: CellStack, *, fwhm: float, border: int, source: str) -> CellStack:
    """Convolve each cell so that its point-spread function is a round Gaussian of a given width.

    Parameters
    ----------
    stack
        The cells. Images, variances, masks and noise are overwritten.
    fwhm
        Full width at half maximum that is wanted, in pixels.
    border
        Of the cells, in pixels: the filter reaches no further, so that inner regions are exact.
    source
        What the user knows the coadd as, for the log.

    Returns
    -------
    CellStack
        Its PSFs are what the convolution makes of those before, which is within 1e-3 of the peak of
        the Gaussian where that is no sharper than they were; cells for which it is are logged.
        Aperture corrections, which are of other PSFs, are gone; masked fractions are as before.

    Notes
    -----
    With the transforms P of the PSF and G of the Gaussian the filter is K = P* G / (|P|^2 + kappa).
    The covariance of noise C becomes C * (K x K), with the autocorrelation of the filter, and
    variances are those of its offset 0: smoothed with K^2 and multiplied by what that says of a
    pixel. Mask bits spread to all pixels to which the filter gives a tenth of its largest weight.
    """
    psf, covariance = np.empty_like(stack.psf), np.empty_like(stack.noise_covariance)
    missed = []
    side = psf.shape[-1]
    wanted = _gaussian(fwhm, side)
    size = 1 << (side + 2 * border).bit_length()
    target = np.fft.rfft2(_at_origin(_gaussian(fwhm, 2 * (size // 2) - 1), size))
    for row, index in enumerate(stack.indices):
        before = stack.psf[row].astype(np.float64)
        kernel = _filter(before, target, reach=border)
        psf[row] = signal.fftconvolve(before, kernel, mode="same")
        if np.abs(psf[row] - wanted).max() > _REACHED * wanted.max():
            missed.append((fwhm_of_moments(*adaptive_moments(before)[:3]), index))
        covariance[row], gain = _filtered_covariance(stack.noise_covariance[row], kernel)
        _convolve_cell(stack, row, kernel, gain=gain)
    if missed:
        widest, index = max(missed)
        _LOG.warning(
            "%s: %d of %d cells do not reach a PSF of FWHM %.2f px: theirs is up to %.2f px (%s). "
            "They have the PSF that they say; a wider target makes all the same.",
            source, len(missed), len(stack.indices), fwhm, widest, index,
        )  # fmt: skip
    return dataclasses.replace(stack, psf=psf, noise_covariance=covariance, aperture_corrections={})


def _filter(psf: _Floats, target: npt.NDArray[np.complex128], *, reach: int) -> _Floats:
    """The filter in pixels, (2 reach + 1) squared, by the transform that is wanted."""
    size = target.shape[0]
    found = np.fft.rfft2(_at_origin(psf, size))
    power = np.abs(found) ** 2
    transform = np.conj(found) * target / (power + _KAPPA * power[0, 0])
    kernel = np.roll(np.fft.irfft2(transform, (size, size)), (reach, reach), axis=(0, 1))
    return np.asarray(kernel[: 2 * reach + 1, : 2 * reach + 1])


def _gaussian(fwhm: float, size: int) -> _Floats:
    """A round Gaussian of sum 1 in the middle of size x size pixels."""
    offset = np.arange(size) - size // 2
    line = np.exp(-0.5 * (offset * FWHM_PER_SIGMA / fwhm) ** 2)
    return np.asarray(np.outer(line, line) / line.sum() ** 2)


def _at_origin(stamp: _Floats, size: int) -> _Floats:
    """A stamp in a larger square, its middle pixel at the origin."""
    half = stamp.shape[0] // 2
    padded = np.zeros((size, size))
    padded[: stamp.shape[0], : stamp.shape[1]] = stamp
    return np.roll(padded, (-half, -half), axis=(0, 1))


def _filtered_covariance(
    covariance: npt.NDArray[np.float32], kernel: _Floats
) -> tuple[npt.NDArray[np.float32], float]:
    """The covariance after the filter, and by how much it multiplies the variance of a pixel.

    Where the covariance is not known, noise is taken as white.
    """
    own = signal.fftconvolve(kernel, kernel[::-1, ::-1])
    middle = covariance.shape[0] // 2
    if not np.isfinite(covariance).all() or not covariance[middle, middle] > 0.0:
        return covariance, float(own[own.shape[0] // 2, own.shape[1] // 2])
    filtered = signal.fftconvolve(own, covariance.astype(np.float64), mode="full")
    centre = filtered.shape[0] // 2
    cut = filtered[
        centre - middle : centre + middle + 1, centre - middle : centre + middle + 1
    ].astype(np.float32)
    return cut, float(cut[middle, middle]) / float(covariance[middle, middle])


def _convolve_cell(stack: CellStack, row: int, kernel: _Floats, *, gain: float) -> None:
    """Overwrite image, variance, mask and noise of a cell."""
    for plane in (stack.image[row], *(noise[row] for noise in stack.noise)):
        plane[...] = _convolved(plane, kernel)
    squared = kernel**2
    stack.variance[row] = gain * _convolved(stack.variance[row], squared / squared.sum())
    near = np.argwhere(np.abs(kernel) >= _SPREAD * np.abs(kernel).max()) - kernel.shape[0] // 2
    mask, reach = stack.mask[row], int(np.abs(near).max())
    padded = np.pad(mask, reach)
    height, width = mask.shape
    for y, x in near:
        mask |= padded[reach + y : reach + y + height, reach + x : reach + x + width]


def _convolved(plane: npt.NDArray[np.float32], kernel: _Floats) -> _Floats:
    """A plane, mirrored at its edges, convolved; what is not finite stays so and is taken as 0."""
    reach = kernel.shape[0] // 2
    finite = np.isfinite(plane)
    padded = np.pad(np.where(finite, plane, 0.0).astype(np.float64), reach, mode="symmetric")
    result = signal.fftconvolve(padded, kernel, mode="valid")
    return np.where(finite, result, plane)
