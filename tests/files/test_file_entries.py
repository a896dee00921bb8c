"""Some cells of a file are read past astropy; they must be what astropy reads."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from lsst.images.fits import FitsCompressionOptions, FitsInputArchive
from lsst.images.serialization import write_archive

from cellcoadd.cell_grid import Index2D
from cellcoadd.errors import UnusableInputError
from cellcoadd.files.deflated_planes import deflated
from cellcoadd.files.fits_entries import FitsEntries, runs_of
from cellcoadd.files.fits_units import units_of
from cellcoadd.files.rice_tiles import decode_rice
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_coadd.stored import CellCoaddModel
from cellcoadd.products.equality import same_array
from cellcoadd.testing.images import make_warp, small_patch

CHOICES = ("rounded", "lossless", "uncompressed")


def with_everything(coadd: MultipleCellCoadd) -> MultipleCellCoadd:
    """The same with values that are not finite, a constant plane and aperture corrections."""
    stack = coadd.stack
    image, variance, noise = stack.image.copy(), stack.variance.copy(), stack.noise.copy()
    image[1:4, 3, 4] = np.nan
    variance[2, 5] = np.inf
    noise[0, 3] = 2.5
    return with_stack(
        coadd,
        image=image,
        variance=variance,
        noise=noise,
        aperture_corrections={"some_flux": np.linspace(0.9, 1.1, len(image))},
    )


def with_stack(coadd: MultipleCellCoadd, **changes: Any) -> MultipleCellCoadd:
    return coadd.replaced(stack=dataclasses.replace(coadd.stack, **changes))


def scattered(coadd: MultipleCellCoadd) -> list[Index2D]:
    """Cells 1, 2, 3 and the last: neighbours in the file, and one that is not."""
    cells = list(coadd.cells)
    return [*cells[1:4], cells[-1]]


@pytest.mark.parametrize("choice", CHOICES)
def test_some_cells_are_those_of_the_whole_file(
    cell_coadd: MultipleCellCoadd, tmp_path: Path, choice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, in each form that we write, and without astropy's objects of any plane."""
    path = tmp_path / "coadd.fits"
    coadd = with_everything(cell_coadd)
    coadd.write(path, compression=choice)
    whole = MultipleCellCoadd.read(path)
    for name in ("get_array", "get_structured_array"):
        monkeypatch.delattr(FitsInputArchive, name)
    cells = scattered(coadd)
    part = MultipleCellCoadd.read(path, cells=cells)
    assert part == whole.subset(cells)
    assert np.isnan(part.stack.image[0, 3, 4])
    assert np.isinf(part.stack.variance[1, 5]).all()
    if choice != "rounded":
        assert part == coadd.subset(cells)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"image": FitsCompressionOptions.LOSSY, "variance": FitsCompressionOptions.LOSSY},
        {"image": FitsCompressionOptions(tile_shape=(1, 8, 32))},
    ],
)
def test_forms_of_others_are_read_too(
    cell_coadd: MultipleCellCoadd,
    tmp_path: Path,
    options: dict[str, FitsCompressionOptions | None],
) -> None:
    """A recipe of a repository may dither or cut tiles in another way; that astropy reads."""
    path = tmp_path / "coadd.fits"
    write_archive(cell_coadd, path, compression_options=options, compression_seed=7)
    cells = scattered(cell_coadd)
    assert MultipleCellCoadd.read(path, cells=cells) == MultipleCellCoadd.read(path).subset(cells)


def test_a_coadd_is_read_in_part_from_json(cell_coadd: MultipleCellCoadd, tmp_path: Path) -> None:
    """The formats of lsst.images other than FITS have no quick way, but work."""
    cells = list(cell_coadd.cells)[:2]
    small = cell_coadd.subset(cells)
    write_archive(small, tmp_path / "coadd.json")
    assert MultipleCellCoadd.read(tmp_path / "coadd.json") == small
    part = MultipleCellCoadd.read(tmp_path / "coadd.json", cells=cells[1:])
    assert part == small.subset(cells[1:])


def test_contributions_in_any_order_are_read_with_their_cells(
    cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """Then they have no ranges, and all are looked through."""
    path = tmp_path / "coadd.fits"
    coadd = with_stack(cell_coadd)
    rows = np.random.default_rng(1).permutation(len(coadd.contributions))
    coadd._contributions = coadd.contributions[rows]
    coadd.write(path, compression="lossless")
    cells = scattered(coadd)
    assert MultipleCellCoadd.read(path, cells=cells) == coadd.subset(cells)


def test_cells_of_something_else_are_refused(tmp_path: Path) -> None:
    """By what the file holds."""
    path = tmp_path / "warp.fits"
    write_archive(make_warp(small_patch()), path)
    with pytest.raises(UnusableInputError, match=r"warp\.fits: .*it holds cellcoadd_warp-1"):
        MultipleCellCoadd.read(path, cells=[Index2D(x=1, y=1)])


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("kind", ["noise", "sparse", "mask"])
def test_deflated_planes_are_read_by_astropy(tmp_path: Path, kind: str, shuffled: bool) -> None:
    """They are in the standard's form, which any program reads, and sparse ones are small."""
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(3, 20, 30)).astype(np.float32)
    plane: npt.NDArray[Any] = {
        "noise": noise,
        "sparse": np.where(noise > 2.5, noise, np.float32(0.0)),
        "mask": (noise > 2.0).astype(np.int32) << 17,
    }[kind]
    stored = deflated(plane, shuffled=shuffled)
    path = tmp_path / "plane.fits"
    fits.BinTableHDU(stored.data, header=stored.header, name="plane").writeto(path)
    with fits.open(path) as hdus:
        assert same_array(hdus["PLANE"].data.astype(plane.dtype), plane)
        assert hdus["PLANE"].tile_shape == (1, 20, 30)
    with open(path, "rb") as stream:
        again = FitsEntries(stream).read_stacks([("PLANE", 1)], [2, 0])["PLANE", 1]
    assert same_array(again, plane[[2, 0]])
    if kind != "noise":
        assert sum(entry.size for entry in stored.data["COMPRESSED_DATA"]) < 0.2 * plane.nbytes


def test_rows_of_tables_are_read_where_they_lie(tmp_path: Path) -> None:
    """All types that our tables have; types that FITS shifts are left to astropy."""
    rng = np.random.default_rng(3)
    columns = [("a", np.int16), ("b", np.bool_), ("c", np.float64, (2,)), ("d", np.uint8)]
    table = np.zeros(9, columns)
    table["a"], table["b"], table["d"] = np.arange(-4, 5), rng.random(9) < 0.5, np.arange(9)
    table["c"] = rng.normal(size=(9, 2))
    shifted = np.zeros(9, [("a", np.uint16)])
    path = tmp_path / "tables.fits"
    fits.HDUList(
        [
            fits.PrimaryHDU(),
            fits.BinTableHDU(table, name="ONE"),
            fits.BinTableHDU(table[::-1], name="ONE", ver=2),
            fits.BinTableHDU(shifted, name="SHIFTED"),
        ]
    ).writeto(path)
    rows = [0, 3, 4, 8]
    with open(path, "rb") as stream:
        entries = FitsEntries(stream)
        for version, expected in ((1, table), (2, table[::-1])):
            got = entries.read_table(("ONE", version), table.dtype, rows)
            assert got is not None
            assert same_array(got, expected[rows])
        assert entries.read_table(("SHIFTED", 1), shifted.dtype, rows) is None


def test_neighbouring_rows_are_put_together() -> None:
    """One look into the file for each run."""
    assert runs_of([0, 1, 4, 6, 7, 8]) == [(0, 2), (4, 5), (6, 9)]
    assert runs_of([]) == []


def test_units_are_where_astropy_finds_them(cell_coadd: MultipleCellCoadd, tmp_path: Path) -> None:
    """By name and version, with the values of the keywords."""
    path = tmp_path / "coadd.fits"
    cell_coadd.write(path)
    with open(path, "rb") as stream, fits.open(path, disable_image_compression=True) as hdus:
        units = list(units_of(stream))
        assert [unit.address for unit in units] == [hdu.fileinfo()["datLoc"] for hdu in hdus]
        for unit, hdu in zip(units, hdus, strict=True):
            assert unit.name == (hdu.name.removesuffix("PRIMARY"), hdu.ver)
            for keyword, value in hdu.header.items():
                is_long = isinstance(value, str) and len(value) > 60
                if isinstance(value, (int, str)) and not isinstance(value, bool) and not is_long:
                    assert unit.header[keyword] == value


def test_rice_tiles_are_decoded_by_themselves(tmp_path: Path) -> None:
    """As their file has them, in any order and number."""
    integers = np.random.default_rng(4).normal(scale=300.0, size=(3, 17, 23)).astype(np.int32)
    image = fits.CompImageHDU(integers, compression_type="RICE_1", tile_shape=(1, 17, 23))
    image.writeto(tmp_path / "rice.fits")
    with fits.open(tmp_path / "rice.fits", disable_image_compression=True) as hdus:
        tiles = [row.tobytes() for row in hdus[1].data["COMPRESSED_DATA"]]
    np.testing.assert_array_equal(decode_rice(tiles[::-1], (17, 23)), integers[::-1])
    np.testing.assert_array_equal(decode_rice(tiles[:1], (17, 23)), integers[:1])


@pytest.mark.parametrize(
    ("after", "message"), [(-100, "within a header"), (900, "before its byte")]
)
def test_a_file_that_was_cut_off_is_refused(
    cell_coadd: MultipleCellCoadd, tmp_path: Path, after: int, message: str
) -> None:
    """Bytes before or after where the image begins; there must be no pixels of another cell."""
    path = tmp_path / "coadd.fits"
    cell_coadd.write(path)
    with open(path, "rb") as stream:
        begin = {unit.name: unit.address for unit in units_of(stream)}["IMAGE", 1]
    path.write_bytes(path.read_bytes()[: begin + after])
    with open(path, "rb") as stream, pytest.raises(OSError, match=message):
        FitsEntries(stream).read_stacks([("IMAGE", 1)], [len(cell_coadd.cells) - 1])


def test_ranges_are_kept_with_the_cells(cell_coadd: MultipleCellCoadd, tmp_path: Path) -> None:
    """Each filled cell has its own rows, and refused inputs of empty cells have none."""
    path = tmp_path / "coadd.fits"
    cell_coadd.write(path)
    with FitsInputArchive.open_tree(path) as (_, tree, _info):
        assert isinstance(tree, CellCoaddModel)
        assert tree.contribution_ranges is not None
        for (first, last), cell in zip(
            tree.contribution_ranges, cell_coadd.cells.values(), strict=True
        ):
            assert same_array(cell_coadd.contributions[first:last], cell.contributions)
