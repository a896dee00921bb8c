"""By how much correlated noise makes the errors of fluxes larger."""

from __future__ import annotations

import math
from collections.abc import Mapping

import astropy.units as u
import numpy as np
import numpy.typing as npt
import pytest
from lsst.images import Box, Image, MaskedImage
from scipy.ndimage import convolve

from cellcoadd.analysis.noise_factor import measured_noise_factor, noise_factor
from cellcoadd.cell_grid import Index2D
from cellcoadd.coaddition.assemble import VisitOnPatch
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_coadd.cell import SingleCellCoadd
from cellcoadd.testing.images import make_coadd, make_warp, small_patch

INDEX = Index2D(x=2, y=2)
SMOOTH = np.array([[0.0, 1.0, 0.0], [1.0, 4.0, 1.0], [0.0, 1.0, 0.0]]) / math.sqrt(20.0)
"""Turns independent noise of variance 1 into noise of variance 1 that neighbours have in common."""


def centred(rows: npt.ArrayLike) -> Image:
    plane = np.asarray(rows, np.float64)
    half = plane.shape[0] // 2
    return Image(plane, bbox=Box.factory[-half : half + 1, -half : half + 1])


def test_two_pixels_by_hand() -> None:
    """P is 1 in two neighbours, C is 1/2 there: (1 + 1 + 2/2) of 1 + 1."""
    psf = centred([[0, 0, 0], [0, 1, 1], [0, 0, 0]])
    covariance = centred([[0, 0.2, 0], [0.5, 1, 0.5], [0, 0.2, 0]])
    assert noise_factor(psf, covariance) == pytest.approx(1.5, rel=1e-12)


@pytest.mark.parametrize("size", [1, 3, 9])
def test_independent_pixels_need_no_factor(size: int) -> None:
    """Whatever the stamps' sizes are."""
    covariance = np.zeros((size, size))
    covariance[size // 2, size // 2] = 7.0
    psf = np.outer([1, 2, 4, 3, 0], [0, 1, 5, 1, 1])
    assert noise_factor(centred(psf), centred(covariance)) == pytest.approx(1.0, rel=1e-12)


def with_noise(
    *planes: npt.NDArray[np.float64], flags: Mapping[str, npt.NDArray[np.bool_]] | None = None
) -> MultipleCellCoadd:
    """A coadd of one warp with noise realizations that are given."""
    warp = make_warp(small_patch(), flags=flags, psf_sigma=1.2)
    noise = [
        MaskedImage(
            Image(np.asarray(plane, np.float32), bbox=warp.bbox, unit=u.nJy),
            mask=warp.mask,
            variance=warp.variance,
            sky_projection=warp.sky_projection,
        )
        for plane in planes
    ]
    return make_coadd(
        VisitOnPatch(warp=warp, noise=noise), num_noise_realizations=len(noise), psf_dimensions=9
    )


def drawn(seed: int) -> npt.NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal(tuple(small_patch().outer_bbox.shape))


def mean_over_cells(coadd: MultipleCellCoadd) -> tuple[float, float]:
    values = [measured_noise_factor(cell) for cell in coadd.cells.values()]
    return float(np.mean(values)), float(np.std(values) / math.sqrt(len(values)))


def test_realizations_of_independent_noise_show_no_factor() -> None:
    """25 cells of 20 pixels and three realizations leave 3 per cent; 4 standard errors."""
    found, error = mean_over_cells(with_noise(drawn(1), drawn(2), drawn(3)))
    assert error < 0.03
    assert abs(found - 1.0) < 4.0 * error


def test_realizations_of_smoothed_noise_show_the_factor_of_their_covariance() -> None:
    """The covariance of smoothed noise is the smoothing kernel folded with itself."""
    smoothed = [convolve(drawn(seed), SMOOTH, mode="wrap") for seed in (1, 2, 3)]
    coadd = with_noise(*smoothed)
    padded = np.pad(SMOOTH, 2)
    covariance = convolve(padded, SMOOTH, mode="constant")
    expected = noise_factor(coadd.cells[INDEX].psf_image, centred(covariance[1:-1, 1:-1]))
    assert expected > 1.5
    found, error = mean_over_cells(coadd)
    assert error < 0.1
    assert abs(found - expected) < 4.0 * error


def test_pixels_that_are_left_out_do_not_count() -> None:
    """They have another noise than the cell, or none."""
    bad = np.zeros(tuple(small_patch().outer_bbox.shape), np.bool_)
    bad[50:53, 40:70] = True
    plain = with_noise(drawn(4))
    flagged = with_noise(drawn(4), flags={"SAT": bad})
    spoilt = with_noise(np.where(bad, 1e6, drawn(4)), flags={"SAT": bad})
    values = [measured_noise_factor(coadd.cells[INDEX]) for coadd in (plain, flagged, spoilt)]
    assert values[1] == values[2]
    assert values[0] != values[1]
    assert values[1] == pytest.approx(values[0], rel=0.3)


def test_without_realizations_nothing_is_measured() -> None:
    """Nor where no place of the cell has its exact function."""
    assert math.isnan(measured_noise_factor(make_coadd(make_warp(small_patch())).cells[INDEX]))
    everywhere = np.ones(tuple(small_patch().outer_bbox.shape), np.bool_)
    coadd = with_noise(drawn(5), flags={"SAT": everywhere})
    assert math.isnan(measured_noise_factor(coadd.cells[INDEX]))


def test_nothing_is_measured_where_the_stamp_is_larger_than_the_cell() -> None:
    """A flux would be cut off; cells of 20 + 2 * 6 pixels have room for 31."""
    warp = make_warp(small_patch(), psf_sigma=1.2)
    noise = MaskedImage(
        Image(drawn(6).astype(np.float32), bbox=warp.bbox, unit=u.nJy), mask=warp.mask,
        variance=warp.variance, sky_projection=warp.sky_projection,
    )  # fmt: skip
    visit = VisitOnPatch(warp=warp, noise=[noise])
    fits, too_large = (
        make_coadd(visit, num_noise_realizations=1, psf_dimensions=size) for size in (31, 33)
    )
    assert math.isfinite(measured_noise_factor(fits.cells[INDEX]))
    assert math.isnan(measured_noise_factor(too_large.cells[INDEX]))


def test_the_covariance_has_the_variance_of_the_pixels_not_the_stated_one() -> None:
    """Weights are made of the stated variance 6; the pixels have 4, and on a source 400."""
    variance = np.full(tuple(small_patch().outer_bbox.shape), 4.0)
    variance[50:60, 50:60] = 400.0
    warp = make_warp(small_patch(), variance=variance, mean_variances=[6.0])
    for cell in make_coadd(warp).cells.values():
        assert cell.noise_covariance.array[17, 17] == pytest.approx(4.0, rel=1e-6)


def test_left_out_pixels_do_not_count_for_the_covariance() -> None:
    """Of the cell in the middle half the pixels are saturated, with another variance."""
    shape = tuple(small_patch().outer_bbox.shape)
    saturated = np.zeros(shape, np.bool_)
    saturated[:56] = True
    variance = np.where(saturated, 3.0, 5.0)
    warp = make_warp(small_patch(), variance=variance, flags={"SAT": saturated})
    cell = make_coadd(warp, max_maskfrac=0.9).cells[INDEX]
    assert cell.noise_covariance.array[17, 17] == pytest.approx(5.0, rel=1e-6)


def test_without_a_good_pixel_all_count_for_the_covariance() -> None:
    """The cell holds the input's PSF, and its covariance likewise."""
    everywhere = np.ones(tuple(small_patch().outer_bbox.shape), np.bool_)
    warp = make_warp(small_patch(), variance=4.0, flags={"SAT": everywhere}, mean_variances=[6.0])
    cell = make_coadd(warp).cells[INDEX]
    assert cell.noise_covariance.array[17, 17] == pytest.approx(4.0, rel=1e-6)


def test_without_any_variance_the_stated_one_is_taken() -> None:
    """Nothing else is known."""
    everywhere = np.ones(tuple(small_patch().outer_bbox.shape), np.bool_)
    warp = make_warp(
        small_patch(), variance=np.nan, flags={"BAD": everywhere}, mean_variances=[6.0]
    )
    cell = make_coadd(warp).cells[INDEX]
    assert cell.noise_covariance.array[17, 17] == pytest.approx(6.0, rel=1e-6)


def test_the_factor_of_a_coadd_is_that_of_its_inputs_noise() -> None:
    """The covariances add up with the squared weights: two inputs of weights 1 and 1/3.

    Variances are 1 and 3, so both inputs give the same to the sum: (1 + 1/3) / (4/3)^2 = 3/4.
    """
    coadd = make_coadd(
        make_warp(small_patch(), visit=1, mean_variances=[1.0]),
        make_warp(small_patch(), visit=2, variance=3.0, mean_variances=[3.0]),
    )
    cell: SingleCellCoadd = coadd.cells[INDEX]
    covariance = cell.noise_covariance
    assert covariance.unit == cell.outer.variance.unit
    expected = np.zeros((35, 35))
    expected[17, 17] = 0.75
    np.testing.assert_allclose(covariance.array, expected, rtol=1e-6)
    assert noise_factor(cell.psf_image, covariance) == pytest.approx(1.0, rel=1e-6)
