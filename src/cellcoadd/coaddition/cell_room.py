"""The pixels of many cells, and room for them that strip after strip of a patch fills."""

from __future__ import annotations

__all__ = ["CellRoom", "StackPlanes"]

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from lsst.images import YX

from ..files.zeroed_memory import ZeroedMemory


class StackPlanes(NamedTuple):
    """Pixels of cells as a `CellStack` has them, with one array for all masked fractions."""

    image: npt.NDArray[np.float32]
    """(cells, height, width)"""
    variance: npt.NDArray[np.float32]
    """(cells, height, width)"""
    mask: npt.NDArray[np.int32]
    """(cells, height, width)"""
    noise: npt.NDArray[np.float32]
    """(realizations, cells, height, width)"""
    fractions: npt.NDArray[np.float32]
    """(fractions, cells, height, width), made of zeros"""

    def part(self, cell: int, place: tuple[slice, slice]) -> StackPlanes:
        """Return views of a part of a cell; their axis of the cells is gone."""
        return StackPlanes(
            self.image[cell, *place],
            self.variance[cell, *place],
            self.mask[cell, *place],
            self.noise[:, cell, *place],
            self.fractions[:, cell, *place],
        )

    def rows(self, start: int, stop: int) -> StackPlanes:
        """Return views of some cells."""
        return StackPlanes(
            self.image[start:stop],
            self.variance[start:stop],
            self.mask[start:stop],
            self.noise[:, start:stop],
            self.fractions[:, start:stop],
        )


class CellRoom:
    """Room for the pixels of cells, given out one part after the other.

    It takes memory only where it is written to: there may be room for more cells than come.
    Masked fractions, which are 0 nearly everywhere, are zeros that need not be written; those of
    each part have memory of their own, so that they can be packed and let go of.

    Parameters
    ----------
    n_cells
        For how many cells there is room.
    shape
        Height and width of a cell.
    n_noise, n_fractions
        Number of noise realizations and of masked fractions.
    """

    def __init__(self, n_cells: int, *, shape: YX[int], n_noise: int, n_fractions: int) -> None:
        one = (n_cells, *shape)
        self._planes = StackPlanes(
            np.empty(one, np.float32),
            np.empty(one, np.float32),
            np.empty(one, np.int32),
            np.empty((n_noise, *one), np.float32),
            np.empty((0, *one), np.float32),
        )
        self._n_fractions = n_fractions
        self._n_taken = 0

    def take(self, count: int) -> StackPlanes:
        """Return the planes of the next cells, to be written."""
        start, self._n_taken = self._n_taken, self._n_taken + count
        planes = self._planes.rows(start, self._n_taken)
        shape = (self._n_fractions, *planes.image.shape)
        return planes._replace(fractions=ZeroedMemory(0).zeros(shape, np.float32))

    @property
    def taken(self) -> StackPlanes:
        """All planes that were given out, without masked fractions."""
        return self._planes.rows(0, self._n_taken)
