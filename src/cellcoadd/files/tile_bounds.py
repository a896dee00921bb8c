"""How much the gzip tiles of a compressed image unpack to, before somebody unpacks them whole.

astropy takes from a tile whatever comes out of it: a megabyte can become a gigabyte. An open file
comes in; one whose tiles hold more than their pixels is refused.
"""

from __future__ import annotations

__all__ = ["check_tiles"]

import itertools
import math
import re
import zlib
from typing import IO

import numpy as np

from .fits_units import BrokenFitsError, FitsUnit, axes_of, units_of

_GZIP = 31  # in the terms of zlib, with the largest window
_RATIO = 1032  # bytes that one byte of deflated data can become, at most
_HARMLESS = 64 << 20  # bytes that a tile may become without being looked at
_LARGEST = 1 << 31  # pixels of a tile
_PIECE = 1 << 20
_FORM = re.compile(r"(\d*)([LXBIJKAEDCMPQ])")
_WIDTHS = dict(
    zip("LBIJKAEDCMPQ", (1, 1, 2, 4, 8, 1, 4, 8, 8, 16, 8, 16), strict=True)
)  # bytes of a value; bits are put eight to a byte
_ALWAYS = "GZIP_COMPRESSED_DATA"


def check_tiles(stream: IO[bytes]) -> None:
    """Refuse a file of which a tile unpacks to more than 8 bytes a pixel.

    Only tiles that could become more than 64 MB are unpacked for it, and nothing of them is kept.
    What is broken in any other way passes: who reads it says how.

    Raises
    ------
    BrokenFitsError
        If there is one, or a tile of more than 2^31 pixels.
    """
    try:
        units = list(units_of(stream, text_only=False))
    except BrokenFitsError:
        units = []
    for number, unit in enumerate(units):
        if unit.header.get("ZIMAGE") == "T":
            _check_unit(stream, number, unit)
    stream.seek(0)


def _check_unit(stream: IO[bytes], number: int, unit: FitsUnit) -> None:
    header = unit.header
    try:
        axes = axes_of(header, "ZNAXIS")
        sides = [header.get(f"ZTILE{n}", axes[0] if n == 1 else 1) for n in range(1, len(axes) + 1)]
        pixels = math.prod(map(int, sides))
        columns = _columns(unit)
        rows = header["NAXIS2"]
        heap = unit.address + header.get("THEAP", header["NAXIS1"] * rows)
        stream.seek(unit.address)
        data = stream.read(header["NAXIS1"] * rows)
        table = np.frombuffer(data, np.uint8).reshape(rows, header["NAXIS1"])
    except (KeyError, TypeError, ValueError):
        return
    if pixels > _LARGEST:
        raise BrokenFitsError(
            f"HDU {number} has tiles of {pixels} pixels, {_LARGEST} are allowed; it is broken."
        )
    for place, kind in columns:
        width = 2 * np.dtype(kind).itemsize
        descriptors = table[:, place : place + width].copy().view(kind)
        for length, offset in descriptors[descriptors[:, 0] > _HARMLESS // _RATIO].tolist():
            stream.seek(heap + max(offset, 0))
            if not _fits(stream, length, 8 * pixels):
                raise BrokenFitsError(
                    f"A tile of HDU {number} unpacks to more than the {8 * pixels} bytes that its "
                    "pixels can have; it is broken."
                )


def _columns(unit: FitsUnit) -> list[tuple[int, str]]:
    """Return where in a row the places of tiles in the gzip format are, and of which numbers."""
    header = unit.header
    wanted = {_ALWAYS}
    if str(header.get("ZCMPTYPE", "")).startswith("GZIP"):
        wanted.add("COMPRESSED_DATA")
    forms = []
    for n in range(1, header["TFIELDS"] + 1):
        form = _FORM.match(str(header[f"TFORM{n}"]))
        if form is None:
            return []
        count, letter = int(form[1] or 1), form[2]
        forms.append((-(-count // 8) if letter == "X" else count * _WIDTHS[letter], letter))
    starts = itertools.accumulate((width for width, _ in forms), initial=0)
    return [
        (start, ">i4" if letter == "P" else ">i8")
        for n, (start, (_, letter)) in enumerate(zip(starts, forms, strict=False), 1)
        if letter in "PQ" and header.get(f"TTYPE{n}") in wanted
    ]


def _fits(stream: IO[bytes], length: int, most: int) -> bool:
    """Whether a tile gives no more than so many bytes; one that is broken may give fewer."""
    unpacker = zlib.decompressobj(_GZIP)
    made = 0
    while length > 0 and (data := stream.read(min(length, _PIECE))):
        length -= len(data)
        while data:
            try:
                made += len(unpacker.decompress(data, _PIECE))
            except zlib.error:
                return True
            if made > most:
                return False
            if unpacker.eof:
                return True
            data = unpacker.unconsumed_tail
    return True
