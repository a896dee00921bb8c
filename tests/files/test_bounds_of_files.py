"""What a file says of its sizes is bounded before memory or time is spent on it."""

from __future__ import annotations

import gzip
import io
import os
import struct
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from astropy.io import fits
from lsst.images import XY, Box

from cellcoadd.errors import UnusableInputError
from cellcoadd.files.file_bytes import FileBytes
from cellcoadd.files.fits_entries import FitsEntries
from cellcoadd.files.fits_units import AbsurdCountError, BrokenFitsError, check_counts, units_of
from cellcoadd.files.fits_wcs import check_round_trip
from cellcoadd.files.tile_bounds import check_tiles
from cellcoadd.surveys.fits_files import open_fits
from cellcoadd.testing.images import small_patch

SIDE = 60


def tiled_file(path: Path, tile: bytes) -> Path:
    """Write an image of one gzip tile, and put another tile in its place."""
    pixels = np.arange(SIDE**2, dtype=np.int32).reshape(SIDE, SIDE)
    hdu = fits.CompImageHDU(pixels, compression_type="GZIP_1", tile_shape=(SIDE, SIDE))
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    content = path.read_bytes()
    _, unit = units_of(io.BytesIO(content))
    header = content[unit.start : unit.address].decode()
    place = header.index("PCOUNT  =")
    header = f"{header[:place]}{f'PCOUNT  = {len(tile):>20}':80}{header[place + 80 :]}"
    row = struct.pack(">ii", len(tile), 0) + content[unit.address + 8 : unit.address + 8]
    data = row.ljust(unit.header["NAXIS1"], b"\0") + tile
    padding = bytes(-len(data) % 2880)
    path.write_bytes(content[: unit.start] + header.encode() + data + padding)
    return path


def test_a_tile_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    """A megabyte would become a gigabyte in memory; a sound tile passes."""
    path = tiled_file(tmp_path / "a.fits", gzip.compress(bytes(100 << 20)))
    with (
        pytest.raises(UnusableInputError, match=r"more than the 28800 bytes that its pixels can"),
        open_fits(path),
    ):
        pass
    sound = tiled_file(tmp_path / "b.fits", gzip.compress(bytes(4 * SIDE**2)))
    with sound.open("rb") as stream:
        check_tiles(stream)
    with open_fits(sound) as hdus:
        assert hdus[1].data.shape == (SIDE, SIDE)


@pytest.mark.parametrize("keyword", ["NAXIS", "TFIELDS"])
def test_headers_that_count_without_end_are_refused(tmp_path: Path, keyword: str) -> None:
    """Who counts up to 2^31 axes looks for 2^31 keywords."""
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(np.zeros((3, 4))).writeto(path)
    content = path.read_bytes()
    place = content.index(b"NAXIS   =" if keyword == "NAXIS" else b"EXTEND  =")
    card = f"{keyword:8}= {1 << 31:>20}".ljust(80).encode()
    path.write_bytes(content[:place] + card + content[place + 80 :])
    with path.open("rb") as stream, pytest.raises(AbsurdCountError, match=r"2147483648, 999 are"):
        check_counts(stream)
    with (
        pytest.raises(UnusableInputError, match=r"a\.fits: it cannot be read as FITS"),
        open_fits(path),
    ):
        pass


def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    """Mapped into memory, it would end the process."""
    path = tmp_path / "a.fits"
    fits.HDUList(
        [fits.PrimaryHDU(), fits.ImageHDU(np.ones((400, 500), np.float32), name="IMAGE")]
    ).writeto(path)
    with path.open("rb") as stream:
        entries = FitsEntries(stream)
        assert entries.read_rows(("IMAGE", 1), 0, 400) is not None
        os.truncate(path, 8640)
        with pytest.raises(BrokenFitsError, match=r"ends before its byte"):
            entries.read_rows(("IMAGE", 1), 0, 400)
        assert len(FileBytes(stream)) == 8640
        assert len(FileBytes(stream)[8000:9000]) == 640


def test_an_hdu_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Not as ``('MASK', 1)``."""
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(np.zeros((3, 4))).writeto(path)
    with (
        path.open("rb") as stream,
        pytest.raises(BrokenFitsError, match=r"has no HDU MASK, version 1; it is broken"),
    ):
        FitsEntries(stream).read_rows(("MASK", 1), 0, 1)


class FoldedProjection:
    """Comes back a pixel beside where it began."""

    @property
    def pixel_to_sky_transform(self) -> FoldedProjection:
        return self

    def apply_forward(self, *, x: Any, y: Any) -> XY[Any]:
        return XY(x=x, y=y)

    def apply_inverse(self, *, x: Any, y: Any) -> XY[Any]:
        return XY(x=x + 1.0, y=y)


def test_projections_that_find_no_way_back_are_not_written() -> None:
    """AST writes a distortion without a linear part into memory that is not its own."""
    box = Box.factory[100:200, 300:450]
    check_round_trip(small_patch().sky_projection, box)
    with pytest.raises(BrokenFitsError, match=r"misses by 1 pixels, 0\.01 are allowed"):
        check_round_trip(cast("Any", FoldedProjection()), box)


@pytest.mark.parametrize("size", ["-40", "-40.0", "1E30"])
def test_hdus_that_end_before_they_begin_are_refused(tmp_path: Path, size: str) -> None:
    """Who goes on behind one reads the same HDU for ever."""
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(np.zeros((3, 4))).writeto(path)
    content = path.read_bytes()
    place = content.index(b"NAXIS2  =")
    card = f"NAXIS2  = {size:>20}".ljust(80).encode()
    path.write_bytes(content[:place] + card + content[place + 80 :])
    with pytest.raises(UnusableInputError, match=r"negative size|no numbers"), open_fits(path):
        pass


def test_two_values_of_a_size_are_refused(tmp_path: Path) -> None:
    """Who reads the first of them would count up to it, who reads the second sees nothing."""
    path = tmp_path / "image.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(np.zeros((9, 9), np.int32))]).writeto(path)
    content = path.read_bytes()
    card = content.index(b"TFIELDS =")
    other = f"{f'TFIELDS = {1 << 31:>20}':80}".encode()
    cut = content.index(b"ZIMAGE  =")  # in whose place it is, so that blocks stay
    path.write_bytes(content[:card] + other + content[card:cut] + content[cut + 80 :])
    with path.open("rb") as stream, pytest.raises(AbsurdCountError, match="two values of TFIELDS"):
        check_counts(stream)
    with pytest.raises(UnusableInputError, match="two values of TFIELDS"), open_fits(path):
        pass
