"""The correlation of an image's noise between neighbouring pixels, measured on its empty sky.

Pixels, variance and mask come in; the correlation by offset, its error and one number that says
what it does to a sum of pixels go out. Why it matters, and how it is used: docs/decisions/0024.
"""

from __future__ import annotations

__all__ = ["BLOCK", "MeasuredCorrelation", "measure_noise_correlation", "with_measured_noise"]

import dataclasses
import logging
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images import MaskedImage
from scipy import ndimage

from ..masks.planes import bits_of, plane_array
from ..products.calibrated_image import CalibratedImage
from ..products.noise_correlation import correlation_spectrum

BLOCK = 4
"""Side in pixels of the blocks whose scatter tells noise that is correlated."""

_NOT_SKY = (
    "BAD", "SAT", "CR", "NO_DATA", "INTRP", "EDGE", "SUSPECT", "CROSSTALK", "STREAK", "UNMASKEDNAN",
    "VIGNETTED", "DETECTED", "DETECTED_NEGATIVE",
)  # fmt: skip
_RADIUS = 7  # offsets that are looked at
_TILE = 128  # pixels a side, small beside slopes of the sky
_MOST_TILES = 256
_LEAST_GOOD = 0.3  # of a tile's pixels
_ENOUGH = 4096  # pixels in all
_SMOOTHING = 1.5  # px: finds faint sources, which are wider than noise
_SOURCE = 4.0  # standard deviations, smoothed
_GROWN = 13  # px across, around what is found
_HIT = 6.0  # standard deviations of a single pixel, of either sign
_SKY_SIDE = 41  # px, of the square that the sky of a pixel is the mean of
_LEAST_SKY = 0.1  # of its pixels
_ODD_TILE = 3.5  # standard deviations among tiles
_SURE = 3.5  # standard errors of the mean over a ring of offsets
_SURE_ALONE = 5.0  # of one offset
_FLOOR = 0.003  # smaller correlations are not told from faint sources
_STEPS = 20

type _Floats = npt.NDArray[np.float64]

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredCorrelation:
    """What was measured of an image.

    Parameters
    ----------
    correlation : float64 (n, n)
        By offset in y and x, 1 in the middle; 1 x 1 if the noise is white. Beyond, no offset was
        told from 0.
    error
        Standard error of the correlation at one offset.
    block_factor
        Variance of the mean of 4 x 4 pixels, over that of independent pixels: 1 for white noise.
    block_factor_error
        Its standard error.
    n_pixels
        Number of pixels of empty sky that were measured.
    """

    correlation: _Floats
    error: float
    block_factor: float
    block_factor_error: float
    n_pixels: int

    @property
    def is_white(self) -> bool:
        """Whether no correlation was found."""
        return len(self.correlation) == 1


def with_measured_noise(image: CalibratedImage, *, source: str) -> CalibratedImage:
    """Return an image that carries the correlation of its noise, if one is found.

    Parameters
    ----------
    image
        The image; its pixels are read.
    source
        What the user knows it as.
    """
    measured = measure_noise_correlation(image.masked_image[...])
    if measured is None:
        _LOG.warning(
            "%s: it has too little empty sky to measure how its noise is correlated; it is taken "
            "as white.",
            source,
        )
        return image
    if measured.is_white:
        return image
    return dataclasses.replace(image, noise_correlation=measured.correlation)


def measure_noise_correlation(planes: MaskedImage) -> MeasuredCorrelation | None:
    """Measure how alike the noise of neighbouring pixels is; None if there is too little sky.

    Notes
    -----
    In up to 256 tiles of 128 pixels, spread over the image, pixels are divided by their standard
    deviation, the mean of the 41 x 41 pixels around each is subtracted, and what is bad, or
    brighter than 4 standard deviations when smoothed, is left out with what is around it. The
    correlation is the mean of the products of two pixels by offset, with what the subtraction took
    of it; tiles that are unlike the others (halos, galaxies) do not count. Offsets are kept out to
    the last ring that is told from 0. Sources that are fainter than the limit stay, and
    noise of that limit goes: on white noise and noise of known correlation the block factor is
    right within 2 per cent, on skies full of faint sources it is too large by as much as they add.
    """
    values, good = _tiles_of(planes)
    if good is None or np.count_nonzero(good) < _ENOUGH:
        return None
    values, good, share = _empty_sky(values, good)
    kept = good.mean(axis=(1, 2)) >= _LEAST_GOOD
    values, good = values[kept], good[kept]
    if np.count_nonzero(good) < _ENOUGH:
        return None
    products, pairs = _lag_products(values, good)
    usual = _usual_tiles(products, pairs)
    products, pairs = products[usual], pairs[usual]
    covariance = products.sum(axis=0) / np.maximum(pairs.sum(axis=0), 1.0)
    covariance = _with_sky(covariance, share)
    if not covariance[_RADIUS, _RADIUS] > 0:
        return None
    correlation = covariance / covariance[_RADIUS, _RADIUS]
    n_pixels = int(pairs[:, _RADIUS, _RADIUS].sum())
    error = math.sqrt(float((correlation**2).sum()) / n_pixels)  # Bartlett (1946), at far offsets
    weights = _block_weights()
    factor = float((correlation * weights).sum())
    # That of the variance of as many independent means as there are blocks.
    factor_error = factor * math.sqrt(2.0 * BLOCK**2 / n_pixels)
    return MeasuredCorrelation(
        correlation=_valid(_without_noise(correlation, error)),
        error=error,
        block_factor=factor,
        block_factor_error=factor_error,
        n_pixels=n_pixels,
    )


def _tiles_of(planes: MaskedImage) -> tuple[_Floats, Any]:
    """Pixels (tiles, rows, columns) in standard deviations, 0 where bad, and which are good."""
    image, stated = planes.image.array, planes.variance.array
    bits = plane_array(planes.mask)
    not_sky = bits_of(planes.mask.schema, _NOT_SKY, ignore_missing=True)
    height, width = min(_TILE, image.shape[0]), min(_TILE, image.shape[1])
    places = [
        (y, x)
        for y in range(0, image.shape[0] - height + 1, height)
        for x in range(0, image.shape[1] - width + 1, width)
    ]
    if not places or min(height, width) <= _SKY_SIDE:
        return np.empty((0, 1, 1)), None
    step = max(1.0, len(places) / _MOST_TILES)
    chosen = [places[int(number * step)] for number in range(int(len(places) / step))]
    values = np.zeros((len(chosen), height, width))
    good = np.zeros(values.shape, np.bool_)
    for number, (y, x) in enumerate(chosen):
        here = np.s_[y : y + height, x : x + width]
        usable = np.isfinite(image[here]) & np.isfinite(stated[here]) & (stated[here] > 0)
        usable &= (bits[here] & not_sky) == 0
        good[number] = usable
        values[number][usable] = image[here][usable] / np.sqrt(stated[here][usable].astype(float))
    return values, good


def _empty_sky(values: _Floats, good: Any) -> tuple[_Floats, Any, float]:
    """Subtract the sky around each pixel, and leave out sources and what is around them.

    Returns
    -------
    values, sky
        Residuals, 0 where they are no sky, and where they are.
    share
        Mean of one over the number of pixels that the sky is a mean of.
    """
    sky, share = good, 1.0 / _SKY_SIDE**2
    for _ in range(4):
        size = (1, _SKY_SIDE, _SKY_SIDE)
        count = ndimage.uniform_filter(sky.astype(np.float64), size, mode="constant")
        total = ndimage.uniform_filter(np.where(sky, values, 0.0), size, mode="constant")
        known = count > _LEAST_SKY
        level = np.divide(total, count, out=np.zeros_like(total), where=known)
        residuals = np.where(good & known, values - level, 0.0)
        smooth = ndimage.gaussian_filter(residuals, (0.0, _SMOOTHING, _SMOOTHING))
        scale = 1.4826 * float(np.median(np.abs(smooth[sky]))) if sky.any() else 0.0
        single = 1.4826 * float(np.median(np.abs(residuals[sky]))) if sky.any() else 0.0
        found = (smooth > _SOURCE * scale) | (np.abs(residuals) > _HIT * single)
        sky = good & known & ~ndimage.maximum_filter(found, (1, _GROWN, _GROWN))
        if sky.any():
            share = float((1.0 / np.maximum(count[sky], _LEAST_SKY)).mean()) / _SKY_SIDE**2
    return np.where(sky, residuals, 0.0), sky, share


def _lag_products(values: _Floats, good: Any) -> tuple[_Floats, _Floats]:
    """Sums of the products of two pixels by offset, and the number of pairs, of each tile."""
    reach = _RADIUS
    shape = [n + reach for n in values.shape[1:]]

    def by_lag(planes: _Floats) -> _Floats:
        power = np.abs(np.fft.rfft2(planes, shape)) ** 2
        whole = np.roll(np.fft.irfft2(power, shape), (reach, reach), axis=(1, 2))
        lags: _Floats = whole[:, : 2 * reach + 1, : 2 * reach + 1]
        return lags.copy()

    parts = [slice(n, n + 16) for n in range(0, len(values), 16)]  # for the memory's sake
    products = np.concatenate([by_lag(values[part]) for part in parts])
    pairs = np.concatenate([by_lag(good[part].astype(np.float64)) for part in parts])
    return products, np.round(pairs)


def _with_sky(covariance: _Floats, share: float) -> _Floats:
    """Give back what the subtraction of the sky took from the covariance.

    The mean over A pixels around one shares S/A with it, S the sum of the covariance; two such
    means share S/A times the part that their squares have in common.
    """
    along = 1.0 - np.abs(np.arange(-_RADIUS, _RADIUS + 1)) / _SKY_SIDE
    lost = share * (2.0 - np.outer(along, along))
    # S = S' + S sum(lost), of which S' is measured.
    total = float(covariance.sum()) / (1.0 - float(lost.sum()))
    return covariance + total * lost


def _usual_tiles(products: _Floats, pairs: _Floats) -> npt.NDArray[np.bool_]:
    """Which tiles are like most others in the sum of their neighbours' products."""
    inner = slice(_RADIUS - 3, _RADIUS + 4)
    near = products[:, inner, inner] / np.maximum(pairs[:, inner, inner], 1.0)
    sums = near.sum(axis=(1, 2))
    off = np.abs(sums - np.median(sums))
    usual: npt.NDArray[np.bool_] = off <= _ODD_TILE * 1.4826 * np.median(off) + 1e-12
    return usual


def _block_weights() -> _Floats:
    """How often each offset occurs among the pairs of a block, over its number of pixels."""
    lags = np.arange(-_RADIUS, _RADIUS + 1)
    along = np.maximum(BLOCK - np.abs(lags), 0) / BLOCK
    return np.outer(along, along)


def _without_noise(correlation: _Floats, error: float) -> _Floats:
    """Cut a correlation where no ring of offsets is told from 0 any more."""
    lags = np.arange(-_RADIUS, _RADIUS + 1)
    rings = np.rint(np.hypot(lags[:, np.newaxis], lags)).astype(int)
    # Errors of neighbouring offsets are alike as the noise is; each offset is there twice.
    alike = 2.0 * float((correlation**2).sum())
    last = 0
    for ring in range(1, _RADIUS + 1):
        here = correlation[rings == ring]
        limit = max(_SURE * error / math.sqrt(max(here.size / alike, 1.0)), _FLOOR)
        alone = max(_SURE_ALONE * error, _FLOOR)
        if abs(float(here.mean())) > limit or np.abs(here).max() > alone:
            last = ring
    cut = np.where(rings <= last, correlation, 0.0)
    inner = slice(_RADIUS - last, _RADIUS + last + 1)
    return 0.5 * (cut + cut[::-1, ::-1])[inner, inner]


def _valid(correlation: _Floats) -> _Floats:
    """The nearest correlation that some noise has: no power below 0, but for the cut."""
    half = correlation.shape[0] // 2
    for _ in range(_STEPS):
        spectrum = correlation_spectrum(correlation)
        if spectrum.min() >= -0.05 * spectrum.max():
            break
        whole = np.fft.ifft2(np.maximum(spectrum, 0.0)).real
        inner = np.roll(whole, (half, half), axis=(0, 1))[: 2 * half + 1, : 2 * half + 1]
        correlation = inner / inner[half, half]
    return 0.5 * (correlation + correlation[::-1, ::-1])
