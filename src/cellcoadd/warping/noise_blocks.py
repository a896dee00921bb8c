"""Blocks of normal deviates of a detector, white or correlated, each from its own place.

The numbers of a block begin at a place of their own in the sequence of a realization; a correlated
block is the white ones around it, convolved. Either is the same, bit for bit, whichever other
blocks are made.
"""

from __future__ import annotations

__all__ = ["CorrelatedBlocks", "go_to_block"]

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images import YX

from ..products.noise_correlation import noise_kernel
from .detector_rows import NOISE_BLOCK

_PERIOD = 2**128  # numbers, of the generator
_NUMBERS_APART = 210306068529402873165736369884012333109
"""Numbers from the beginning of a block to that of the next one: the period over the golden ratio,
the step of `numpy.random.PCG64.jumped`. A rounder one would leave the lower bits of the generator's
state the same in all blocks, and these would resemble one another."""


def go_to_block(bits: np.random.PCG64, first: Any, number: int) -> None:
    """Put a generator where the numbers of a block begin.

    Parameters
    ----------
    bits
        The generator, wherever it is.
    first
        Its state where the numbers of the realization begin, which are those of block 0.
    number
        Number of the block.
    """
    bits.state = first
    bits.advance(number * _NUMBERS_APART % _PERIOD)


class CorrelatedBlocks:
    """Makes blocks of noise of variance 1 that has a correlation, seamless between blocks.

    Parameters
    ----------
    bits
        The generator, where the numbers of the realization begin.
    shape
        Rows and columns of the whole detector.
    correlation : float64 (n, n)
        As in `CalibratedImage.noise_correlation`.
    """

    def __init__(
        self, bits: np.random.PCG64, *, shape: YX[int], correlation: npt.NDArray[np.float64]
    ) -> None:
        self._bits, self._first = bits, bits.state
        self._generator = np.random.Generator(bits)
        self._counts = YX(y=-(-shape.y // NOISE_BLOCK.y), x=-(-shape.x // NOISE_BLOCK.x))
        kernel = noise_kernel(correlation)
        self._reach = reach = kernel.shape[0] // 2
        self._size = (NOISE_BLOCK.y + 2 * reach, NOISE_BLOCK.x + 2 * reach)
        plane = np.zeros(self._size)
        plane[: 2 * reach + 1, : 2 * reach + 1] = kernel
        self._transform = np.fft.rfft2(np.roll(plane, (-reach, -reach), axis=(0, 1)))
        # Three rows of blocks: those that the blocks of the next row ask for once more.
        kept = 3 * (self._counts.x + 2)
        self._white = functools.lru_cache(maxsize=kept)(self._draw)

    def block(self, number: int) -> npt.NDArray[np.float32]:
        """Return a block by its number, counted row by row in the detector."""
        row, column = divmod(number, self._counts.x)
        around = np.block(
            [[self._white(row + up, column + right) for right in (-1, 0, 1)] for up in (-1, 0, 1)]
        )
        y, x = NOISE_BLOCK.y - self._reach, NOISE_BLOCK.x - self._reach
        window = around[y : y + self._size[0], x : x + self._size[1]].astype(np.float64)
        # Sums of a size that is always the same have the same bits.
        noise = np.fft.irfft2(np.fft.rfft2(window) * self._transform, self._size)
        inner = slice(self._reach, self._reach + NOISE_BLOCK.y)
        return noise[inner, self._reach : self._reach + NOISE_BLOCK.x].astype(np.float32)

    def _draw(self, row: int, column: int) -> npt.NDArray[np.float32]:
        go_to_block(self._bits, self._first, self._number_of(row, column))
        return self._generator.standard_normal(NOISE_BLOCK, dtype=np.float32)

    def _number_of(self, row: int, column: int) -> int:
        """The number of a block; those around the detector come after its own."""
        rows, columns = self._counts
        if 0 <= row < rows and 0 <= column < columns:
            return row * columns + column
        return rows * columns + (row + 1) * (columns + 2) + column + 1
