"""Some cells of a coadd built anew, with the same or with other settings."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from cellcoadd.cell_grid import Index2D
from cellcoadd.coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from cellcoadd.coaddition.rebuild import rebuild_cells
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.exchange.dp2_cells import inner_cells
from cellcoadd.masks.planes import ALL_PLANES
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.warp import NO_OWNER, Warp
from cellcoadd.testing.images import make_warp, small_patch

PATCH = small_patch()
SHAPE = tuple(PATCH.outer_bbox.shape)
SETTINGS = CoaddSettings(psf_dimensions=15, min_overlap_fraction=0.3)
OTHER = CoaddSettings(
    psf_dimensions=15, min_overlap_fraction=1.0, bad_mask_planes=("BAD", "NO_DATA", "SAT", "ODD")
)
CELLS = [Index2D(x=1, y=1), Index2D(x=2, y=1), Index2D(x=4, y=4)]


def warp_of(visit: int, *, covered: int = 112, mean_variance: float = 2.0) -> Warp:
    """A warp with noise and flagged pixels that covers the left of the patch."""
    rng = np.random.default_rng(visit)
    owner = np.zeros(SHAPE, np.uint8)
    owner[:, covered:] = NO_OWNER
    return make_warp(
        PATCH, visit=visit, pixels=rng.normal(size=SHAPE), variance=rng.uniform(1, 3, SHAPE),
        flags={"SAT": rng.random(SHAPE) < 0.01, "ODD": rng.random(SHAPE) < 0.02},
        owner=owner, mean_variances=[mean_variance], psf_sigma=1.5 + 0.1 * visit,
        mask_fractions={ALL_PLANES: rng.random(SHAPE)},
    )  # fmt: skip


def visits() -> list[VisitOnPatch]:
    """The second one covers the last column of cells in part."""
    return [VisitOnPatch(warp=warp) for warp in (warp_of(1), warp_of(2, covered=100))]


def build(settings: CoaddSettings) -> MultipleCellCoadd:
    coadd = assemble_cell_coadd(visits(), PATCH, settings=settings)
    assert coadd is not None
    return coadd


def test_a_rebuild_with_the_same_settings_changes_nothing() -> None:
    """To the bit, with the record: so what a rebuild changes is due to its settings."""
    coadd = build(SETTINGS)
    assert rebuild_cells(coadd, visits(), PATCH, settings=SETTINGS, cells=CELLS) == coadd


def test_chosen_cells_are_those_of_a_full_build_with_their_settings() -> None:
    """And the others those of the coadd; neither coadd is changed."""
    coadd, full = build(SETTINGS), build(OTHER)
    mixed = rebuild_cells(coadd, visits(), PATCH, settings=OTHER, cells=CELLS)
    for index in PATCH.grid:
        source = full if index in CELLS else coadd
        assert np.array_equal(mixed.subset([index]).stack.image, source.subset([index]).stack.image)
        assert mixed.cells[index].inputs == source.cells[index].inputs
        ours, theirs = mixed.cells[index].contributions, source.cells[index].contributions
        for name in ours.dtype.names or ():
            np.testing.assert_array_equal(ours[name], theirs[name])
        for plane in ("SAT", "REJECTED", "ODD"):
            if plane in source.stack.schema:
                np.testing.assert_array_equal(
                    mixed.cells[index].outer.mask.get(plane),
                    source.cells[index].outer.mask.get(plane),
                )
    last = Index2D(x=4, y=4)
    assert len(coadd.cells[last].inputs) > len(mixed.cells[last].inputs)
    assert coadd == build(SETTINGS)


def test_all_cells_anew_are_the_full_build() -> None:
    """To the bit, with the record."""
    coadd, full = build(SETTINGS), build(OTHER)
    assert rebuild_cells(coadd, visits(), PATCH, settings=OTHER, cells=list(PATCH.grid)) == full


def test_a_cell_that_loses_its_inputs_is_empty_and_on_record() -> None:
    """With the reason for which each input was refused."""
    only = [VisitOnPatch(warp=warp_of(2, covered=90))]
    coadd = assemble_cell_coadd(only, PATCH, settings=SETTINGS)
    assert coadd is not None
    last = Index2D(x=3, y=0)
    assert last in coadd.cells
    mixed = rebuild_cells(coadd, only, PATCH, settings=OTHER, cells=[last])
    assert last not in mixed.cells
    full = assemble_cell_coadd(only, PATCH, settings=OTHER)
    assert full is not None
    record, expected = (
        np.compress((c.contributions["cell_x"] == 3) & (c.contributions["cell_y"] == 0),
                    c.contributions)["reason"]
        for c in (mixed, full)
    )  # fmt: skip
    assert record.tolist() == expected.tolist() != [0]


def test_new_visits_join_the_record() -> None:
    """The cells that are built anew have them, the others do not, and rows still name theirs."""
    coadd = build(SETTINGS)
    more = [VisitOnPatch(warp=warp_of(0)), *visits()]
    mixed = rebuild_cells(coadd, more, PATCH, settings=SETTINGS, cells=CELLS)
    assert [entry.observation.visit for entry in mixed.inputs] == [0, 1, 2]
    for index, cell in mixed.cells.items():
        expected = {entry.visit for entry in coadd.cells[index].inputs}
        assert {entry.visit for entry in cell.inputs} == (
            expected | {0} if index in CELLS else expected
        )


def test_what_does_not_fit_is_refused() -> None:
    """Other sizes, other detectors under the same names, another patch or band."""
    coadd = build(SETTINGS)
    with pytest.raises(ValueError, match=re.escape("psf of a cell has the shape (15, 15)")):
        rebuild_cells(
            coadd, visits(), PATCH, cells=CELLS,
            settings=dataclasses.replace(SETTINGS, psf_dimensions=13),
        )  # fmt: skip
    anew = [VisitOnPatch(warp=warp_of(1, mean_variance=3.0))]
    with pytest.raises(ValueError, match=r"visit 1 detector 0 .* warped anew"):
        rebuild_cells(coadd, anew, PATCH, settings=SETTINGS, cells=CELLS)
    with pytest.raises(ValueError, match="The coadd is of small tract 0 patch 24"):
        rebuild_cells(coadd, visits(), small_patch(25), settings=SETTINGS, cells=CELLS)
    red = [VisitOnPatch(warp=make_warp(PATCH, band="r"))]
    with pytest.raises(ValueError, match="the band i, the warps are r"):
        rebuild_cells(coadd, red, PATCH, settings=SETTINGS, cells=CELLS)
    plain = [VisitOnPatch(warp=make_warp(PATCH, visit=3))]
    with pytest.raises(ValueError, match="One stack has"):
        rebuild_cells(coadd, plain, PATCH, settings=SETTINGS, cells=CELLS)
    with pytest.raises(ValueError, match="5 x 5 cells, and"):
        rebuild_cells(coadd, visits(), PATCH, settings=SETTINGS, cells=[Index2D(x=9, y=9)])


def test_without_a_warp_the_cells_become_empty() -> None:
    """The record of the others stays, fractions and all."""
    coadd = build(SETTINGS)
    mixed = rebuild_cells(coadd, [], PATCH, settings=SETTINGS, cells=CELLS)
    assert set(mixed.cells) == set(coadd.cells) - set(CELLS)
    assert mixed.contributions.dtype == coadd.contributions.dtype


def test_coadds_of_formats_that_keep_less_cannot_be_mixed() -> None:
    """Nobody can tell whether the new warps are those that it was made of."""
    coadd = build(SETTINGS)
    theirs = inner_cells(coadd.stitch())
    with pytest.raises(ValueError, match="a format that does not keep it"):
        rebuild_cells(with_inputs(coadd, theirs), visits(), PATCH, settings=SETTINGS, cells=CELLS)


def with_inputs(coadd: MultipleCellCoadd, other: MultipleCellCoadd) -> MultipleCellCoadd:
    """A coadd with the inputs as another one knows them."""
    return MultipleCellCoadd(
        identifiers=coadd.identifiers, band=coadd.band, patch=coadd.patch,
        cell_border=coadd.grid.border, sky_projection=coadd.sky_projection, stack=coadd.stack,
        inputs=other.inputs, contributions=coadd.contributions,
    )  # fmt: skip
