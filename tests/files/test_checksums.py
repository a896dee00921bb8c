"""Checksums: what was written is read, and one wrong byte anywhere in it is found."""

from __future__ import annotations

import gzip
from pathlib import Path

import healsparse
import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lsst.images.cells import CellCoadd
from lsst.images.serialization import write_archive

from cellcoadd.any_file import read
from cellcoadd.errors import UnusableInputError
from cellcoadd.exchange.lsst_cell_coadds import read_lsst_cell_coadds, write_lsst_cell_coadds
from cellcoadd.files.checksums import (
    Verdict,
    check_file,
    encode_sum,
    folded,
    sum_of,
    verify_file,
)
from cellcoadd.files.fits_units import BLOCK
from cellcoadd.files.reading import check_before_parts, parts_of_sound_files
from cellcoadd.files.sealing import seal_file
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_coadd.compression import PixelCompression
from cellcoadd.products.warp import Warp
from cellcoadd.testing.damaged_files import (
    astropy_accepts,
    places_of_tiles,
    units_in,
    with_flipped_byte,
)
from cellcoadd.warping.direct import DirectWarp

ONES = 0xFFFFFFFF


@pytest.fixture(scope="module")
def coadd_file(cell_coadd: MultipleCellCoadd, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Do not change it."""
    path: Path = tmp_path_factory.mktemp("coadd") / "coadd.fits"
    cell_coadd.write(path)
    return path


@pytest.fixture(scope="module")
def warp_file(direct_warps: list[DirectWarp], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Do not change it."""
    path: Path = tmp_path_factory.mktemp("warp") / "warp.fits"
    direct_warps[1].warp.write(path)
    return path


@pytest.mark.parametrize(
    ("data", "total"),
    [
        (b"", 0),
        (b"\x00\x00\x00\x01\x00\x00\x00\x02", 3),
        (b"\x80\x00\x00\x00\x80\x00\x00\x00", 1),  # the carry comes back at the other end
        (b"\xff\xff\xff\xff\xff\xff\xff\xff", ONES),  # -0 and -0 are -0
    ],
)
def test_words_are_added_with_the_carry_at_the_end(data: bytes, total: int) -> None:
    """Worked out by hand, words are big-endian."""
    assert sum_of(data, 0, len(data)) == total


@given(st.integers(0, ONES))
def test_a_sum_and_its_code_make_minus_zero(value: int) -> None:
    """Letters and digits alone, which read as words with the text one byte before a word."""
    text = encode_sum(value).encode()
    assert text.isalnum()
    rotated = text[1:] + text[:1]
    zeros = sum_of(b"0" * 16, 0, 16)
    assert folded(value + sum_of(rotated, 0, 16) + (ONES - zeros)) == ONES


@pytest.mark.parametrize("choice", PixelCompression)
def test_the_coadds_that_we_write_are_sealed(
    cell_coadd: MultipleCellCoadd, tmp_path: Path, choice: PixelCompression
) -> None:
    """In all HDUs, as astropy sees it too."""
    path = tmp_path / "coadd.fits"
    cell_coadd.write(path, compression=choice)
    verdict = verify_file(path)
    assert verdict.hdus == verdict.sealed == len(units_in(path)) > 8
    assert verdict.damage == ()
    assert astropy_accepts(path)


def test_warps_are_sealed(warp_file: Path) -> None:
    """As coadds are."""
    verdict = verify_file(warp_file)
    assert verdict.hdus == verdict.sealed > 8
    assert verdict.damage == ()
    assert astropy_accepts(warp_file)


@pytest.mark.parametrize("choice", PixelCompression)
def test_a_byte_in_any_tile_of_a_coadd_is_found(
    cell_coadd: MultipleCellCoadd, tmp_path: Path, choice: PixelCompression
) -> None:
    """By verification and by a whole read, which name the file and the HDU."""
    path = tmp_path / "coadd.fits"
    cell_coadd.write(path, compression=choice)
    seen = set()
    for name, place in places_of_tiles(path):
        bad = with_flipped_byte(path, tmp_path / "bad.fits", place)
        (sentence,) = verify_file(bad).damage
        assert sentence.startswith(f"{name} has data that add up to ")
        with pytest.raises(UnusableInputError) as caught:
            MultipleCellCoadd.read(bad)
        assert str(bad) in str(caught.value)
        assert name in str(caught.value)
        assert "verify --seal" in str(caught.value)
        seen.add(name)
    assert len(seen) >= 9


def test_a_byte_in_any_tile_of_a_warp_is_found(warp_file: Path, tmp_path: Path) -> None:
    """Its planes are not compressed, so that nothing else would notice."""
    seen = set()
    for name, place in places_of_tiles(warp_file):
        bad = with_flipped_byte(warp_file, tmp_path / "bad.fits", place)
        with pytest.raises(UnusableInputError) as caught:
            Warp.read(bad)
        assert str(bad) in str(caught.value)
        assert name in str(caught.value)
        seen.add(name)
    assert len(seen) >= 9


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_wrong_byte_anywhere_is_found(
    coadd_file: Path, tmp_path: Path, data: st.DataObject
) -> None:
    """In headers and what fills blocks as in pixels: every bit of a file is in a sum."""
    content = bytearray(coadd_file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    bad = tmp_path / "bad.fits"
    bad.write_bytes(content)
    assert verify_file(bad).damage
    with pytest.raises(UnusableInputError, match=r"bad\.fits"):
        MultipleCellCoadd.read(bad)


def test_a_file_that_is_cut_off_is_found(coadd_file: Path, tmp_path: Path) -> None:
    """Between two HDUs, too, where it is a good FITS file of less."""
    units = units_in(coadd_file)
    cut = tmp_path / "cut.fits"
    cut.write_bytes(coadd_file.read_bytes()[: units[3].end - BLOCK])
    assert "HDU 3 (MASK) is cut off: 2880 bytes are missing" in verify_file(cut).damage
    cut.write_bytes(coadd_file.read_bytes()[: units[3].end])
    with pytest.raises(UnusableInputError, match=r"cut\.fits"):
        MultipleCellCoadd.read(cut)


def test_a_lost_card_is_found(coadd_file: Path, tmp_path: Path) -> None:
    """Who could take a checksum away unseen could change the rest."""
    lost = tmp_path / "lost.fits"
    content = coadd_file.read_bytes()
    lost.write_bytes(content.replace(b"CHECKSUM=", b"CHECKSUN=", 2))
    assert any("has lost its CHECKSUM" in sentence for sentence in verify_file(lost).damage)


def test_single_cells_are_read_without_the_rest(coadd_file: Path, tmp_path: Path) -> None:
    """A damaged cell does not keep anybody from the others; adding all up takes too long."""
    place = next(place for name, place in places_of_tiles(coadd_file) if "IMAGE" in name)
    bad = with_flipped_byte(coadd_file, tmp_path / "bad.fits", place)
    whole = MultipleCellCoadd.read(coadd_file)
    last = list(whole.cells)[-1:]
    assert MultipleCellCoadd.read(bad, cells=last) == whole.subset(last)


def test_files_that_are_read_in_strips_are_verified_once(
    warp_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who reads all of a file, strip after strip, asks for it; others do not pay for it."""
    *_, (_, place) = places_of_tiles(warp_file)
    bad = with_flipped_byte(warp_file, tmp_path / "bad.fits", place)
    check_before_parts(str(bad))
    with parts_of_sound_files():
        with pytest.raises(UnusableInputError, match=r"bad\.fits"):
            check_before_parts(str(bad))
        check_before_parts(str(warp_file))
        looked_at: list[str] = []
        monkeypatch.setattr("cellcoadd.files.reading.check_file", looked_at.append)
        check_before_parts(str(warp_file))
    check_before_parts(str(bad))
    assert looked_at == []


def test_an_open_file_is_verified(coadd_file: Path, tmp_path: Path) -> None:
    """As one that is named."""
    with open(coadd_file, "rb") as stream:
        assert MultipleCellCoadd.read(stream) == MultipleCellCoadd.read(coadd_file)
    place = next(place for name, place in places_of_tiles(coadd_file) if "MASK" in name)
    bad = with_flipped_byte(coadd_file, tmp_path / "bad.fits", place)
    with open(bad, "rb") as stream, pytest.raises(UnusableInputError, match=r"bad\.fits.*MASK"):
        MultipleCellCoadd.read(stream)


def test_a_file_compressed_as_a_whole_is_verified(coadd_file: Path, tmp_path: Path) -> None:
    """By what is in it; one that cannot be unpacked is named."""
    packed = tmp_path / "coadd.fits.gz"
    packed.write_bytes(gzip.compress(coadd_file.read_bytes()))
    assert verify_file(packed) == verify_file(coadd_file)
    packed.write_bytes(packed.read_bytes()[:-3000])
    with pytest.raises(UnusableInputError, match=r"coadd\.fits\.gz: it cannot be unpacked"):
        verify_file(packed)
    with pytest.raises(OSError, match="unpack it first"):
        seal_file(packed)


def test_files_without_checksums_pass(cell_coadd: MultipleCellCoadd, tmp_path: Path) -> None:
    """Those of older versions are read as before, and said to have none."""
    path = tmp_path / "older.fits"
    write_archive(cell_coadd, path)
    verdict = verify_file(path)
    assert verdict.sealed == 0
    assert verdict.damage == ()
    check_file(path)
    assert MultipleCellCoadd.read(path) == cell_coadd


def test_what_is_no_fits_file_has_no_verdict(tmp_path: Path) -> None:
    """An empty file, too."""
    for content in (b"", b"no image " * 1000):
        path = tmp_path / "text.fits"
        path.write_bytes(content)
        with pytest.raises(UnusableInputError, match=r"text\.fits: it is not a FITS file"):
            verify_file(path)


def test_cards_that_were_carried_along_are_no_checksums(
    cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """lsst.images writes the cards of what it read into the file that it makes of it."""
    first, second = tmp_path / "first.fits", tmp_path / "second.fits"
    cell_coadd.stitch().write(str(first))
    seal_file(first)
    CellCoadd.read(str(first)).write(str(second))
    with fits.open(second) as hdus:
        assert "CHECKSUM" in hdus[0].header
    assert verify_file(second) == Verdict(hdus=15, sealed=0, damage=())
    assert read(second) == read(first)


def test_what_somebody_adds_to_a_sealed_file_is_not_missed(
    coadd_file: Path, tmp_path: Path
) -> None:
    """An HDU behind the index is none of the archive's; zeros at the end are nothing."""
    path = tmp_path / "more.fits"
    path.write_bytes(coadd_file.read_bytes())
    fits.append(path, np.zeros(4), fits.Header({"EXTNAME": "NOTES"}))
    with open(path, "ab") as stream:
        stream.write(bytes(BLOCK))
    assert verify_file(path).damage == ()
    assert MultipleCellCoadd.read(path) == MultipleCellCoadd.read(coadd_file)


@pytest.mark.parametrize("spelling", ["'0000000042'", "''", "'          '"])
def test_sums_may_be_spelled_as_the_standard_allows(tmp_path: Path, spelling: str) -> None:
    """Digits with zeros before them are the same number, and an empty one is undefined."""
    path = tmp_path / "image.fits"
    fits.HDUList([fits.PrimaryHDU(np.array([0, 42], ">i4"))]).writeto(path)
    content = path.read_bytes()
    card = f"DATASUM = {spelling}".ljust(80).encode()
    path.write_bytes(content.replace(b"END".ljust(80), card + b"END".ljust(80), 1))
    content = path.read_bytes()[: 2 * BLOCK + 80]
    path.write_bytes(content[:BLOCK] + content[BLOCK + 80 :])
    assert verify_file(path).damage == ()


def test_a_last_block_that_is_not_filled_is_no_damage_without_checksums(tmp_path: Path) -> None:
    """Some programs leave it so, and all its data are there."""
    path = tmp_path / "short.fits"
    fits.PrimaryHDU(np.zeros(5, np.float32)).writeto(path)
    path.write_bytes(path.read_bytes()[: BLOCK + 20])
    assert verify_file(path).damage == ()
    path.write_bytes(path.read_bytes()[:-1])
    assert verify_file(path).damage == ("HDU 0 (PRIMARY) is cut off: 1 bytes are missing",)
    with pytest.raises(OSError, match="cut off"):
        seal_file(path)


def test_a_header_that_is_no_header_is_damage(coadd_file: Path, tmp_path: Path) -> None:
    """A sign too many in a size is neither a number nor a reason to give up on other files."""
    bad = tmp_path / "bad.fits"
    content = coadd_file.read_bytes()
    bad.write_bytes(content.replace(b"                  -32", b"                 --32", 1))
    assert len(verify_file(bad).damage) > 0
    with pytest.raises(UnusableInputError, match=r"bad\.fits"):
        MultipleCellCoadd.read(bad)


def test_files_for_the_rubin_pipelines_are_verified(
    cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """When they are read whole; a part of a damaged file can be read."""
    path, bad = tmp_path / "coadd.fits", tmp_path / "bad.fits"
    write_lsst_cell_coadds(cell_coadd, path)
    assert verify_file(path).damage == ()
    first, *others = places_of_tiles(path)
    with_flipped_byte(path, bad, first[1])
    with pytest.raises(UnusableInputError, match=r"bad\.fits: .*HDU 1"):
        read_lsst_cell_coadds(bad)
    last = [list(cell_coadd.cells)[-1]]
    whole = read_lsst_cell_coadds(path)
    assert read_lsst_cell_coadds(bad, cells=last) == whole.subset(last)
    assert others


def test_whatever_read_reads_whole_is_verified(
    cell_coadd: MultipleCellCoadd, direct_warps: list[DirectWarp], tmp_path: Path
) -> None:
    """Stitched coadds, the planes that go with warps, images and maps, not our own forms alone."""
    made = {name: tmp_path / f"{name}.fits" for name in ("stitched", "fraction", "noise", "map")}
    cell_coadd.stitch().write(str(made["stitched"]))
    warp = direct_warps[1].warp
    write_archive(next(iter(warp.mask_fractions.values())), made["fraction"])
    write_archive(direct_warps[1].noise[0], made["noise"])
    hsp_map = healsparse.HealSparseMap.make_empty(32, 512, np.float32)
    hsp_map[np.arange(5000)] = np.float32(1.5)
    hsp_map.write(str(made["map"]))
    for path in made.values():
        seal_file(path)
        assert read(path) is not None
        for name, place in dict(places_of_tiles(path)).items():  # one of each HDU
            with_flipped_byte(path, bad := tmp_path / "bad.fits", place)
            with pytest.raises(UnusableInputError) as caught:
                read(bad)
            assert str(bad) in str(caught.value)
            assert name in str(caught.value)
