"""Convolve a visit, tile by tile, so that stars look alike in all visits.

A cell has one PSF a visit, and one filter does it, in Fourier space. In go the pixels of a tile
with a margin around it, what the PSF and the noise are like there, and the width that is wanted;
out come the pixels of the tile and by how much a pixel's variance has changed.
"""

from __future__ import annotations

__all__ = ["REACH", "MatchedTile", "match_tile"]

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import fft

from ..conventions import FWHM_PER_SIGMA

REACH = 25
"""Pixels around a tile that the filter sees."""

_KAPPA = 1e-6
"""Of the power of a PSF at frequency 0: where a PSF has less, the filter gives up."""

_LOST = 1e-5
"""Of the wanted PSF's transform: waves of which less is left are left out, half of the work."""

_REACHED = 0.01
"""Of the wanted PSF's peak: how far the PSF may be off. Beyond, a star of 750 sigma is found."""


class MatchedTile(NamedTuple):
    """A tile after the convolution."""

    image: npt.NDArray[np.float32]
    """(rows, columns)"""
    gain: float
    """The variance of a pixel over that before."""


def match_tile(
    block: npt.NDArray[np.float32],
    psf: npt.NDArray[np.float32],
    noise_covariance: npt.NDArray[np.float32],
    *,
    fwhm: float,
) -> MatchedTile | None:
    """Convolve a tile so that its PSF is a round Gaussian; None if the PSF is too wide for it.

    Parameters
    ----------
    block : float32 (rows + 2 REACH, columns + 2 REACH)
        The tile and what is around it, without NaN.
    psf : float32 (size, size)
        Its point-spread function, of unit sum, in the middle of a square of odd size.
    noise_covariance : float32 (n, n)
        Covariance of two of its pixels by their offset, up to a factor; 0 offset in the middle.
    fwhm
        Full width at half maximum of the Gaussian in pixels.

    Notes
    -----
    With the transforms P of the PSF and G of the Gaussian, the filter is
    K = P* G / (|P|^2 + kappa), and the noise of a pixel is what its covariance leaves of |K|^2.
    """
    height, width = block.shape[0] - 2 * REACH, block.shape[1] - 2 * REACH
    plan = _plan_of(block.shape, fwhm)
    found = _transform(_framed(psf), plan)
    power = found.real**2 + found.imag**2
    kappa = np.float32(_KAPPA) * power[0, 0]
    # The filter is the conjugate of the PSF's transform times this.
    factor = plan.target / (power + kappa)
    if float((factor * plan.counts).sum(dtype=np.float64) * kappa) > _REACHED * plan.peak:
        return None
    spectrum = _transform(block, plan)
    spectrum *= found.conj() * factor
    # The PSF's transform has its origin in the corner of a frame that reaches as far as the margin:
    # the result is shifted by that.
    rows = fft.ifft(spectrum, axis=0, overwrite_x=True)[:height]
    image = fft.irfft(rows, n=plan.width, axis=1)[:, :width]
    noise = _power_of_noise(noise_covariance, plan)
    passed = float((power * factor**2 * noise * plan.counts).sum(dtype=np.float64))
    return MatchedTile(image, passed / (plan.height * plan.width))


class _Plan(NamedTuple):
    """What all tiles of one size share."""

    height: int
    """Of the transform."""
    width: int
    kept: int
    """Columns of the transform that are not left out."""
    target: npt.NDArray[np.float32]
    """Transform of the Gaussian, (height, kept)."""
    counts: npt.NDArray[np.float32]
    """How many waves each column of the transform stands for."""
    peak: float
    """Of the Gaussian, as a sum over its waves."""
    shifts: tuple[npt.NDArray[np.complex64], npt.NDArray[np.complex64]]
    """Factors of the waves in y and x that bring the middle of a frame to the origin."""


@functools.lru_cache(maxsize=16)
def _plan_of(shape: tuple[int, int], fwhm: float) -> _Plan:
    height, width = (fft.next_fast_len(size, real=True) for size in shape)
    y, x = 2.0 * np.pi * np.fft.fftfreq(height), 2.0 * np.pi * np.fft.rfftfreq(width)
    sigma = fwhm / FWHM_PER_SIGMA
    line_y, line_x = (np.exp(-0.5 * (sigma * wave) ** 2) for wave in (y, x))
    kept = max(int((line_x > _LOST).sum()), 1)
    target = np.outer(line_y, line_x[:kept])
    counts = np.full(kept, 2.0)
    counts[0] = 1.0
    if width % 2 == 0 and kept == line_x.size:
        counts[-1] = 1.0
    shift_y, shift_x = (np.exp(1j * REACH * wave).astype(np.complex64) for wave in (y, x[:kept]))
    return _Plan(
        height, width, kept, target.astype(np.float32), counts.astype(np.float32),
        float((counts * target).sum()), (shift_y, shift_x),
    )  # fmt: skip


def _framed(stamp: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """An odd square in the middle of one that reaches as far as the filter.

    Zeros around a stamp, of which a warp that is made in parts may have fewer, change no bit.
    """
    beyond = stamp.shape[0] // 2 - REACH
    if beyond >= 0:
        return stamp[beyond : stamp.shape[0] - beyond, beyond : stamp.shape[1] - beyond]
    return np.pad(stamp, -beyond)


def _transform(plane: npt.NDArray[np.float32], plan: _Plan) -> npt.NDArray[np.complex64]:
    """The waves of a plane that are kept."""
    rows = fft.rfft(plane, n=plan.width, axis=1)[:, : plan.kept]
    transform: npt.NDArray[np.complex64] = fft.fft(rows, n=plan.height, axis=0)
    return transform


def _power_of_noise(
    covariance: npt.NDArray[np.float32], plan: _Plan
) -> npt.NDArray[np.float32] | np.float32:
    """The power of noise at each wave over that of white noise of the same variance.

    It is taken as white where its covariance is not known.
    """
    middle = covariance.shape[0] // 2
    own = covariance[middle, middle]
    if covariance.size == 1 or not (np.isfinite(covariance).all() and own > 0.0):
        return np.float32(1.0)
    y, x = plan.shifts
    power = (_transform(_framed(covariance / own), plan) * y[:, np.newaxis] * x).real
    result: npt.NDArray[np.float32] = np.maximum(power, np.float32(0.0))
    return result
