"""Memory that holds zeros, is taken from the computer where it is written to, and goes back to it.

From the usual allocator the memory of many small arrays, as the sums of a patch are, would stay
with the process when they have gone; and large arrays come in pages of 2 MB, of which one number
takes the whole.
"""

from __future__ import annotations

__all__ = ["ZeroedMemory"]

import math
import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

_ALIGNMENT = 64  # bytes: a cache line
_PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


class ZeroedMemory:
    """Gives out arrays of zeros that lie one after the other in large blocks.

    A block goes when all its arrays have gone, so what is to go together should be asked for
    together.

    Parameters
    ----------
    block_size
        Size of a block in bytes; larger arrays have blocks of their own.
    """

    def __init__(self, block_size: int) -> None:
        self._block_size = block_size
        self._block = memoryview(b"")

    def zeros(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return a new array of zeros."""
        kind, count = np.dtype(dtype), math.prod(shape)
        if count == 0:
            return np.zeros(shape, kind)
        size = -(-count * kind.itemsize // _ALIGNMENT) * _ALIGNMENT
        if size > len(self._block):
            block = mmap.mmap(-1, max(size, self._block_size), flags=_PRIVATE)
            self._block = memoryview(block)
        part, self._block = self._block[:size], self._block[size:]
        return np.frombuffer(part, kind, count).reshape(shape)
