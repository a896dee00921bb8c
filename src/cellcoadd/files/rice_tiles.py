"""Encoding and decoding of single RICE tiles, by astropy.

Its encoder and decoder are private, and its objects of a compressed image take 3 ms each. All tiles
that are wanted are therefore put together as one small FITS file in memory, which astropy reads or
writes.
"""

from __future__ import annotations

__all__ = ["RICE_SETTINGS", "decode_rice", "encode_rice"]

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from .fits_units import BLOCK, units_of

RICE_SETTINGS: Mapping[str, int] = {"BLOCKSIZE": 32, "BYTEPIX": 4}
"""Settings of the tiles: what every writer takes for images of 32 bits a pixel."""

_TABLE = {"XTENSION": "'BINTABLE'", "BITPIX": 8, "NAXIS": 2, "GCOUNT": 1}


def encode_rice(integers: npt.NDArray[np.int32]) -> list[npt.NDArray[np.uint8]]:
    """Return one tile for each entry of a stack of integers (n, ...)."""
    hdu = fits.CompImageHDU(
        integers, compression_type="RICE_1", tile_shape=(1, *integers.shape[1:])
    )
    file = io.BytesIO()
    hdu.writeto(file)
    *_, table = units_of(file)
    content = np.frombuffer(file.getbuffer(), np.uint8)
    rows = content[table.address :][: 8 * len(integers)].view(">i4").reshape(-1, 2).tolist()
    heap = content[table.address + 8 * len(integers) :]
    return [heap[start : start + length] for length, start in rows]


def decode_rice(tiles: Sequence[bytes], shape: Sequence[int]) -> npt.NDArray[np.int32]:
    """Return the integers (len(tiles), ...) of tiles that all have one shape."""
    places = np.empty((len(tiles), 2), ">i4")
    places[:, 0] = [len(tile) for tile in tiles]
    places[:, 1] = np.cumsum(places[:, 0]) - places[:, 0]
    axes = [*shape[::-1], len(tiles)]
    header: dict[str, Any] = {
        **_TABLE, "NAXIS1": 8, "NAXIS2": len(tiles), "PCOUNT": sum(map(len, tiles)),
        "TFIELDS": 1, "TTYPE1": "'COMPRESSED_DATA'", "TFORM1": f"'1PB({places[:, 0].max()})'",
        "ZIMAGE": "T", "ZBITPIX": 32, "ZNAXIS": len(axes), "ZCMPTYPE": "'RICE_1'",
        **{f"ZNAXIS{n}": length for n, length in enumerate(axes, 1)},
        **{f"ZTILE{n}": length for n, length in enumerate([*axes[:-1], 1], 1)},
        **{f"ZNAME{n}": f"'{name}'" for n, name in enumerate(RICE_SETTINGS, 1)},
        **{f"ZVAL{n}": value for n, value in enumerate(RICE_SETTINGS.values(), 1)},
    }  # fmt: skip
    first = _header({"SIMPLE": "T", "BITPIX": 8, "NAXIS": 0, "EXTEND": "T"})
    padding = b"\0" * (-(places.nbytes + header["PCOUNT"]) % BLOCK)
    file = b"".join([first, _header(header), places.tobytes(), *tiles, padding])
    with fits.open(io.BytesIO(file)) as hdus:
        decoded: npt.NDArray[np.int32] = hdus[1].data
    return decoded


def _header(values: Mapping[str, object]) -> bytes:
    cards = [f"{keyword:8}= {value!s:>20}".ljust(80) for keyword, value in values.items()]
    text = "".join([*cards, "END".ljust(80)])
    return text.ljust(len(text) + -len(text) % BLOCK).encode()
