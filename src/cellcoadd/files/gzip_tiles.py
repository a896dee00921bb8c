"""Tiles in the gzip format, by Intel's storage acceleration library (isal).

What it writes, any zlib reads, and the other way round. It compresses masks and noise seven times
as quickly as zlib does when that only looks for runs of equal bytes, to the same size, and
decompresses two to three times as quickly.
"""

from __future__ import annotations

__all__ = ["compress", "decompress"]

from isal import isal_zlib

from .fits_units import BrokenFitsError

_CONTAINER = 31  # gzip in the terms of zlib, with the largest window
_LEVEL = 1


def compress(data: bytes) -> bytes:
    """Return data in the gzip format."""
    compressed: bytes = isal_zlib.compress(data, _LEVEL, _CONTAINER)
    return compressed


def decompress(data: bytes | memoryview, size: int) -> bytes:
    """Return what was compressed; never are more than so many bytes unpacked.

    Parameters
    ----------
    data
        The tile.
    size
        How many bytes it must give.

    Raises
    ------
    isal.isal_zlib.error
        If the data are damaged.
    BrokenFitsError
        If there are more bytes, or fewer.
    """
    unpacker = isal_zlib.decompressobj(_CONTAINER)
    plain: bytes = unpacker.decompress(data, size) if size else b""
    if len(plain) == size and not unpacker.eof:
        plain += unpacker.decompress(unpacker.unconsumed_tail, 1)  # reads the end of the tile
    if len(plain) != size or (size and not unpacker.eof):
        raise BrokenFitsError(f"A compressed tile must give {size} bytes, it does not.")
    return plain
