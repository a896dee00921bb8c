"""Whether pixels are what their variance says, each its own.

Pixels come in; the ratio of the measured to the stated variance goes out, or by how much more
blocks of pixels scatter than independent ones would. `checks` refuses images by it, or warns. Why
and where the limits are: docs/decisions/0021 and 0024.
"""

from __future__ import annotations

__all__ = [
    "NoiseRatio",
    "block_factor",
    "noise_ratio",
    "typical_variance",
]

import dataclasses
import math

import numpy as np
import numpy.typing as npt
from lsst.images import MaskedImage

from ..masks.planes import bits_of, plane_array

_NOT_SKY = (
    "BAD", "SAT", "CR", "NO_DATA", "INTRP", "EDGE", "SUSPECT", "CROSSTALK", "STREAK", "UNMASKEDNAN",
    "VIGNETTED",
)  # fmt: skip
_ENOUGH = 256  # pixels to measure a variance by: to 20 %, in a range of a factor of two
_MOST = 1_000_000  # pixels that are looked at
_QUARTER = 0.31863936396  # of normal deviates are smaller in absolute value
_MIDDLE = (1.0, 99.0)  # percentiles, without outliers
_BLOCK = 4  # px a side, of blocks whose means are looked at
_CELL = (16, 64)  # px, in which they are: a quarter of all such cells must be empty sky
_FEWEST_CELLS = 16
_QUIET = 25.0  # per cent of the cells
_QUARTILE = 0.837
"""Lower quartile of the variance of 64 normal deviates less a plane, 61/64 (1 - 0.674 sqrt(2/61)).
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoiseRatio:
    """Measured variance of the pixels over the one that is stated.

    Parameters
    ----------
    least, most
        Between these it is: what correlation between neighbours takes away from the first, and
        what sources and slopes of the sky add to the second.
    """

    least: float
    most: float


def noise_ratio(planes: MaskedImage) -> NoiseRatio | None:
    """Compare the scatter of an image's pixels with its variance; None if there are too few.

    Notes
    -----
    The least is measured by second differences along rows, of which stars and slopes leave the
    quietest quarter alone; the most also by the spread of all pixels between the percentiles 1
    and 99. Noise that is correlated spreads no less, and sources change from pixel to pixel less
    than they spread: an image is odd if both say so.
    """
    rows = slice(None, None, max(1, planes.image.array.size // _MOST))
    image, stated = planes.image.array[rows], planes.variance.array[rows]
    bits = plane_array(planes.mask)[rows]
    not_sky = bits_of(planes.mask.schema, _NOT_SKY, ignore_missing=True)
    good = np.isfinite(image) & np.isfinite(stated) & (stated > 0) & ((bits & not_sky) == 0)
    if np.count_nonzero(good) < _ENOUGH:
        return None
    values = np.where(good, image, np.nan).astype(np.float64)
    variances = np.where(good, stated, np.nan).astype(np.float64)
    differences = 2.0 * values[:, 1:-1] - values[:, :-2] - values[:, 2:]
    differences /= np.sqrt(4.0 * variances[:, 1:-1] + variances[:, :-2] + variances[:, 2:])
    differences = np.abs(differences[np.isfinite(differences)])
    if differences.size < _ENOUGH:
        return None
    by_differences = (float(np.quantile(differences, 0.25)) / _QUARTER) ** 2
    kept = values[good]
    low, high = np.percentile(kept, _MIDDLE)
    kept = kept[(kept >= low) & (kept <= high)]
    by_spread = float(kept.var()) / float(np.median(variances[good]))
    return NoiseRatio(least=by_differences, most=max(by_differences, by_spread))


def block_factor(planes: MaskedImage) -> float | None:
    """Measure how alike the noise of neighbouring pixels is; None if there are too few pixels.

    Returns
    -------
    factor
        Variance of the means of 4 x 4 pixels, times 16, over the variance of pixels: 1 if the noise
        of each is its own. Of each cell of 16 x 64 pixels a plane is subtracted; the factor is that
        of the quietest quarter of the cells, which stars, galaxies and nebulae leave alone.
    """
    image, bits = planes.image.array, plane_array(planes.mask)
    not_sky = bits_of(planes.mask.schema, _NOT_SKY, ignore_missing=True)
    height, width = (size // side * side for size, side in zip(image.shape, _CELL, strict=True))
    rows = _CELL[0] * max(1, height * width // (_MOST * _CELL[0]) + 1)
    starts = range(0, height, rows)
    if len(starts) * (width // _CELL[1]) < _FEWEST_CELLS:
        return None
    pixels = np.stack([image[y : y + _CELL[0], :width] for y in starts]).astype(np.float64)
    flagged = np.stack([bits[y : y + _CELL[0], :width] for y in starts]) & not_sky != 0
    cells = _in_cells(pixels)
    whole = ~_in_cells(flagged | ~np.isfinite(pixels)).any(axis=(1, 2))
    if np.count_nonzero(whole) < _FEWEST_CELLS:
        return None
    cells = _without_plane(cells[whole])
    blocks = cells.reshape(len(cells), _CELL[0] // _BLOCK, _BLOCK, -1, _BLOCK).mean(axis=(2, 4))
    of_pixels, of_blocks = (part.var(axis=(1, 2)) for part in (cells, blocks))
    if not of_pixels.all():
        return None
    ratios = _BLOCK**2 * of_blocks / of_pixels
    return float(np.percentile(ratios, _QUIET)) / _QUARTILE


def typical_variance(variance: npt.NDArray[np.floating]) -> float:
    """Return the median of the variances that are positive and finite, of a million of them.

    NaN if there are none.
    """
    rows = variance[:: max(1, variance.size // _MOST)]
    good = rows[np.isfinite(rows) & (rows > 0)]
    return float(np.median(good)) if good.size else math.nan


def _in_cells[T: np.generic](pixels: npt.NDArray[T]) -> npt.NDArray[T]:
    """Cut strips (strips, rows, columns) into cells (cells, rows, columns)."""
    parts = pixels.reshape(len(pixels), _CELL[0], -1, _CELL[1]).swapaxes(1, 2)
    return parts.reshape(-1, *_CELL)


def _without_plane(cells: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Subtract from each cell the plane through its pixels, by least squares."""
    result = cells - cells.mean(axis=(1, 2), keepdims=True)
    for axis, side in enumerate(_CELL):
        along = np.linspace(-1.0, 1.0, side)
        slope = np.expand_dims(along, (0, 2 - axis))
        result -= slope * ((result * slope).mean(axis=(1, 2), keepdims=True) / (along**2).mean())
    return result
