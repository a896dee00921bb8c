"""Damaged copies of FITS files, and what astropy says of checksums, for tests of what is found."""

from __future__ import annotations

__all__ = ["astropy_accepts", "damaged", "places_of_tiles", "units_in", "with_flipped_byte"]

import gzip
import random
import warnings
from collections.abc import Iterator
from pathlib import Path

from astropy.io import fits

from ..files.fits_units import BLOCK, CARD, FitsUnit, units_of

_VALUES = (
    "'abc'", "''", "T", "0", "1", "-1", "7", "99.0", "-99.0", "300.0", "1E30", "1E300", "1E-300",
    "-1E38", str(1 << 31), str(1 << 63), str(-(1 << 70)), "1.5", "'0001-01-01T00:00:00'",
    "'9999-12-31T23:59:59'", "'nan'", "", "'1PB'", "'9999E'", "'GZIP_1'", "'HCOMPRESS_1'",
)  # fmt: skip
_CARDS = (
    "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "TFIELDS", "TFORM1",
    "TDIM1", "TTYPE1", "ZNAXIS", "ZNAXIS1", "ZTILE1", "ZTILE2", "ZBITPIX", "ZCMPTYPE", "THEAP",
    "BSCALE", "BLANK", "WCSAXES", "CTYPE1", "CRVAL1", "CD1_1", "EQUINOX", "EXTNAME", "END",
)  # fmt: skip


def units_in(path: Path) -> list[FitsUnit]:
    """Return the headers of a file and where they are."""
    with open(path, "rb") as stream:
        return list(units_of(stream))


def with_flipped_byte(path: Path, target: Path, place: int) -> Path:
    """Write a copy in which one byte is another; return its path."""
    content = bytearray(path.read_bytes())
    content[place] ^= 0x04
    target.write_bytes(content)
    return target


def places_of_tiles(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each HDU with data by its name, with the place of a byte in each tile or row."""
    for number, unit in enumerate(units_in(path)):
        if unit.end == unit.address:
            continue
        name = f"HDU {number} ({unit.header.get('EXTNAME', 'PRIMARY')})"
        rows = unit.header["NAXIS2"] if unit.header.get("XTENSION") == "BINTABLE" else 4
        for row in range(rows):
            yield name, unit.address + (2 * row + 1) * (unit.end - unit.address) // (2 * rows)


def astropy_accepts(path: Path) -> bool:
    """Return whether astropy finds all checksums right; it warns where it does not."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(path, checksum=True, disable_image_compression=True) as hdus:
            return all("CHECKSUM" in hdu.header and "DATASUM" in hdu.header for hdu in hdus)


def damaged(content: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Damage a FITS file in one place; return what was done, and the file.

    Parameters
    ----------
    content
        The file, which may be compressed by gzip; then it is again.
    rng
        Chooses: a card gets another value, mostly one that is written where there is none, or is
        too large for something; bytes are changed; the file is cut off; a block is overwritten.
    """
    packed = content.startswith(b"\x1f\x8b")
    data = bytearray(gzip.decompress(content) if packed else content)
    match rng.choice(("card", "card", "card", "card", "bytes", "cut", "block")):
        case "card":
            place = rng.choice(_places_of_cards(data))
            keyword = rng.choice((data[place : place + 8].decode().strip(), rng.choice(_CARDS)))
            value = rng.choice(_VALUES)
            done = f"{keyword} = {value}"
            data[place : place + CARD] = f"{keyword:8}= {value:>20}"[:CARD].ljust(CARD).encode()
        case "bytes":
            done = "bytes are changed"
            for _ in range(rng.randrange(1, 40)):
                data[rng.randrange(len(data))] = rng.randrange(256)
        case "cut":
            del data[rng.randrange(len(data)) :]
            done = f"it is cut off at {len(data)}"
        case _:
            start = rng.randrange(len(data) // BLOCK) * BLOCK
            data[start : start + BLOCK] = bytes([rng.choice((0, 32, 255))]) * BLOCK
            done = f"the block at {start} is overwritten"
    return done, gzip.compress(data) if packed else bytes(data)


def _places_of_cards(data: bytes | bytearray) -> list[int]:
    """Return where cards of headers are, of a file that is whole."""
    places: list[int] = []
    for start in range(0, len(data), BLOCK):
        if data[start : start + 8] in (b"SIMPLE  ", b"XTENSION"):
            place = start
            while data[place : place + 8] != b"END     ":
                places.append(place)
                place += CARD
    return places
