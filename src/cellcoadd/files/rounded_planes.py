"""Planes rounded far below their noise and compressed, as lsst.images writes them into a FITS file.

A tile is rounded to a step of its own, a fraction of its noise, and the integers are compressed by
RICE: the tile compression of the FITS standard (4.0, section 10.2; Pence et al. 2010, PASP 122,
1065), which every FITS library undoes. Rounding is done here because astropy's takes four times as
long as the compression: it measures the noise in three ways, over all pixels.
"""

from __future__ import annotations

__all__ = ["STEPS", "pixel_deviation", "rounded"]

import math

import numpy as np
import numpy.typing as npt
from lsst.images.fits import PrecompressedImage

from .deflated_planes import gzip_tile, table_of_tiles
from .rice_tiles import encode_rice

STEPS = 1024.0
"""In the standard deviation from pixel to pixel."""

_LARGEST = 2.0**30  # of the integers: RICE takes differences of two of them
_DEVIATION = 0.6052697  # of a Gaussian: standard deviation by median of |2 a - b - c|
_EVERY = 4  # rows that are looked at to know the deviation
_BATCH = 64  # tiles that are compressed together: integers of all would take much memory


def rounded(plane: npt.NDArray[np.float32]) -> PrecompressedImage:
    """Round and compress a stack, one tile an entry.

    Parameters
    ----------
    plane : float32 (n, h, w)
        The stack. Entries with a pixel that is not finite or too large for their step, and those
        without noise, are kept to the bit.
    """
    steps = [_step_of(entry) for entry in plane]
    rice: dict[int, npt.NDArray[np.uint8]] = {}
    chosen = [number for number, step in enumerate(steps) if step > 0.0]
    for first in range(0, len(chosen), _BATCH):
        batch = chosen[first : first + _BATCH]
        integers = np.empty((len(batch), *plane.shape[1:]), np.int32)
        for out, number in zip(integers, batch, strict=True):
            # In double precision, as they are turned back.
            out[...] = np.rint(plane[number] * np.float64(1.0 / steps[number]))
        rice |= dict(zip(batch, encode_rice(integers), strict=True))
    nothing = np.empty(0, np.uint8)
    exact = [nothing if number in rice else gzip_tile(entry) for number, entry in enumerate(plane)]
    return table_of_tiles(
        shape=plane.shape,
        dtype=plane.dtype,
        algorithm="RICE_1",
        columns={
            "COMPRESSED_DATA": [rice.get(number, nothing) for number in range(len(plane))],
            "GZIP_COMPRESSED_DATA": exact,
        },
        scales=[step or 1.0 for step in steps],
    )


def pixel_deviation(image: npt.NDArray[np.float32]) -> float:
    """Return the standard deviation of white noise in an image, whatever sky there is below it.

    Notes
    -----
    That of Gaussian noise by the median of the absolute values of ``2 a - b - c``, b and c two
    pixels to the left and right of a (Stoehr et al. 2008, ASP Conf. 394, 505), in every fourth row.
    """
    rows = image[::_EVERY]
    if rows.shape[1] < 5:
        return 0.0
    difference = 2.0 * rows[:, 2:-2] - rows[:, :-4] - rows[:, 4:]
    return _DEVIATION * float(np.median(np.abs(difference)))


def _step_of(entry: npt.NDArray[np.float32]) -> float:
    """Return the step to which a tile is rounded; 0 if it is to be kept to the bit."""
    largest = float(np.abs(entry).max())
    if not math.isfinite(largest):
        return 0.0
    step = pixel_deviation(entry) / STEPS
    return step if largest < step * _LARGEST else 0.0
