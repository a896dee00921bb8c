"""The masks of the survey like HSC's take as much of its cells as HSC's do (technote SITCOMTN-137).

Of the inputs of all cells of tract 9813, this part is masked by less than each of some thresholds
(``w_2024_34_outer``). The same is counted here in the masks alone, without noise, galaxies or
warps; docs/simulations.md has the numbers of a whole coadd.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from astropy.table import Table
from lsst.images import XY

from cellcoadd.simulate import DetectorPointing, SurveyPlan, survey_plan
from cellcoadd.simulate.artifacts import bad_columns, cosmic_rays, halos, saturate
from cellcoadd.simulate.observe import draw_sources
from cellcoadd.testing.input_counts import TRACT_9813, first_pixels_of_cells

type Flags = npt.NDArray[np.bool_]
type Floats = npt.NDArray[np.float64]

HSC = {
    "BAD": {0.001: 0.781, 0.005: 0.785, 0.010: 0.792, 0.015: 0.796, 0.016: 0.876, 0.018: 0.926,
            0.050: 0.974, 0.100: 0.993},
    "SAT": {0.001: 0.767, 0.005: 0.849, 0.010: 0.887, 0.015: 0.905, 0.016: 0.907, 0.018: 0.911,
            0.050: 0.973, 0.100: 0.993},
    "CR": {0.001: 0.686, 0.002: 0.927, 0.003: 0.982, 0.005: 0.998},
    "all": {0.001: 0.384, 0.005: 0.656, 0.010: 0.695, 0.015: 0.717, 0.016: 0.724, 0.018: 0.810,
            0.050: 0.942, 0.100: 0.985},
}  # fmt: skip
"""Part of the inputs that is masked by less than a threshold, by plane."""

OUTER = 250  # pixels of a cell with its border


class Extent(NamedTuple):
    """The cells that are on a detector, with their borders, as boxes of its pixels."""

    row: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    x_low: Floats
    x_high: Floats
    y_low: Floats
    y_high: Floats


def extent_of_cells(plan: SurveyPlan, pointing: DetectorPointing) -> Extent:
    """Detectors and cells are aligned, since cameras turn by right angles."""
    side = np.array([-0.5, OUTER - 0.5])
    first = first_pixels_of_cells(XY(x=6, y=5))
    x = (first.x[:, np.newaxis] + side)[np.newaxis, :, np.newaxis, :]
    y = (first.y[:, np.newaxis] + side)[:, np.newaxis, :, np.newaxis]
    ra, dec = TRACT_9813.to_sky(x=x, y=y)
    at = pointing.to_pixels(ra=ra, dec=dec)
    box = plan.camera.bbox
    inside = (
        (at.x > box.x.min + 2.5) & (at.x < box.x.max - 2.5)
        & (at.y > box.y.min + 2.5) & (at.y < box.y.max - 2.5)
    ).all(axis=(2, 3))  # fmt: skip
    row, column = np.nonzero(inside)
    corners_x, corners_y = (
        np.sort(axis[inside].reshape(-1, 4), axis=1).reshape(-1, 2, 2).mean(axis=2) for axis in at
    )
    return Extent(row, column, *corners_x.T, *corners_y.T)


def masks_of(
    plan: SurveyPlan, stars: Table, *, visit: int, detector: int
) -> tuple[Flags, Flags, Flags]:
    """Bad columns, saturated pixels and cosmic rays of an image, as it will be drawn."""
    settings, camera = plan.artifacts, plan.camera
    assert settings is not None
    pointing, spread = plan.pointing(visit, detector), plan.point_spread(visit, detector)
    shape = (camera.height, camera.width)
    bad, _ = bad_columns(settings, width=camera.width, seed=plan.seed, detector=detector)
    _, saturated = saturate(draw_sources(stars, pointing, spread), settings.saturation)
    fills = stars["flux_njy"] * spread.draw(x=0.0, y=0.0)[0].max() > settings.saturation
    at = pointing.to_pixels(ra=stars["ra"][fills], dec=stars["dec"][fills])
    saturated |= halos(settings, x=at.x, y=at.y, flux=stars["flux_njy"][fills], shape=shape)
    hit, _ = cosmic_rays(settings, shape=shape, seed=plan.seed, visit=visit, detector=detector)
    return bad, saturated, hit


def covered(mask: Flags, extent: Extent) -> Floats:
    """The part of each cell that a mask covers, to whole pixels; few pixels are masked."""
    y, x = np.nonzero(mask)
    flagged = [
        np.count_nonzero((x > left) & (x < right) & (y > low) & (y < high))
        for left, right, low, high in zip(*extent[2:], strict=True)
    ]
    area = (extent.x_high - extent.x_low) * (extent.y_high - extent.y_low)
    return np.array(flagged) / area


def crossed(bad: Flags, extent: Extent) -> Floats:
    """The part of each cell that bad columns cover, to parts of a pixel."""
    before = np.concatenate([[0.0], np.cumsum(bad)])
    at = np.arange(bad.size + 1) - 0.5
    columns = np.interp(extent.x_high, at, before) - np.interp(extent.x_low, at, before)
    parts: Floats = columns / (extent.x_high - extent.x_low)
    return parts


@pytest.fixture(scope="module")
def fractions() -> dict[str, Floats]:
    """Masked fraction of each input of a cell, by plane, and the cell's number."""
    plan = survey_plan("hsc-patch")
    truth = plan.truth
    # A star of magnitude 19 fills no pixel.
    stars = truth[(truth["type"] == "star") & (truth["flux_njy"] > 10 ** (0.4 * (31.4 - 19.0)))]
    found: dict[str, list[Floats]] = {name: [] for name in (*HSC, "cell")}
    for visit, detector in plan.exposures:
        extent = extent_of_cells(plan, plan.pointing(visit, detector))
        if not extent.row.size:
            continue
        bad, saturated, hit = masks_of(plan, stars, visit=visit, detector=detector)
        columns = crossed(bad, extent)
        off_columns = ~bad & (saturated | hit)
        found["BAD"].append(columns)
        found["SAT"].append(covered(saturated, extent))
        found["CR"].append(covered(hit, extent))
        found["all"].append(columns + covered(off_columns, extent))
        found["cell"].append((22 * extent.row + extent.column).astype(np.float64))
    return {name: np.concatenate(parts) for name, parts in found.items()}


@pytest.mark.parametrize("plane", sorted(HSC))
def test_masks_take_as_many_inputs_as_those_of_hsc(
    fractions: dict[str, Floats], plane: str
) -> None:
    """Averaged over cells."""
    _, cell = np.unique(fractions["cell"], return_inverse=True)
    inputs = np.bincount(cell)
    assert inputs.size > 450
    for threshold, expected in HSC[plane].items():
        kept = np.bincount(cell, weights=fractions[plane] < threshold)
        assert float(np.mean(kept / inputs)) == pytest.approx(expected, abs=0.03), threshold


def test_some_cells_are_masked_by_a_tenth_and_none_by_more_than_a_fifth(
    fractions: dict[str, Floats],
) -> None:
    """The largest masked fraction of a coadded cell of the real patch 61 is 0.107."""
    _, cell = np.unique(fractions["cell"], return_inverse=True)
    mean = np.bincount(cell, weights=fractions["all"]) / np.bincount(cell)
    assert 0.08 < mean.max() < 0.2
    assert math.isclose(float(np.median(mean)), 0.004, abs_tol=0.004)
