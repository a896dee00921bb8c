"""Numbers for the one PSF of a cell: by hand, and beside PSFs at many places."""

from __future__ import annotations

import numpy as np
import pytest
from lsst.images import YX
from lsst.images.psfs import GaussianPointSpreadFunction

from cellcoadd.analysis.cell_measurements import CellMeasurements
from cellcoadd.analysis.psf_quality import (
    edge_changes,
    edge_fractions,
    fidelities,
    size_changes,
    size_spreads,
)
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_coadd.inputs import PHASE_POWER
from cellcoadd.testing.images import make_coadd, make_detector, make_warp, small_patch
from cellcoadd.warping.positions import TractToDetector
from cellcoadd.warping.settings import ResamplingSettings
from cellcoadd.warping.warped_psf import warp_psf

PATCH = small_patch()


def two_visits() -> MultipleCellCoadd:
    """Of sigma 1.5 and 2.0 px, the second of three times the weight."""
    return make_coadd(
        make_warp(PATCH, visit=1, psf_sigma=1.5, mean_variances=(3.0,)),
        make_warp(PATCH, visit=2, psf_sigma=2.0, mean_variances=(1.0,)),
    )


def changed(coadd: MultipleCellCoadd, **columns: object) -> CellMeasurements:
    """Measurements of the coadd with other columns in its record."""
    rows = coadd.contributions.copy()
    for name, values in columns.items():
        rows[name] = values
    return CellMeasurements(coadd.replaced(contributions=rows))


@pytest.mark.parametrize(("kernel", "fwhm"), [("lanczos3", 3.2), ("optimal6", 2.2)])
def test_the_fidelity_of_one_input_is_what_stars_show(kernel: str, fwhm: float) -> None:
    """The image of a star at one of 300 places less that of the middle of a cell, another."""
    detector = make_detector(PATCH, rotation=10.0, pixel_scale=0.2)
    transform = TractToDetector(
        tract=PATCH.sky_projection, detector=detector.sky_projection, source="test"
    )
    rng = np.random.default_rng(3)
    middle = PATCH.outer_bbox
    centres = [
        YX(y=int(middle.y.start) + 30 + int(a), x=int(middle.x.start) + 30 + int(b))
        for a, b in rng.integers(0, 50, (300, 2))
    ]
    warped = warp_psf(
        GaussianPointSpreadFunction(fwhm / 2.3548, detector.bbox, 31),
        transform=transform, centres=centres, settings=ResamplingSettings(kernel=kernel), name="",
    )  # fmt: skip
    stamps = warped.stamps.astype(float)
    square = np.square(stamps).sum(axis=(1, 2)).mean()
    pairs = np.square(stamps[:150] - stamps[150:]).sum(axis=(1, 2)).mean()
    coadd = make_coadd(make_warp(PATCH, visit=1))
    power = warped.phase_errors.mean() * np.square(coadd.stack.psf[0], dtype=float).sum()
    found = fidelities(changed(coadd, **{PHASE_POWER: power}))
    np.testing.assert_allclose(found, pairs / square, rtol=0.15)


def test_changes_of_many_inputs_average() -> None:
    """Twice the sum of the squares of the weights, which fall as one over their number."""
    one, two = (make_coadd(*(make_warp(PATCH, visit=n) for n in range(1, k + 1))) for k in (1, 2))
    single = fidelities(changed(one, **{PHASE_POWER: 1e-6}))
    both = fidelities(changed(two, **{PHASE_POWER: 1e-6}))
    np.testing.assert_allclose(both, 0.5 * single)


def test_what_is_not_known_is_no_number() -> None:
    """Of warps that do not say it, and of coadds without the column."""
    coadd = two_visits()
    assert np.isnan(fidelities(CellMeasurements(coadd))).all()
    names = [name for name in coadd.contributions.dtype.names or () if name != PHASE_POWER]
    older = coadd.replaced(contributions=coadd.contributions[names].copy())
    assert np.isnan(fidelities(CellMeasurements(older))).all()


def test_the_spread_of_sizes() -> None:
    """Sizes are 4.5 and 8 px^2: the mean is 7.125, and the scatter 1.516."""
    found = size_spreads(CellMeasurements(two_visits()))
    np.testing.assert_allclose(found, 3.5 * np.sqrt(3.0) / 4.0 / 7.125, rtol=2e-3)
    alone = size_spreads(CellMeasurements(make_coadd(make_warp(PATCH, visit=1))))
    np.testing.assert_allclose(alone, 0.0, atol=1e-7)


def test_an_input_that_ends_in_a_cell_makes_a_step() -> None:
    """With the first input (a quarter of the weight) the size is 7.125, without it 8."""
    coadd = two_visits()
    assert not edge_changes(CellMeasurements(coadd)).any()
    first = coadd.contributions["input"] == 0
    cells = changed(coadd, overlap_fraction=np.where(first, 0.7, 1.0))
    np.testing.assert_allclose(edge_changes(cells), (8.0 - 7.125) / 7.125, rtol=2e-3)
    alone = make_coadd(make_warp(PATCH, visit=1))
    assert not edge_changes(changed(alone, overlap_fraction=0.7)).any()


def test_the_width_changes_as_the_inputs_do() -> None:
    """Sizes grow by 0.2 px^2 from column to column and fall by 0.1 from row to row, out of 8."""
    coadd = make_coadd(make_warp(PATCH, visit=1))
    rows = coadd.contributions
    x, y = rows["cell_x"] - rows["cell_x"].min(), rows["cell_y"] - rows["cell_y"].min()
    size = 8.0 + 0.2 * x - 0.1 * y
    cells = changed(coadd, psf_shape_xx=0.5 * size, psf_shape_yy=0.5 * size)
    assert len(cells) > 3
    # Half a cell in each direction, and half of the change for the square root.
    expected = 0.5 * 0.5 * (0.2 + 0.1) / size[cells.accepted["reason"] == 0]
    np.testing.assert_allclose(size_changes(cells), expected, rtol=1e-9)


def test_the_change_of_an_input_in_one_cell_is_not_known() -> None:
    coadd = make_coadd(make_warp(PATCH, visit=1))
    one = coadd.subset([next(iter(coadd.cells))])
    assert np.isnan(size_changes(CellMeasurements(one))).all()


def test_stars_near_missing_inputs() -> None:
    """One column of a visit is bad: stars within a FWHM of it, on both sides, lack it in part."""
    bbox = PATCH.outer_bbox
    bad = np.zeros(tuple(bbox.shape), np.bool_)
    bad[:, bbox.x.size // 2] = True
    coadd = make_coadd(make_warp(PATCH, visit=1), make_warp(PATCH, visit=2, flags={"BAD": bad}))
    cells = CellMeasurements(coadd)
    fractions = edge_fractions(cells)
    assert fractions.min() == 0.0
    side = coadd.grid.inner_cell_shape.x
    reach = int(np.ceil(float(cells.psf_shapes.fwhm[0])))
    assert fractions.sum() * side == pytest.approx(
        (2 * reach + 1) * np.ceil(bbox.y.size / side), rel=0.4
    )
