"""Damaged copies of FITS files, and what astropy says of checksums, for tests of what is found."""

from __future__ import annotations

__all__ = ["astropy_accepts", "places_of_tiles", "units_in", "with_flipped_byte"]

import warnings
from collections.abc import Iterator
from pathlib import Path

from astropy.io import fits

from ..files.fits_units import FitsUnit, units_of


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
