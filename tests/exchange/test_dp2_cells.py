"""Stitched coadds, and files of Rubin's DP2, as cells without border."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from lsst.images import Box, Image, Mask, MaskSchema
from lsst.images.cells import CellCoadd, CellField, CellGridBounds, CellPointSpreadFunction
from lsst.images.serialization import write_archive

from cellcoadd.analysis.cell_table import tabulate_cells
from cellcoadd.cell_grid import BorderedCellGrid, Index2D
from cellcoadd.errors import MissingCellError, UnusableInputError
from cellcoadd.exchange.dp2_cells import inner_cells, read_inner_cells
from cellcoadd.masks.planes import DP2_NAMES
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_coadd.inputs import RefusalReason
from cellcoadd.testing.images import make_coadd, make_warp, small_patch

TOLD = (
    "cell_x", "cell_y", "overlaps_center", "overlap_fraction", "unmasked_fraction", "weight",
    "psf_shape_xx", "psf_shape_yy", "psf_shape_xy", "psf_shape_flag",
)  # fmt: skip
NOT_FROM_INNER_REGIONS = {"noise_factor", "noise_factor_measured"}
"""Columns of the table of cells that a stitched coadd can't give as the coadd did.

The first is from the covariance of the noise, which a stitched coadd does not carry; the second
measures fluxes whose weights reach into the border.
"""


def changed(coadd: CellCoadd, **changes: Any) -> CellCoadd:
    """The same stitched coadd but for some of its parts; None leaves one out."""
    names = (
        "image", "mask", "variance", "mask_fractions", "noise_realizations", "sky_projection",
        "band", "psf", "patch", "provenance", "aperture_corrections",
    )  # fmt: skip
    parts = {name: getattr(coadd, name) for name in names if name not in changes} | changes
    return CellCoadd(**{name: part for name, part in parts.items() if part is not None})


def test_a_stored_stitched_coadd_has_the_inner_regions_of_the_coadd(
    cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """Every plane of every filled cell, bit for bit, with the record of what went in."""
    path = tmp_path / "stitched.fits"
    write_archive(cell_coadd.stitch(), path)
    again = read_inner_cells(path)
    assert list(again.cells) == list(cell_coadd.cells)
    assert again.grid == BorderedCellGrid(inner=cell_coadd.grid.inner, border=0)
    for name in ("identifiers", "band", "patch", "sky_projection", "bbox", "unit"):
        assert getattr(again, name) == getattr(cell_coadd, name)
    assert len(cell_coadd.stack.noise) == len(again.stack.noise) == 2
    assert "rejected" in again.stack.mask_fractions
    for index, cell in again.cells.items():
        ours, theirs = cell.outer, cell_coadd.cells[index].inner
        assert cell.inner.bbox == ours.bbox == theirs.bbox
        assert ours.mask.compare(theirs.mask) == {}
        pairs = [(ours.image, theirs.image), (ours.variance, theirs.variance)]
        pairs += zip(ours.noise_realizations, theirs.noise_realizations, strict=True)
        assert list(ours.mask_fractions) == list(theirs.mask_fractions)
        pairs += [(ours.mask_fractions[name], theirs.mask_fractions[name])
                  for name in theirs.mask_fractions]  # fmt: skip
        for mine, other in pairs:
            assert mine.array.dtype == other.array.dtype
            np.testing.assert_array_equal(mine.array, other.array)
        psf = cell_coadd.cells[index].psf_image
        np.testing.assert_array_equal(cell.psf_image.array, psf.array)
        assert cell.inputs == cell_coadd.cells[index].inputs
    accepted = cell_coadd.contributions
    accepted = accepted[accepted["reason"] == RefusalReason.ACCEPTED]
    assert len(accepted) < len(cell_coadd.contributions)
    for name in TOLD:
        np.testing.assert_array_equal(again.contributions[name], accepted[name])
    assert (again.contributions["reason"] == RefusalReason.ACCEPTED).all()
    assert np.isnan(again.contributions["masked_fraction"]).all()
    used = {entry.observation: entry for entry in cell_coadd.inputs}
    for entry in again.inputs:
        assert entry.footprint == used[entry.observation].footprint
        assert entry.mean_variance_njy2 is None


def test_its_cells_are_tabulated_as_those_of_the_coadd(tmp_path: Path) -> None:
    """All columns but those that need more than inner regions; what is unknown is NaN."""
    rng = np.random.default_rng(1)
    patch = small_patch()
    shape = tuple(patch.outer_bbox.shape)
    coadd = make_coadd(
        make_warp(patch, visit=1, variance=rng.uniform(3, 5, shape), mean_variances=[4.0]),
        make_warp(patch, visit=2, variance=rng.uniform(1, 2, shape), psf_sigma=2.0),
    )
    write_archive(coadd.stitch(), tmp_path / "stitched.fits")
    expected = tabulate_cells(coadd)
    found = tabulate_cells(read_inner_cells(tmp_path / "stitched.fits"))
    assert found.colnames == expected.colnames
    assert len(found) == 25
    for name in set(expected.colnames) - NOT_FROM_INNER_REGIONS:
        assert found[name].dtype == expected[name].dtype
        assert found[name].unit == expected[name].unit
        np.testing.assert_array_equal(found[name], expected[name])
    assert np.isfinite(expected["noise_factor"]).all()
    assert np.isnan(found["noise_factor"]).all()


def test_stitched_again_it_is_what_it_was(cell_coadd: MultipleCellCoadd) -> None:
    """Nothing that a stitched coadd holds is lost on the way."""
    before = cell_coadd.stitch()
    after = inner_cells(before).stitch()
    for name in ("image", "variance", "mask"):
        np.testing.assert_array_equal(getattr(after, name).array, getattr(before, name).array)
    for table in ("inputs", "contributions"):
        ours, theirs = getattr(after.provenance, table), getattr(before.provenance, table)
        for name in theirs.colnames:
            assert list(ours[name]) == list(theirs[name])


def test_it_is_stored_like_any_coadd(cell_coadd: MultipleCellCoadd, tmp_path: Path) -> None:
    """A person converts once and goes on with the parts that are needed."""
    coadd = inner_cells(cell_coadd.stitch())
    coadd.write(tmp_path / "inner.fits", compression="lossless")
    assert MultipleCellCoadd.read(tmp_path / "inner.fits") == coadd


def test_masks_of_several_bytes_are_translated(cell_coadd: MultipleCellCoadd) -> None:
    """Rubin's files hold eight planes a byte, under the names of DP2."""
    stitched = cell_coadd.stitch()
    schema = MaskSchema([None, *stitched.mask.schema], dtype=np.uint8)
    mask = Mask(0, schema=schema, bbox=stitched.bbox)
    assert mask.array.shape[2] > 1
    assert "SATURATED" in schema
    mask.update(stitched.mask)
    again = inner_cells(changed(stitched, mask=mask))
    for name in (*DP2_NAMES, "INEXACT_PSF", "CLIPPED"):
        bit = again.stack.schema.bit(name).mask
        own = cell_coadd.stack.schema.bit(name).mask
        inner = cell_coadd.stack.mask[:, 6:-6, 6:-6]
        np.testing.assert_array_equal(again.stack.mask & bit != 0, inner & own != 0)


def test_cells_that_are_cut_or_hold_no_data_are_empty(cell_coadd: MultipleCellCoadd) -> None:
    """Half a cell would be measured as if it were whole; a cell of NO_DATA shows nothing."""
    stitched = cell_coadd.stitch()
    kept = list(cell_coadd.cells)
    first = cell_coadd.grid.inner_bbox_of(kept[0])
    box = stitched.bbox
    cut = inner_cells(
        stitched[Box.factory[box.y.start : box.y.stop, first.x.start + 1 : box.x.stop]]
    )
    assert list(cut.cells) == [index for index in kept if index.x > kept[0].x]
    cells = {(row["cell_x"], row["cell_y"]) for row in cut.contributions}
    assert cells == {(index.x, index.y) for index in cut.cells}

    hidden = stitched.copy()
    hidden.mask[first].set("NO_DATA")
    blank = np.full(stitched.image[first].array.shape, True)
    blank[3, 4] = False
    second = cell_coadd.grid.inner_bbox_of(kept[1])
    hidden.mask[second].set("NO_DATA", blank)
    assert list(inner_cells(hidden).cells) == kept[1:]

    bounds = CellGridBounds(
        grid=stitched.grid,
        bbox=stitched.bounds.bbox,
        missing=stitched.bounds.missing | {kept[2].to_cell_ij()},
    )
    size = stitched.psf.kernel_bbox.shape
    array = np.full((*bounds.subgrid_size.as_tuple(), *size), 1.0)
    less = changed(stitched, psf=CellPointSpreadFunction(array, bounds))
    assert list(inner_cells(less).cells) == [index for index in kept if index != kept[2]]


def test_aperture_corrections_come_along(cell_coadd: MultipleCellCoadd) -> None:
    """By cell; a field may lack a cell that has pixels, or be known in a smaller box."""
    stitched = cell_coadd.stitch()
    kept = list(cell_coadd.cells)
    bounds = stitched.bounds
    values = np.arange(bounds.subgrid_size.i * bounds.subgrid_size.j, dtype=np.float64)
    values = values.reshape(bounds.subgrid_size.as_tuple())
    less = CellGridBounds(
        grid=bounds.grid, bbox=bounds.bbox, missing=bounds.missing | {kept[1].to_cell_ij()}
    )
    fields = {"one": CellField(bounds, values), "two": CellField(less, values + 100.0)}
    coadd = inner_cells(changed(stitched, aperture_corrections=fields))
    for index, cell in coadd.cells.items():
        place = index.to_cell_ij() - bounds.subgrid_start
        value = values[place.i, place.j]
        expected = {"one": value} if index == kept[1] else {"one": value, "two": value + 100.0}
        assert cell.aperture_corrections == expected


def test_a_coadd_that_says_too_little_is_refused(cell_coadd: MultipleCellCoadd) -> None:
    """Each with what it lacks."""
    stitched = cell_coadd.stitch()
    unit = Image(stitched.image.array, bbox=stitched.bbox, unit=u.mJy)
    variance = Image(stitched.variance.array, bbox=stitched.bbox, unit=u.mJy**2)
    bare = {"mask_fractions": None, "noise_realizations": None}
    box = stitched.bbox
    wrong = {
        "no provenance": changed(stitched, provenance=None),
        "no patch": changed(stitched, provenance=None, patch=None),
        "not say its band": changed(stitched, band=None),
        "must be in nJy, counts or counts/s, not mJy": changed(
            stitched, image=unit, variance=variance, **bare
        ),
        "no cell that is whole": stitched[
            Box.factory[box.y.start : box.y.start + 3, box.x.start : box.x.stop]
        ],
    }
    for reason, coadd in wrong.items():
        with pytest.raises(UnusableInputError, match=rf"^small tract 0: it.*{reason}"):
            inner_cells(coadd)


def test_a_file_that_cannot_be_used_is_named(cell_coadd: MultipleCellCoadd, tmp_path: Path) -> None:
    """Missing, broken, of another product, or a coadd that says too little."""
    write_archive(cell_coadd, tmp_path / "other.fits")
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE  =")
    write_archive(changed(cell_coadd.stitch(), provenance=None), tmp_path / "bare.fits")
    for name in ("missing.fits", "broken.fits", "other.fits"):
        with pytest.raises(UnusableInputError, match=rf"{name}: it cannot be read"):
            read_inner_cells(tmp_path / name)
    with pytest.raises(UnusableInputError, match=r"bare\.fits: it has no provenance"):
        read_inner_cells(tmp_path / "bare.fits")


def test_one_cell_is_a_coadd() -> None:
    """It keeps the grid of its patch."""
    coadd = make_coadd(make_warp(small_patch()))
    index = Index2D(x=3, y=1)
    part = inner_cells(coadd[coadd.grid.inner_bbox_of(index)].stitch())
    assert list(part.cells) == [index]
    assert len(part.grid) == 25


def test_a_part_of_a_file_is_its_cells_there(cell_coadd: MultipleCellCoadd, tmp_path: Path) -> None:
    """Named, or by a box that shares a pixel with them; the inputs are still all."""
    path = tmp_path / "stitched.fits"
    write_archive(cell_coadd.stitch(), path)
    whole = read_inner_cells(path)
    first, *_, last = whole.cells
    both = read_inner_cells(path, cells=[first, last])
    assert both == whole.subset([first, last])
    corner = whole.grid.inner_bbox_of(last)
    pixel = Box.factory[corner.y.start : corner.y.start + 1, corner.x.start : corner.x.start + 1]
    assert list(read_inner_cells(path, bbox=pixel).cells) == [last]


def test_a_part_without_a_filled_cell_is_an_error(
    cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """The file is in order: whoever goes from box to box asks for the next."""
    path = tmp_path / "stitched.fits"
    first, *between, last = cell_coadd.cells
    write_archive(cell_coadd.subset([first, last]).stitch(), path)
    empty = between[len(between) // 2]
    with pytest.raises(MissingCellError, match=r"stitched\.fits: no cell that is asked for"):
        read_inner_cells(path, cells=[empty])
    with pytest.raises(MissingCellError, match="No filled cell has a pixel in"):
        read_inner_cells(path, bbox=Box.factory[-9:-8, -9:-8])
