"""Planes compressed without loss, as lsst.images writes them into a FITS file.

astropy's own lossless compression asks zlib for the smallest result, which for noise and for sparse
planes takes 80 to 500 times as long as `gzip_tiles`, to no gain: a plane of masked fractions of a
full patch takes 24 s and 16 MB, here 0.1 s and 14 MB. What comes out is the same standard form
(FITS 4.0, section 10), GZIP_1 or GZIP_2.
"""

from __future__ import annotations

__all__ = ["deflated", "deflated_tiles", "gzip_tile", "table_of_deflated_tiles", "table_of_tiles"]

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from lsst.images.fits import PrecompressedImage

from .gzip_tiles import compress
from .rice_tiles import RICE_SETTINGS

_BITPIX = {"u1": 8, "i4": 32, "f4": -32}


def deflated(
    plane: npt.NDArray[Any], *, shuffled: bool, entries_per_tile: int = 1
) -> PrecompressedImage:
    """Compress a stack, or an image, of which an entry is a row.

    Parameters
    ----------
    plane
        Any number of axes; the first one counts the entries.
    entries_per_tile
        How many of them are compressed together.
    shuffled
        Whether the first bytes of all pixels come first, then the second ones (GZIP_2). For noise
        that is smaller; where most pixels are equal it is larger, and slower to read.
    """
    # No more of them than there are, as the standard wants it.
    entries_per_tile = min(entries_per_tile, len(plane))
    return table_of_deflated_tiles(
        deflated_tiles(plane, shuffled=shuffled, entries_per_tile=entries_per_tile),
        shape=plane.shape,
        dtype=plane.dtype,
        shuffled=shuffled,
        entries_per_tile=entries_per_tile,
    )


def deflated_tiles(
    plane: npt.NDArray[Any], *, shuffled: bool, entries_per_tile: int = 1
) -> list[npt.NDArray[np.uint8]]:
    """Return the tiles of `deflated` alone; equal tiles of one value are one array."""
    tiles: list[npt.NDArray[np.uint8]] = []
    constant: dict[tuple[int, int], npt.NDArray[np.uint8]] = {}
    for first in range(0, len(plane), entries_per_tile):
        entries = plane[first : first + entries_per_tile]
        bits = entries.view(f"u{entries.itemsize}")
        # Many masks and masked fractions are the same in all of a tile.
        key = (int(bits.flat[0]), bits.size) if (bits == bits.flat[0]).all() else None
        tile = None if key is None else constant.get(key)
        if tile is None:
            tile = gzip_tile(entries, shuffled=shuffled)
        if key is not None:
            constant[key] = tile
        tiles.append(tile)
    return tiles


def table_of_deflated_tiles(
    tiles: Sequence[npt.NDArray[np.uint8]],
    *,
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    shuffled: bool,
    entries_per_tile: int = 1,
) -> PrecompressedImage:
    """Return what `deflated` would for a plane of which the tiles are there already."""
    return table_of_tiles(
        shape=shape,
        dtype=dtype,
        algorithm="GZIP_2" if shuffled else "GZIP_1",
        columns={"COMPRESSED_DATA": tiles},
        entries_per_tile=entries_per_tile,
    )


def gzip_tile(entries: npt.NDArray[Any], *, shuffled: bool = False) -> npt.NDArray[np.uint8]:
    """Compress the pixels of a tile, as they are or their bytes shuffled."""
    pixels = np.ascontiguousarray(entries, entries.dtype.newbyteorder(">")).view(np.uint8)
    if shuffled:
        pixels = pixels.reshape(-1, entries.itemsize).T
    return np.frombuffer(compress(pixels.tobytes()), np.uint8)


def table_of_tiles(
    *,
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    algorithm: str,
    columns: Mapping[str, Sequence[npt.NDArray[np.uint8]]],
    scales: Sequence[float] | None = None,
    entries_per_tile: int = 1,
) -> PrecompressedImage:
    """Put compressed tiles into the table that the FITS standard wants (4.0, section 10.1).

    Parameters
    ----------
    shape, dtype
        Of what was compressed.
    algorithm
        Value of ``ZCMPTYPE``.
    columns
        Tiles by the name of the column; those that are elsewhere are empty.
    scales
        By which the integers of each tile are to be multiplied, if it was rounded.
    entries_per_tile
        How many entries of the first axis a tile holds.
    """
    axes = shape[::-1]
    header = fits.Header(
        {
            "ZIMAGE": True, "ZCMPTYPE": algorithm,
            "ZBITPIX": _BITPIX[np.dtype(dtype).str[1:]], "ZNAXIS": len(axes),
            **{f"ZNAXIS{n}": length for n, length in enumerate(axes, 1)},
            **{f"ZTILE{n}": length for n, length in enumerate([*axes[:-1], entries_per_tile], 1)},
        }
    )  # fmt: skip
    stored = [
        fits.Column(name, "1PB()", array=np.array([*tiles, None], object)[:-1])
        for name, tiles in columns.items()
    ]
    if algorithm == "RICE_1":
        for number, (name, value) in enumerate(RICE_SETTINGS.items(), 1):
            header[f"ZNAME{number}"], header[f"ZVAL{number}"] = name, value
    if scales is not None:
        header["ZQUANTIZ"] = "NO_DITHER"
        stored.append(fits.Column("ZSCALE", "1D", array=np.array(scales)))
        stored.append(fits.Column("ZZERO", "1D", array=np.zeros(len(scales))))
    return PrecompressedImage(header=header, data=fits.BinTableHDU.from_columns(stored).data)
