"""A cell-based coadd in a person's hands, its stored form, and what it is stitched to."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from lsst.images import Box
from lsst.images.cells import CellIJ
from lsst.images.serialization import (
    ArrayReferenceModel,
    InvalidComponentError,
    InvalidParameterError,
    open_archive,
    read_archive,
    write_archive,
)

from cellcoadd.cell_grid import Index2D
from cellcoadd.coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.errors import MissingCellError
from cellcoadd.masks.planes import ALL_PLANES
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_coadd.inputs import RefusalReason
from cellcoadd.products.cell_coadd.stack import CellStack
from cellcoadd.products.warp import NO_OWNER
from cellcoadd.testing.images import make_coadd, make_warp, small_patch

PATCH = small_patch()
EMPTY = Index2D(x=4, y=4)


def assert_same_stack(ours: CellStack, theirs: CellStack) -> None:
    assert ours.indices == theirs.indices
    assert ours.schema == theirs.schema
    assert list(ours.mask_fractions) == list(theirs.mask_fractions)
    planes = [
        (getattr(ours, name), getattr(theirs, name))
        for name in ("image", "variance", "mask", "noise", "psf")
    ]
    planes += [
        (ours.mask_fractions[name], theirs.mask_fractions[name]) for name in ours.mask_fractions
    ]
    for mine, other in planes:
        assert mine.dtype == other.dtype
        assert mine.shape == other.shape
        assert mine.tobytes() == other.tobytes()


def assert_same_rows(ours: npt.NDArray[np.void], theirs: npt.NDArray[np.void]) -> None:
    """Column by column, because numpy takes rows with a NaN for different."""
    assert ours.dtype == theirs.dtype
    for name in ours.dtype.names or ():
        np.testing.assert_array_equal(ours[name], theirs[name])


def plain_coadd(**changes: Any) -> MultipleCellCoadd:
    """One visit without fractions or noise, all 25 cells."""
    coadd = assemble_cell_coadd(
        [VisitOnPatch(warp=make_warp(PATCH, **changes))], PATCH, settings=CoaddSettings()
    )
    assert coadd is not None
    return coadd


def test_the_coadd_of_the_fixture_has_full_and_empty_cells(cell_coadd: MultipleCellCoadd) -> None:
    """Else the tests below would show nothing."""
    counts = {cell.visit_count for cell in cell_coadd.cells.values()}
    assert 0 < len(cell_coadd.cells) < 25
    assert 2 in counts
    assert EMPTY not in cell_coadd.cells


def test_coadd_is_the_same_after_storing(cell_coadd: MultipleCellCoadd, tmp_path: Path) -> None:
    """All that was measured, bit for bit, with the record of what went in."""
    path = tmp_path / "coadd.fits"
    write_archive(cell_coadd, path)
    again = read_archive(str(path), MultipleCellCoadd)
    assert_same_stack(cell_coadd.stack, again.stack)
    assert_same_rows(again.contributions, cell_coadd.contributions)
    for name in ("identifiers", "band", "patch", "grid", "sky_projection", "bbox", "unit"):
        assert getattr(again, name) == getattr(cell_coadd, name)
    for ours, theirs in zip(cell_coadd.inputs, again.inputs, strict=True):
        assert ours.observation == theirs.observation
        assert ours.footprint == theirs.footprint
        assert ours.mean_variance_njy2 == theirs.mean_variance_njy2


def test_coadd_without_noise_and_fractions_can_be_stored(tmp_path: Path) -> None:
    """Both are optional."""
    coadd = plain_coadd()
    write_archive(coadd, tmp_path / "coadd.fits")
    again = read_archive(str(tmp_path / "coadd.fits"), MultipleCellCoadd)
    assert_same_stack(coadd.stack, again.stack)
    assert again.stack.noise.shape == (0, 25, 32, 32)
    assert np.isnan(again.contributions["masked_fraction"]).all()


def test_equality_asks_for_every_part(cell_coadd: MultipleCellCoadd) -> None:
    """Copies are equal, NaN for NaN; another pixel, PSF, record or geometry is seen."""
    stack, first = cell_coadd.stack, next(iter(cell_coadd.cells))
    copied = cell_coadd.replaced(stack=stack.subset(range(len(stack.indices))))
    assert copied == cell_coadd
    assert copied.cells[first] == cell_coadd.cells[first]
    assert copied.psf == cell_coadd.psf
    assert cell_coadd != cell_coadd.subset([first])
    assert cell_coadd.subset([first]).cells[first] == cell_coadd.cells[first]
    assert cell_coadd != "a coadd"
    for name in ("image", "variance", "mask", "psf", "noise", "noise_covariance"):
        other = getattr(stack, name).copy()
        other[..., 1, 1] += 1
        changed = cell_coadd.replaced(stack=dataclasses.replace(stack, **{name: other}))
        assert changed != cell_coadd
        assert changed.cells[first] != cell_coadd.cells[first]
    rows = cell_coadd.contributions.copy()
    rows["weight"][0] *= 2.0
    assert cell_coadd != cell_coadd.replaced(contributions=rows)


def test_a_cell_says_what_it_is(cell_coadd: MultipleCellCoadd) -> None:
    """Where it lies, and what went in; in a notebook with all inputs."""
    cell = cell_coadd.cells[Index2D(x=1, y=2)]
    assert repr(cell) == f"<SingleCellCoadd(x=1, y=2, {cell.visit_count} visits)>"
    html = cell._repr_html_()
    for entry in cell.inputs:
        assert f"visit {entry.visit} detector {entry.detector}" in html
    assert str(cell.inner.bbox) in html
    assert "RA 150." in html
    shown = repr(cell_coadd.cells)
    assert shown == f"<{len(cell_coadd.cells)} filled cells of 5 x 5, by Index2D>"


def test_a_box_reads_its_cells_and_no_others(
    cell_coadd: MultipleCellCoadd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same as cutting the whole, at the price of the cells alone."""
    path = tmp_path / "coadd.fits"
    write_archive(cell_coadd, path)
    chosen = [index for index in cell_coadd.cells if index.x in (1, 2) and index.y == 2]
    first, last = (cell_coadd.grid.inner_bbox_of(chosen[n]) for n in (0, -1))
    box = Box.factory[first.y.start + 3 : first.y.stop - 3, first.x.max : last.x.start + 1]
    with open_archive(str(path), MultipleCellCoadd) as reader:
        archive: Any = reader._archive
        original = archive.get_array
        entries: list[int] = []

        def counting(model: ArrayReferenceModel, **kwargs: Any) -> Any:
            array = original(model, **kwargs)
            entries.append(array.shape[0])
            return array

        monkeypatch.setattr(archive, "get_array", counting)
        part = reader.read(bbox=box)
    assert set(entries) == {len(chosen)} == {2}
    assert list(part.cells) == chosen
    cut = cell_coadd[box]
    assert_same_stack(cut.stack, part.stack)
    assert_same_rows(cut.contributions, part.contributions)
    assert {(row["cell_x"], row["cell_y"]) for row in part.contributions} == {
        (index.x, index.y) for index in chosen
    }


def test_scattered_cells_are_read_in_their_order(
    cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """A box of many rows takes pieces out of the stack that do not lie side by side."""
    path = tmp_path / "coadd.fits"
    write_archive(cell_coadd, path)
    box = Box.factory[
        cell_coadd.bbox.y.start : cell_coadd.bbox.y.stop,
        cell_coadd.grid.inner_bbox_of(Index2D(x=1, y=1)).x.start + 4 :
        cell_coadd.grid.inner_bbox_of(Index2D(x=2, y=1)).x.start + 4,
    ]  # fmt: skip
    part = read_archive(str(path), MultipleCellCoadd, bbox=box)
    assert {index.x for index in part.cells} == {1, 2}
    assert_same_stack(cell_coadd[box].stack, part.stack)


def test_components_are_read_alone(
    cell_coadd: MultipleCellCoadd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks for the geometry or the record must not wait for pixels."""
    path = tmp_path / "coadd.fits"
    write_archive(cell_coadd, path)
    with open_archive(str(path), MultipleCellCoadd) as reader:
        archive: Any = reader._archive
        sizes: list[int] = []
        original = archive.get_array

        def counting(model: ArrayReferenceModel, **kwargs: Any) -> Any:
            array = original(model, **kwargs)
            sizes.append(array.size)
            return array

        monkeypatch.setattr(archive, "get_array", counting)
        assert reader.get_component("grid") == cell_coadd.grid
        assert reader.get_component("patch") == cell_coadd.patch
        assert reader.get_component("wcs") == cell_coadd.wcs
        assert reader.get_component("bbox") == cell_coadd.bbox
        assert [entry.observation for entry in reader.get_component("inputs")] == [
            entry.observation for entry in cell_coadd.inputs
        ]
        assert_same_rows(reader.get_component("contributions"), cell_coadd.contributions)
        provenance = reader.get_component("provenance")
        assert len(provenance.inputs) == len(cell_coadd.provenance.inputs)
        assert sizes == []
        psf = reader.get_component("psf")
        assert sizes == [cell_coadd.stack.psf.size]
        for index in cell_coadd.cells:
            assert psf[index] == cell_coadd.psf[index]
        with pytest.raises(InvalidParameterError, match="read whole"):
            reader.get_component("psf", bbox=cell_coadd.bbox)
        with pytest.raises(InvalidParameterError, match="nonsense"):
            reader.read(nonsense=1)
        with pytest.raises(InvalidComponentError):
            reader.get_component("nonsense")
        with pytest.raises(MissingCellError, match="No filled cell"):
            reader.read(bbox=cell_coadd.grid.inner_bbox_of(EMPTY))


def test_cells_are_views_of_the_stack(cell_coadd: MultipleCellCoadd) -> None:
    """Outer and inner regions lie where the grid says, in every plane."""
    border = cell_coadd.grid.border
    for row, (index, cell) in enumerate(cell_coadd.cells.items()):
        outer, inner = cell.outer, cell.inner
        assert outer.bbox == cell_coadd.grid.outer_bbox_of(index)
        assert inner.bbox == cell_coadd.grid.inner_bbox_of(index)
        stack = cell_coadd.stack
        assert np.shares_memory(outer.image.array, stack.image)
        assert np.shares_memory(inner.mask.array, stack.mask)
        inside = (slice(border, -border), slice(border, -border))
        np.testing.assert_array_equal(inner.image.array, stack.image[row][inside])
        np.testing.assert_array_equal(inner.variance.array, stack.variance[row][inside])
        assert list(inner.mask_fractions) == [ALL_PLANES, "BAD", "SAT", "CR"]
        for name, plane in inner.mask_fractions.items():
            np.testing.assert_array_equal(plane.array, stack.mask_fractions[name][row][inside])
        for number, noise in enumerate(inner.noise_realizations):
            np.testing.assert_array_equal(noise.array, stack.noise[number, row][inside])
        assert len(outer.noise_realizations) == 2
        assert cell.psf_image.array.shape == (21, 21)
        assert cell.inputs
        assert cell.visit_count == len({entry.visit for entry in cell.inputs})


def test_refused_inputs_are_on_record_and_not_among_the_inputs(
    cell_coadd: MultipleCellCoadd,
) -> None:
    """Each (cell, input) that touch has one row."""
    rows = cell_coadd.contributions
    keys = {(row["cell_x"], row["cell_y"], row["input"]) for row in rows}
    assert len(keys) == len(rows)
    refused = rows[rows["reason"] == RefusalReason.OVERLAP]
    assert len(refused) > 0
    for row in refused:
        index = Index2D(x=int(row["cell_x"]), y=int(row["cell_y"]))
        if index in cell_coadd.cells:
            observation = cell_coadd.inputs[row["input"]].observation
            assert observation not in cell_coadd.cells[index].inputs


def test_provenance_lists_what_was_accepted(cell_coadd: MultipleCellCoadd) -> None:
    """In the terms of lsst.images: i is the row of a cell."""
    provenance = cell_coadd.provenance
    accepted = cell_coadd.contributions[
        cell_coadd.contributions["reason"] == RefusalReason.ACCEPTED
    ]
    table = provenance.contributions
    assert len(table) == len(accepted)
    for ours, theirs in zip(accepted, table, strict=True):
        entry = cell_coadd.inputs[ours["input"]].observation
        assert (theirs["cell_i"], theirs["cell_j"]) == (ours["cell_y"], ours["cell_x"])
        assert (theirs["visit"], theirs["detector"]) == (entry.visit, entry.detector)
        assert theirs["weight"] == ours["weight"]
    assert {row["visit"] for row in provenance.inputs} == {1, 2}


@pytest.mark.parametrize(
    ("index", "reason"),
    [(EMPTY, "has no input"), (Index2D(x=5, y=0), "is outside of the grid")],
)
def test_a_missing_cell_is_refused_by_name(
    cell_coadd: MultipleCellCoadd, index: Index2D, reason: str
) -> None:
    """An empty cell is no mistake of the index; a foreign index is."""
    with pytest.raises(MissingCellError, match=rf"x={index.x}, y={index.y}.*{reason}.*5 x 5"):
        cell_coadd.cells[index]


def test_cells_are_found_by_the_index_type_of_lsst_images_too(
    cell_coadd: MultipleCellCoadd,
) -> None:
    """i is the row; a plain pair, of which nobody knows the order, is refused with the way out."""
    index = Index2D(x=1, y=2)
    assert cell_coadd.cells[CellIJ(i=2, j=1)].index == index
    named: list[object] = [CellIJ(i=2, j=1), EMPTY.to_cell_ij(), (2, 1), index]
    assert [name in cell_coadd.cells for name in named] == [True, False, False, True]
    with pytest.raises(MissingCellError, match=r"Index2D\(x=\.\.\., y=\.\.\.\).*got \(2, 1\)"):
        cell_coadd.cells[2, 1]  # type: ignore[index]


def test_cells_are_a_mapping_in_every_respect(cell_coadd: MultipleCellCoadd) -> None:
    """Who goes over the whole grid asks with get; KeyError is what a mapping raises."""
    first = next(iter(cell_coadd.cells))
    assert cell_coadd.cells.get(EMPTY) is None
    assert cell_coadd.cells.get(Index2D(x=9, y=9), 7) == 7
    assert cell_coadd.cells.get(first) == cell_coadd.cells[first]
    with pytest.raises(KeyError) as caught:
        cell_coadd.cells[EMPTY]
    assert str(caught.value).startswith("Cell Index2D(x=4, y=4) has no input")


def test_cells_have_one_name_everywhere(cell_coadd: MultipleCellCoadd) -> None:
    """Both index types name them; what is no index is refused with what is wanted."""
    first = next(iter(cell_coadd.cells))
    theirs = first.to_cell_ij()
    assert cell_coadd.subset([theirs]) == cell_coadd.subset([first])
    assert cell_coadd.psf[theirs] == cell_coadd.psf[first]
    with pytest.raises(MissingCellError, match="no cell of a grid of 5 x 5"):
        cell_coadd.psf[Index2D(x=9, y=0)]
    with pytest.raises(TypeError, match="a list of their indices, got Index2D"):
        cell_coadd.subset(first)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"CellIJ\(i=row, j=column\), got \(1, 2\)"):
        cell_coadd.subset([(1, 2)])  # type: ignore[list-item]
    for wrong in (first, ..., (0, 2)):
        with pytest.raises(TypeError, match="a Box of pixels of the tract"):
            cell_coadd[wrong]  # type: ignore[index]


def test_a_cell_is_equal_whatever_else_the_coadds_hold() -> None:
    """A visit that lies elsewhere changes nothing of it; one that goes in does."""
    owner = np.full(tuple(PATCH.outer_bbox.shape), NO_OWNER)
    owner[:, :40] = 0
    far, here = make_warp(PATCH, visit=1, owner=owner), make_warp(PATCH, visit=2)
    alone, both = make_coadd(here), make_coadd(far, here)
    right, left = Index2D(x=3, y=2), Index2D(x=0, y=2)
    assert alone.cells[right] == both.cells[right]
    assert alone.cells[left] != both.cells[left]


def test_a_copy_of_a_cell_can_be_changed(cell_coadd: MultipleCellCoadd) -> None:
    """With masked fractions and noise; the coadd stays as it is."""
    outer = next(iter(cell_coadd.cells.values())).outer
    copied = outer.copy()
    assert list(copied.mask_fractions) == list(outer.mask_fractions)
    copied.image.array[:] = 0.0
    copied.mask_fractions[ALL_PLANES].array[:] = 7.0
    copied.noise_realizations[0].array[:] = 0.0
    assert outer.image.array.any()
    assert outer.noise_realizations[0].array.any()
    assert not (outer.mask_fractions[ALL_PLANES].array == 7.0).any()


def test_a_box_without_filled_cells_is_refused(cell_coadd: MultipleCellCoadd) -> None:
    """There is no coadd without cells."""
    with pytest.raises(MissingCellError, match="No filled cell"):
        cell_coadd[cell_coadd.grid.inner_bbox_of(EMPTY)]
    stack = cell_coadd.stack.subset([])
    with pytest.raises(ValueError, match="at least one filled cell"):
        MultipleCellCoadd(
            identifiers=cell_coadd.identifiers, band="i", patch=cell_coadd.patch, cell_border=6,
            sky_projection=cell_coadd.wcs, stack=stack, inputs=(),
            contributions=cell_coadd.contributions,
        )  # fmt: skip


def test_stacks_that_do_not_fit_are_refused(cell_coadd: MultipleCellCoadd) -> None:
    """The message names the plane and both shapes."""
    stack = cell_coadd.stack
    n = len(stack.indices)
    with pytest.raises(ValueError, match=rf"variance has shape \({n}, 3, 3\)"):
        dataclasses.replace(stack, variance=np.zeros((n, 3, 3), np.float32))
    with pytest.raises(ValueError, match=r"mask_fractions\[BAD\]"):
        dataclasses.replace(stack, mask_fractions={"BAD": np.zeros((1, 2, 2), np.float32)})
    with pytest.raises(ValueError, match="1 PSFs for"):
        dataclasses.replace(stack, psf=stack.psf[:1])
    with pytest.raises(ValueError, match="sorted and different"):
        dataclasses.replace(stack, indices=stack.indices[::-1])
    with pytest.raises(ValueError, match=r"do not fit regions of \(30, 30\)"):
        MultipleCellCoadd(
            identifiers=cell_coadd.identifiers, band="i", patch=cell_coadd.patch, cell_border=5,
            sky_projection=cell_coadd.wcs, stack=stack, inputs=(),
            contributions=cell_coadd.contributions,
        )  # fmt: skip


def test_coadd_says_what_it_is(cell_coadd: MultipleCellCoadd) -> None:
    """A person in a notebook sees patch, band and cells."""
    text = repr(cell_coadd)
    assert "small tract 0 patch 24" in text
    assert f"{len(cell_coadd.cells)} cells" in text
    assert "detectors of 2 visits" in str(cell_coadd.describe())
    assert "visits" in repr(cell_coadd.cells[Index2D(x=1, y=2)])
    assert cell_coadd.unit == "nJy"
