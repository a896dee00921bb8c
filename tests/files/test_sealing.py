"""Sealing: every HDU gets its checksums, wherever there is room for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from lsst.images import MaskedImage
from lsst.images.serialization import read_archive, write_archive

from cellcoadd.files.checksums import verify_file
from cellcoadd.files.fits_units import BLOCK, CARD, units_of
from cellcoadd.files.sealing import reserve_sums, seal_file
from cellcoadd.testing.damaged_files import astropy_accepts
from cellcoadd.warping.direct import DirectWarp


@pytest.mark.parametrize("cards", range(26, 64))
def test_headers_get_room(tmp_path: Path, cards: int) -> None:
    """However full the last block is; data and other cards stay as they are."""
    path = tmp_path / "image.fits"
    pixels = np.arange(7, dtype=np.float32)
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(pixels)])
    for number in range(cards):
        hdus[0].header[f"KEY{number}"] = number
    hdus.writeto(path)
    for _ in range(2):  # sealed again it is the same
        seal_file(path)
        assert path.stat().st_size % BLOCK == 0
        assert verify_file(path).damage == ()
        assert astropy_accepts(path)
        with fits.open(path) as found:
            assert found[0].header["KEY7"] == 7
            assert len(found[0].header) == len(hdus[0].header) + 2
            np.testing.assert_array_equal(found[1].data, pixels)


@pytest.mark.parametrize("cards", [0, *range(22, 30)])
def test_archives_stay_readable_where_headers_get_room(
    direct_warps: list[DirectWarp], tmp_path: Path, cards: int
) -> None:
    """They keep the addresses of their HDUs, which move with them."""
    planes = direct_warps[0].noise_images[0]
    masked = direct_warps[0].warp.masked_image
    path = tmp_path / "planes.fits"

    def fill(header: fits.Header) -> None:
        for number in range(cards):
            header[f"KEY{number}"] = number

    write_archive(masked, path, update_header=fill)
    before = path.stat().st_size
    seal_file(path)
    assert verify_file(path).damage == ()
    read = read_archive(path, MaskedImage)
    np.testing.assert_array_equal(read.image.array, masked.image.array)
    np.testing.assert_array_equal(read.variance.array, masked.variance.array)
    np.testing.assert_array_equal(read.mask.array, masked.mask.array)
    assert planes is not None
    assert cards == 0 or (path.stat().st_size > before) == any_header_was_full(path, before)


@pytest.mark.parametrize("cards", range(36))
def test_a_header_with_reserved_cards_is_never_full(
    direct_warps: list[DirectWarp], tmp_path: Path, cards: int
) -> None:
    """However many cards say what a file was made of: it is written once."""
    path = tmp_path / "planes.fits"

    def fill(header: fits.Header) -> None:
        for number in range(cards):
            header[f"KEY{number}"] = number
        reserve_sums(header)

    write_archive(
        next(iter(direct_warps[0].warp.mask_fractions.values())), path, update_header=fill
    )
    before = path.stat()
    seal_file(path)
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_size == before.st_size
    assert verify_file(path).damage == ()
    assert astropy_accepts(path)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Sealing what it leads to, with the rights that it has, also where a block is added."""
    path, link = tmp_path / "image.fits", tmp_path / "link.fits"
    hdus = fits.HDUList([fits.PrimaryHDU()])
    for number in range(30):
        hdus[0].header[f"KEY{number}"] = number
    hdus.writeto(path)
    path.chmod(0o640)
    link.symlink_to(path)
    before = path.stat().st_size
    seal_file(link)
    assert link.is_symlink()
    assert path.stat().st_size == before + BLOCK
    assert path.stat().st_mode & 0o777 == 0o640
    assert verify_file(path).sealed == 1


def any_header_was_full(path: Path, before: int) -> bool:
    """Whether a block more was needed for the two cards of any header."""
    with fits.open(path, disable_image_compression=True) as hdus:
        lengths = [len(hdu.header) + 1 for hdu in hdus]
    per_block = BLOCK // CARD
    grown = sum(-(-n // per_block) - -(-(n - 2) // per_block) for n in lengths)
    assert path.stat().st_size - before == grown * BLOCK
    return grown > 0


@pytest.mark.parametrize("algorithm", ["GZIP_1", "GZIP_2", "RICE_1"])
def test_the_same_data_are_the_same_bytes_whenever_they_are_written(
    tmp_path: Path, algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gzip format has a place for the time of day, which says nothing about the sky."""
    # Pixels that Rice cannot round are kept as gzip tiles.
    pixels = np.random.default_rng(5).normal(size=(40, 30)).astype(np.float32)
    pixels[:20] = 1.5
    data = []
    for number, seconds in enumerate((1.2e9, 1.7e9)):
        monkeypatch.setattr("time.time", lambda seconds=seconds: seconds)
        path = tmp_path / f"{number}.fits"
        image = fits.CompImageHDU(pixels, compression_type=algorithm, tile_shape=(10, 30))
        fits.HDUList([fits.PrimaryHDU(), image]).writeto(path)
        seal_file(path)
        assert verify_file(path).damage == ()
        assert astropy_accepts(path)
        np.testing.assert_allclose(fits.getdata(path), pixels, atol=0.1)
        with open(path, "rb") as stream:
            data.append([path.read_bytes()[unit.address : unit.end] for unit in units_of(stream)])
    assert data[0] == data[1]
