"""Blocks of rows of a detector, in which noise is drawn and bad pixels are interpolated.

They are counted from the detector's first row, and what becomes of a block depends on it and on the
rows of its margin alone: a pixel is the same, bit for bit, whichever rows are at hand.
"""

from __future__ import annotations

__all__ = ["INTERPOLATION", "NOISE", "RowBlocks"]

import dataclasses
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True, kw_only=True)
class RowBlocks:
    """How rows are cut into blocks.

    Parameters
    ----------
    height
        Rows of a block; the last one may have fewer.
    margin
        Rows on either side that it depends on, as far as the detector has them.
    """

    height: int
    margin: int

    def rows_for(self, start: int, stop: int, n_rows: int) -> tuple[int, int]:
        """Return the rows to be at hand so that the blocks of some rows can be made."""
        first = start // self.height * self.height
        last = -(-stop // self.height) * self.height
        return max(first - self.margin, 0), min(last + self.margin, n_rows)

    def within(self, start: int, stop: int, n_rows: int) -> Iterator[tuple[int, int]]:
        """Yield the first row and the stop of the blocks that can be made of rows at hand."""
        for first in range(start // self.height * self.height, stop, self.height):
            last = min(first + self.height, n_rows)
            needed = self.rows_for(first, last, n_rows)
            if start <= needed[0] and needed[1] <= stop:
                yield first, last


INTERPOLATION = RowBlocks(height=256, margin=64)
"""Holes of more than the margin are rare, and gradients that far away do not matter."""

NOISE = RowBlocks(height=64, margin=0)
