"""Means of values that come pixel by pixel, as sums and counts.

Pairs of a pixel and a value go in, in as many portions as one likes; kept are a sum and a count for
each pixel, so that memory grows with the pixels and not with what was added.
"""

from __future__ import annotations

__all__ = ["PixelMeans"]

import numpy as np
import numpy.typing as npt


class PixelMeans:
    """Sums and counts of several quantities for each pixel.

    Parameters
    ----------
    quantities
        Number of quantities.
    """

    def __init__(self, quantities: int) -> None:
        self._pixels = np.zeros(0, np.int64)
        self._sums = np.zeros((quantities, 0))
        self._counts = np.zeros((quantities, 0), np.int64)

    def add(self, pixels: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> None:
        """Add values to pixels.

        Parameters
        ----------
        pixels
            Numbers of pixels, shape (pairs,); a pixel may come several times.
        values
            Their values, shape (quantities, pairs); those that are not finite are left out.
        """
        distinct, where = np.unique(pixels, return_inverse=True)
        self._make_room(distinct)
        target = np.searchsorted(self._pixels, distinct)
        for sums, counts, row in zip(self._sums, self._counts, values, strict=True):
            known = np.isfinite(row)
            sums[target] += np.bincount(where[known], row[known], minlength=len(distinct))
            counts[target] += np.bincount(where[known], minlength=len(distinct))

    def mean(self, quantity: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return the pixels that have a value of a quantity, in their order, and the means."""
        sums, counts = self._sums[quantity], self._counts[quantity]
        known = counts > 0
        return self._pixels[known], sums[known] / counts[known]

    def _make_room(self, pixels: npt.NDArray[np.int64]) -> None:
        everything = np.union1d(self._pixels, pixels)
        if len(everything) == len(self._pixels):
            return
        kept = np.searchsorted(everything, self._pixels)
        sums = np.zeros((len(self._sums), len(everything)))
        counts = np.zeros(sums.shape, np.int64)
        sums[:, kept], counts[:, kept] = self._sums, self._counts
        self._pixels, self._sums, self._counts = everything, sums, counts
