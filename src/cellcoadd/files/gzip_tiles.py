"""Tiles in the gzip format, by Intel's storage acceleration library (isal).

What it writes, any zlib reads, and the other way round. It compresses masks and noise seven times
as quickly as zlib does when that only looks for runs of equal bytes, to the same size, and
decompresses two to three times as quickly.
"""

from __future__ import annotations

__all__ = ["compress", "decompress", "times_in"]


import numpy as np
from isal import isal_zlib

from .file_bytes import FileBytes
from .fits_units import BrokenFitsError, FitsUnit

_CONTAINER = 31  # gzip in the terms of zlib, with the largest window
_LEVEL = 1
_MARK = b"\x1f\x8b\x08"
_TIME = slice(4, 8)  # bytes of a tile: when it was compressed
_TILES = ("COMPRESSED_DATA", "GZIP_COMPRESSED_DATA")
_FORMS = {"P": ">2i4", "Q": ">2i8", "D": ">f8"}
"""What columns of a compressed image hold, for numpy; P and Q: length and place of a tile."""


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


def times_in(content: FileBytes | bytes, unit: FitsUnit) -> list[int]:
    """Return the addresses of the time stamps, four bytes each, in the tiles of an HDU.

    The gzip format has a place for the time; of two files of the same pixels it makes two. 0 means
    that there is none.

    Parameters
    ----------
    content
        The file.
    unit
        The HDU; one that is no compressed image has none.
    """
    header = unit.header
    if header.get("ZIMAGE") != "T":
        return []
    columns = []
    for number in range(1, header["TFIELDS"] + 1):
        form = str(header[f"TFORM{number}"]).removeprefix("1")[:1]
        if form not in _FORMS:
            return []
        columns.append((str(header[f"TTYPE{number}"]), _FORMS[form]))
    kind = np.dtype(columns)
    rows = np.frombuffer(
        content[unit.address : unit.address + header["NAXIS2"] * kind.itemsize], kind
    )
    heap = unit.address + header.get("THEAP", header["NAXIS1"] * header["NAXIS2"])
    found = set()
    for name in set(_TILES) & set(rows.dtype.names or ()):
        for length, offset in rows[name].tolist():
            tile = content[heap + offset : heap + offset + _TIME.stop] if length else b""
            if tile.startswith(_MARK) and any(tile[_TIME]):
                found.add(heap + offset + _TIME.start)
    return sorted(found)
