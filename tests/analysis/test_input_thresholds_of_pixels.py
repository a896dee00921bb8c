"""The threshold function beside a count over the pixels of simulated warps."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from astropy.table import Table, vstack

from cellcoadd.analysis.cell_table import tabulate_cells
from cellcoadd.analysis.input_table import tabulate_inputs
from cellcoadd.analysis.input_thresholds import remaining_input_fraction
from cellcoadd.coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.masks.planes import ALL_PLANES
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.warp import Warp
from cellcoadd.testing.images import make_detector, small_patch, small_tract
from cellcoadd.warping.direct import make_direct_warp
from cellcoadd.warping.settings import WarpSettings

type Region = Literal["outer", "inner"]

SETTINGS = WarpSettings(do_pre_warp_interpolation=True)
PATCHES = (23, 24, 31)  # 24 shares cells with both; 23 and 31 share four in the corner
N_VISITS = 4
SHAPE = (210, 180)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Observed:
    """What there is of a patch."""

    warps: dict[int, Warp]
    coadd: MultipleCellCoadd
    table: Table


def image(visit: int, detector: int) -> CalibratedImage:
    """Two detectors side by side, with 4 bad columns and cosmic rays; two visits are turned."""
    middle = small_patch(24).outer_bbox
    bad = np.zeros(SHAPE, np.bool_)
    bad[:, 60 + 7 * visit : 64 + 7 * visit] = True
    hit = np.random.default_rng([visit, detector]).random(SHAPE) < 0.004
    return make_detector(
        small_patch(24), visit=visit, detector=detector, height=SHAPE[0], width=SHAPE[1],
        x=middle.x.min + 3.0 * visit - 60 + 184 * detector, y=middle.y.min + 70.3 - 20 * visit,
        rotation=(0.0, 0.0, 10.0, 90.0)[visit], flags={"BAD": bad, "CR": hit}, variance=4.0 + visit,
    )  # fmt: skip


@functools.cache
def observed() -> tuple[Observed, ...]:
    """Four visits on three patches: warps, coadds, tables."""
    images = {visit: [image(visit, detector) for detector in (0, 1)] for visit in range(N_VISITS)}
    result = []
    for patch in map(small_tract().patch, PATCHES):
        warps = {}
        for visit, pair in images.items():
            made = make_direct_warp(pair, patch, settings=SETTINGS)
            if made is not None:
                warps[visit] = made.warp
        visits = [VisitOnPatch(warp=warp) for warp in warps.values()]
        coadd = assemble_cell_coadd(visits, patch, settings=CoaddSettings())
        assert coadd is not None
        result.append(Observed(warps=warps, coadd=coadd, table=tabulate_inputs(coadd)))
    return tuple(result)


def all_tables() -> Table:
    return vstack([one.table for one in observed()], metadata_conflicts="silent")


def counted(
    plane: str, region: Region, thresholds: npt.NDArray[np.float64]
) -> dict[tuple[int, int], list[float]]:
    """The function of each cell by its place in the tract, one pixel of one warp after another."""
    name = ALL_PLANES if plane == "all" else plane
    result: dict[tuple[int, int], list[float]] = {}
    for one in observed():
        for cell in one.coadd.cells.values():
            box = cell.outer.bbox if region == "outer" else cell.inner.bbox
            fractions = []
            for entry in cell.inputs:
                cut = one.warps[entry.visit].mask_fractions[name][box].array
                fractions.append(math.fsum(float(pixel) for pixel in cut.flat) / cut.size)
            below = [sum(f < t for f in fractions) / len(fractions) for t in thresholds]
            place = (cell.inner.bbox.y.start // 20, cell.inner.bbox.x.start // 20)
            # Patches agree about a cell that they share.
            assert result.setdefault(place, below) == below
    return result


@pytest.mark.parametrize("region", ["outer", "inner"])
@pytest.mark.parametrize("plane", ["all", "BAD", "CR"])
def test_it_is_the_count_over_the_pixels_of_the_warps(plane: str, region: Region) -> None:
    """Exactly: tables keep what is needed of the pixels, and shared cells count once.

    No fraction comes so near to one of these thresholds that rounding decides.
    """
    thresholds = np.linspace(0.0013, 0.3013, 61)
    expected = counted(plane, region, thresholds)
    found = remaining_input_fraction(
        all_tables(), thresholds=thresholds, plane=plane, region=region
    )
    places = list(zip(found.cells["tract_cell_y"], found.cells["tract_cell_x"], strict=True))
    assert len(places) > found.cell_count == len(expected)
    for place, fractions in zip(places, found.fractions, strict=True):
        assert fractions.tolist() == expected[place]
    mean = np.array(list(expected.values())).mean(axis=0)
    np.testing.assert_allclose(found.mean(), mean, rtol=1e-13)
    # The curve has something to show, and cells that count twice would show in it.
    assert mean[0] < 0.9
    assert mean[-1] > 0.95
    assert np.abs(found.fractions.mean(axis=0) - mean).max() > 1e-3


def test_bad_columns_make_a_step_that_moves_with_the_region() -> None:
    """4 px through an outer region of 32 px are 1/8 of it, through an inner one of 20 px 1/5.

    Here for the visits that are not turned, whose columns stay as wide; in real data, with 4 px
    through 250 and 150, the steps are at 0.016 and 0.027.
    """
    table = all_tables()
    table = table[table["visit"] < 2]
    regions: tuple[tuple[Region, float], ...] = (("outer", 4 / 32), ("inner", 4 / 20))
    for region, step in regions:
        limits = [step - 0.001, step + 0.001]
        found = remaining_input_fraction(table, thresholds=limits, plane="BAD", region=region)
        before, after = found.mean()
        assert before < 0.95
        assert after == 1.0


def test_the_table_of_cells_has_two_of_the_thresholds() -> None:
    """For maps and figures, from the same count."""
    for one in observed():
        cells = tabulate_cells(one.coadd)
        found = remaining_input_fraction(one.table, thresholds=[0.05, 0.1])
        np.testing.assert_array_equal(cells["input_fraction_0.05"], found.fractions[:, 0])
        np.testing.assert_array_equal(cells["input_fraction_0.1"], found.fractions[:, 1])
