"""Rows of a detector that are at hand, and the blocks of pixels in them that are to be made.

Noise is drawn and bad pixels are interpolated block by block. Blocks are counted from the
detector's first pixel, and what becomes of one depends on it and on the pixels in its margin alone:
a pixel is the same, bit for bit, whichever blocks are made.
"""

from __future__ import annotations

__all__ = ["BLOCK", "NOISE_BLOCK", "DetectorRows", "block_counts"]

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from lsst.images import YX

BLOCK = YX(y=256, x=512)
"""Pixels of a block of interpolation."""

_MARGIN = 32
"""Pixels around a block that it depends on. Where a hole is larger, good pixels at the edge of what
is looked at take the place of those beyond."""

NOISE_BLOCK = YX(y=64, x=256)
"""Pixels whose noise is drawn at once; those that the detector does not have are drawn, too."""


def block_counts(shape: YX[int]) -> tuple[int, int]:
    """Return how many blocks a detector of some rows and columns has, in y and in x."""
    return -(-shape.y // BLOCK.y), -(-shape.x // BLOCK.x)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectorRows:
    """Rows of a detector.

    Parameters
    ----------
    shape
        Rows and columns of the whole detector.
    start, stop
        The rows that are at hand.
    wanted : bool (blocks in y, blocks in x)
        Which blocks are to be made. Their rows are at hand, with those in the margin.
    """

    shape: YX[int]
    start: int
    stop: int
    wanted: npt.NDArray[np.bool_]

    @classmethod
    def all_of(cls, shape: YX[int]) -> DetectorRows:
        """Return all rows of a detector, with all blocks to be made."""
        return cls(
            shape=shape, start=0, stop=shape.y, wanted=np.ones(block_counts(shape), np.bool_)
        )

    @classmethod
    def around(
        cls, wanted: npt.NDArray[np.bool_], *, shape: YX[int], start: int, stop: int
    ) -> DetectorRows:
        """Return some rows, and all that are needed to make some blocks, at least one."""
        numbers = np.flatnonzero(wanted.any(axis=1))
        return cls(
            shape=shape,
            start=max(min(int(numbers[0]) * BLOCK.y - _MARGIN, start), 0),
            stop=min(max((int(numbers[-1]) + 1) * BLOCK.y + _MARGIN, stop), shape.y),
            wanted=wanted,
        )

    def blocks(self) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
        """Yield where the wanted blocks lie in the rows at hand, and where with their margins."""
        for row, column in np.argwhere(self.wanted).tolist():
            y, x = row * BLOCK.y, column * BLOCK.x
            yield self._place(y, x, margin=0), self._place(y, x, margin=_MARGIN)

    def noise_blocks(self) -> Iterator[tuple[int, YX[int], tuple[slice, slice], bool]]:
        """Yield the blocks of noise in the rows at hand.

        Yields
        ------
        number
            The block's number in the detector.
        corner
            Where it begins in the rows at hand, which may have a part of it only.
        place
            That part.
        wanted
            Whether it shares a pixel with a wanted block or its margin.
        """
        counts = [-(-size // block) for size, block in zip(self.shape, NOISE_BLOCK, strict=True)]
        needed = np.zeros(counts, np.bool_)
        for _, (rows, columns) in self.blocks():
            y = slice(
                (self.start + rows.start) // NOISE_BLOCK.y,
                -(-(self.start + rows.stop) // NOISE_BLOCK.y),
            )
            x = slice(columns.start // NOISE_BLOCK.x, -(-columns.stop // NOISE_BLOCK.x))
            needed[y, x] = True
        first, stop = self.start // NOISE_BLOCK.y, -(-self.stop // NOISE_BLOCK.y)
        for row, column in itertools.product(range(first, stop), range(counts[1])):
            corner = YX(y=row * NOISE_BLOCK.y - self.start, x=column * NOISE_BLOCK.x)
            place = (
                slice(max(corner.y, 0), min(corner.y + NOISE_BLOCK.y, self.stop - self.start)),
                slice(corner.x, min(corner.x + NOISE_BLOCK.x, self.shape.x)),
            )
            yield row * counts[1] + column, corner, place, bool(needed[row, column])

    def _place(self, y: int, x: int, *, margin: int) -> tuple[slice, slice]:
        """Where the block that begins at a pixel of the detector lies in the rows at hand."""
        rows = slice(
            max(y - margin, 0) - self.start,
            min(y + BLOCK.y + margin, self.shape.y) - self.start,
        )
        return rows, slice(max(x - margin, 0), min(x + BLOCK.x + margin, self.shape.x))
