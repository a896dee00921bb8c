"""Memory for the sums of a patch, which goes back to the computer as the sums are finished.

Sums are many small arrays. From the usual allocator their memory would stay with the process, and
the coadd that is made of them would need as much again.
"""

from __future__ import annotations

__all__ = ["SumsMemory"]

import math
import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

_ALIGNMENT = 64  # bytes: a cache line
_PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


class SumsMemory:
    """Gives out arrays of zeros that lie one after the other in large blocks.

    A block goes when all its arrays have gone, so what is to go together should be asked for
    together.

    Parameters
    ----------
    block_size
        Size of a block in bytes.
    """

    def __init__(self, block_size: int) -> None:
        self._block_size = block_size
        self._block = memoryview(b"")

    def zeros(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return a new array of zeros."""
        kind, count = np.dtype(dtype), math.prod(shape)
        size = -(-count * kind.itemsize // _ALIGNMENT) * _ALIGNMENT
        if size > len(self._block):
            block = mmap.mmap(-1, max(size, self._block_size), flags=_PRIVATE)
            self._block = memoryview(block)
        part, self._block = self._block[:size], self._block[size:]
        return np.frombuffer(part, kind, count).reshape(shape)
