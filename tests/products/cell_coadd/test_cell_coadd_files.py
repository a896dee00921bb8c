"""Files of coadds: how large they are, what is kept to the bit, and how little a part reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lsst.images import Box
from lsst.images.serialization import InvalidParameterError, open_archive
from lsst.resources import ResourcePath

from cellcoadd.cell_grid import Index2D
from cellcoadd.errors import MissingCellError, UnusableInputError
from cellcoadd.exchange.lsst_cell_coadds import write_lsst_cell_coadds
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.equality import same_array
from cellcoadd.products.warp import Warp
from cellcoadd.testing.counting_file import CountingFile
from cellcoadd.testing.full_patch import full_patch_coadd

CELL = Index2D(x=3, y=17)


@pytest.fixture(scope="module")
def full_patch() -> MultipleCellCoadd:
    """22 x 22 cells of 250 pixels with a noise realization and a masked fraction."""
    return full_patch_coadd()


@pytest.fixture(scope="module")
def full_file(full_patch: MultipleCellCoadd, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "full.fits"
    full_patch.write(path)
    return path


def pixel_bytes(coadd: MultipleCellCoadd) -> int:
    stack = coadd.stack
    planes = [stack.image, stack.variance, stack.mask, stack.noise]
    return sum(plane.nbytes for plane in planes)


def test_a_full_patch_takes_less_than_half_of_its_pixels(
    full_patch: MultipleCellCoadd, full_file: Path
) -> None:
    """Of image, variance, mask and noise; PSF, fractions and tables come on top, within that."""
    assert full_file.stat().st_size < 0.5 * pixel_bytes(full_patch)


def test_one_cell_of_a_full_patch_reads_a_hundredth_of_the_file(
    full_patch: MultipleCellCoadd, full_file: Path
) -> None:
    """A cell is a tile of each plane; tables and geometry are small."""
    with CountingFile(full_file) as stream:
        part = MultipleCellCoadd.read(stream, cells=[CELL])
    assert list(part.cells) == [CELL]
    assert same_array(part.cells[CELL].outer.mask.array, full_patch.cells[CELL].outer.mask.array)
    assert part.cells[CELL].inputs == full_patch.cells[CELL].inputs
    assert stream.count < 0.01 * full_file.stat().st_size


@pytest.mark.parametrize(
    ("component", "largest"),
    [("wcs", 1e5), ("grid", 1e5), ("provenance", 1e6), ("psf", 4e6), ("mask", 0.1 * 484 * 250_000)],
)
def test_a_component_reads_its_own_bytes(full_file: Path, component: str, largest: float) -> None:
    """Geometry reads no pixels; masks, which compress to a hundredth, no image."""
    with (
        CountingFile(full_file) as stream,
        open_archive(stream, MultipleCellCoadd, partial=True) as reader,
    ):
        assert reader.get_component(component) is not None
        assert stream.count < largest


def test_rounding_is_far_below_the_noise(full_patch: MultipleCellCoadd, full_file: Path) -> None:
    """At most 1/2048 of the deviation between pixels, 8 here, which is estimated to 10 per cent.

    All that is not noise is kept to the bit.
    """
    ours, theirs = full_patch.stack, MultipleCellCoadd.read(full_file).stack
    for name in ("image", "noise"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        sky = np.abs(mine) < 40.0
        difference = np.abs(other - mine)[sky]
        assert 0.0 < difference.max() <= 1.1 * 8.0 / 2048
    relative = np.abs(theirs.variance / ours.variance - 1.0)
    assert 0.0 < relative.max() < 1e-4
    for name in ("mask", "psf", "noise_covariance"):
        assert same_array(getattr(ours, name), getattr(theirs, name))
    for name, plane in ours.mask_fractions.items():
        assert same_array(plane, theirs.mask_fractions[name])


def test_equal_cells_stay_equal_in_files(full_patch: MultipleCellCoadd, tmp_path: Path) -> None:
    """Neighbouring patches share cells: what is rounded must not depend on where a cell lies."""
    one, two = full_patch.subset([CELL, Index2D(x=4, y=17)]), full_patch.subset([CELL])
    one.write(tmp_path / "one.fits")
    two.write(tmp_path / "two.fits")
    again = [MultipleCellCoadd.read(tmp_path / name) for name in ("one.fits", "two.fits")]
    assert again[0].cells[CELL] == again[1].cells[CELL]


@pytest.mark.parametrize("compression", ["lossless", "uncompressed"])
def test_a_coadd_is_the_same_from_a_file_without_rounding(
    cell_coadd: MultipleCellCoadd, tmp_path: Path, compression: str
) -> None:
    """To the bit, with geometry and record."""
    path = tmp_path / "coadd.fits"
    cell_coadd.write(path, compression=compression)
    assert MultipleCellCoadd.read(path) == cell_coadd


def test_values_that_are_not_finite_survive_rounding(
    cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """Variance is infinite without data; NaN may stand in an image that was not filled."""
    index = next(iter(cell_coadd.cells))
    part = cell_coadd.subset([index])
    part.stack.image[0, 3, 4] = np.nan
    part.stack.variance[0, 5] = np.inf
    part.write(tmp_path / "coadd.fits")
    stack = MultipleCellCoadd.read(tmp_path / "coadd.fits").stack
    np.testing.assert_array_equal(np.isnan(stack.image), np.isnan(part.stack.image))
    assert same_array(stack.variance, part.stack.variance)


def test_an_existing_file_is_left_alone(cell_coadd: MultipleCellCoadd, tmp_path: Path) -> None:
    """And so is the folder, when a name or a choice is wrong."""
    path = tmp_path / "coadd.fits"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match=r"coadd\.fits exists; overwrite=True"):
        cell_coadd.write(path)
    with pytest.raises(ValueError, match=r"must end in \.fits"):
        cell_coadd.write(tmp_path / "coadd.txt")
    with pytest.raises(ValueError, match="'zipped' is not a valid"):
        cell_coadd.write(tmp_path / "other.fits", compression="zipped")
    assert [entry.name for entry in tmp_path.iterdir()] == ["coadd.fits"]
    assert path.read_text() == "mine"
    cell_coadd.write(path, overwrite=True)
    assert MultipleCellCoadd.read(path).stack.indices == cell_coadd.stack.indices


def test_cells_that_are_not_there_are_refused(
    cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """By name, with those that there are."""
    path = tmp_path / "coadd.fits"
    cell_coadd.write(path)
    with pytest.raises(MissingCellError, match=r"x=4, y=4.*filled cells"):
        MultipleCellCoadd.read(path, cells=[Index2D(x=4, y=4)])
    with pytest.raises(MissingCellError, match="No cell"):
        MultipleCellCoadd.read(path, cells=[])
    with (
        open_archive(path, MultipleCellCoadd) as reader,
        pytest.raises(InvalidParameterError, match="by bbox"),
    ):
        reader.get_component("image", cells=[CELL])


def test_stitched_planes_are_read_by_box(cell_coadd: MultipleCellCoadd, tmp_path: Path) -> None:
    """The inner regions put together, as the coadd in memory shows them."""
    path = tmp_path / "coadd.fits"
    cell_coadd.write(path, compression="lossless")
    box = cell_coadd.bbox
    part = Box.factory[box.y.start + 7 : box.y.stop - 5, box.x.start + 15 : box.x.stop]
    with open_archive(path, MultipleCellCoadd) as reader:
        for name in ("image", "variance"):
            whole = getattr(cell_coadd, name)
            assert same_array(reader.get_component(name).array, whole.array)
            cut = reader.get_component(name, bbox=part)
            assert cut.bbox == part
            assert cut.unit == whole.unit
            assert same_array(cut.array, whole[part].array)
        assert reader.get_component("mask") == cell_coadd.mask
        assert reader.get_component("mask", bbox=part) == cell_coadd.mask[part]


def test_files_that_cannot_be_read_are_named(cell_coadd: MultipleCellCoadd, tmp_path: Path) -> None:
    """With the reason and, for those that another function reads, its name."""
    whole = tmp_path / "whole.fits"
    cell_coadd.write(whole)
    data = whole.read_bytes()
    cut, text = tmp_path / "cut.fits", tmp_path / "text.fits"
    cut.write_bytes(data[: len(data) // 2])
    text.write_text("no image " * 500)
    older, stitched = tmp_path / "older.fits", tmp_path / "stitched.fits"
    write_lsst_cell_coadds(cell_coadd, older)
    cell_coadd.stitch().write(str(stitched))
    reasons = {
        cut: "is cut off|it is damaged",
        text: "not a FITS file",
        older: r"which cellcoadd\.read and .*read_lsst_cell_coadds read",
        stitched: r"which cellcoadd\.read and .*read_inner_cells read",
    }
    for path, reason in reasons.items():
        for cells in (None, list(cell_coadd.cells)[:1]):
            with pytest.raises(UnusableInputError, match=rf"{path.name}: it cannot.*({reason})"):
                MultipleCellCoadd.read(path, cells=cells)
    with pytest.raises(UnusableInputError, match=r"text\.fits: it cannot be read as a Warp"):
        Warp.read(text)
    with pytest.raises(FileNotFoundError):
        MultipleCellCoadd.read(tmp_path / "none.fits")


def test_files_have_a_place_on_this_computer(cell_coadd: MultipleCellCoadd, tmp_path: Path) -> None:
    """Named in any way; a folder that is not there is named as the user typed it."""
    place = ResourcePath(tmp_path).join("coadd.fits")
    cell_coadd.write(place)
    assert MultipleCellCoadd.read(place).stack.indices == cell_coadd.stack.indices
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        cell_coadd.write(tmp_path / "nowhere" / "coadd.fits")
    with pytest.raises(ValueError, match="disks of this computer only"):
        cell_coadd.write("s3://bucket/coadd.fits")
