"""Cells of one PSF: stars have it, and noise is what is said of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cellcoadd.coaddition.matched_psf import match_psfs
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.conventions import FWHM_PER_SIGMA
from cellcoadd.kernels.moments import adaptive_moments
from cellcoadd.masks.planes import bits_of
from cellcoadd.products.cell_coadd.stack import CellStack
from cellcoadd.recipes import coadd_images
from cellcoadd.testing.images import make_coadd, make_warp, small_patch
from cellcoadd.validation.physics.sources import ARCSEC_PER_PIXEL, images_of, physics_patch
from cellcoadd.validation.physics.star_cases import STAR_CASES
from cellcoadd.validation.physics.star_shapes import measure_stars

PATCH = small_patch()
BORDER = PATCH.grid.border


def cells(*, side: int = 160, count: int = 2, sigma: float = 1.5, seed: int = 5) -> CellStack:
    """White noise of variance 4 and a PSF of 2.9 to 3.2 pixels; realizations are more of it."""
    stack = make_coadd(make_warp(PATCH, psf_sigma=sigma)).stack
    rng = np.random.default_rng(seed)
    shape = (count, side, side)
    covariance = np.zeros((count, 35, 35), np.float32)
    covariance[:, 17, 17] = 4.0
    return dataclasses.replace(
        stack,
        indices=stack.indices[:count],
        image=rng.normal(0.0, 2.0, shape).astype(np.float32),
        variance=np.full(shape, 4.0, np.float32),
        mask=np.zeros(shape, np.int32),
        mask_fractions={},
        noise=rng.normal(0.0, 2.0, (2, *shape)).astype(np.float32),
        psf=stack.psf[:count],
        noise_covariance=covariance,
        aperture_corrections={"a": np.ones(count)},
    )


@pytest.mark.parametrize("name", ['Moffats of 0.5" to 0.9"', "a visit turned by 37 deg"])
def test_stars_of_all_cells_have_the_psf_that_was_asked_for(name: str) -> None:
    """Flux within 1e-3 and sigma within 0.002 px of a Gaussian of 1.2 arcsec, cells alike."""
    case = next(case for case in STAR_CASES if case.name.startswith(name))
    plan = case.plan(np.random.default_rng(8))
    settings = CoaddSettings(matched_psf_fwhm=1.2)
    coadd = coadd_images(images_of(plan), physics_patch(), coadd_settings=settings)
    assert coadd is not None
    errors = measure_stars(coadd, plan.truth)
    assert errors.count > 50
    assert np.abs(errors.flux).max() < 1e-3
    assert np.abs(errors.sigma).max() < 0.002
    assert np.abs(errors.from_psf).max() < 1.0
    wanted = 1.2 / ARCSEC_PER_PIXEL / FWHM_PER_SIGMA
    for stamp in coadd.stack.psf:
        xx, yy, xy, _ = adaptive_moments(stamp)
        assert xx**0.5 == pytest.approx(wanted, abs=0.003)
        assert yy**0.5 == pytest.approx(wanted, abs=0.003)
        assert xy == pytest.approx(0.0, abs=0.01)
        assert stamp.sum() == pytest.approx(1.0, abs=2e-3)


def test_noise_is_what_the_variance_and_the_covariance_say() -> None:
    """Of pixels, and of the sums of blocks of them, which the covariance alone knows."""
    stack = match_psfs(cells(side=400), fwhm=5.0, border=30, source="test")
    inner = np.s_[..., 40:-40, 40:-40]
    said = float(stack.variance[inner].mean())
    for planes in (stack.image, *stack.noise):
        assert float(planes[inner].var()) == pytest.approx(said, rel=0.04)
    assert float(stack.noise_covariance[0, 17, 17]) == pytest.approx(said, rel=1e-3)
    blocks = stack.image[inner].reshape(2, 40, 8, 40, 8).sum(axis=(2, 4))
    offsets = np.arange(-7, 8)
    pairs = np.outer(8 - np.abs(offsets), 8 - np.abs(offsets))
    expected = float((stack.noise_covariance[0, 10:25, 10:25] * pairs).sum())
    assert float(blocks.var()) == pytest.approx(expected, rel=0.06)
    assert said < 1.0  # of 4: a broader PSF smooths


def test_flags_spread_and_holes_stay() -> None:
    """As far as the filter carries a tenth of its largest weight; what is NaN is NaN still."""
    before = cells()
    bit = bits_of(before.schema, ["SAT"])
    before.mask[0, 80, 80] = bit
    before.image[1, 50, 60] = np.nan
    after = match_psfs(before, fwhm=6.0, border=30, source="test")
    flagged = np.argwhere(after.mask[0] & bit)
    assert [80, 80] in flagged.tolist()
    assert 9 < len(flagged) < 200
    np.testing.assert_allclose(flagged.mean(axis=0), 80.0)
    assert not after.mask[1].any()
    assert np.isnan(after.image[1]).sum() == 1
    assert not after.aperture_corrections


def test_a_target_that_is_too_sharp_is_logged_and_the_psf_is_true(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Noise is bounded; the cell's PSF is what the convolution made, not what was wished."""
    before = cells(sigma=2.5)
    delta = np.zeros((2, 160, 160), np.float32)
    delta[0, 80 - 17 : 80 + 18, 80 - 17 : 80 + 18] = before.psf[0]
    after = match_psfs(
        dataclasses.replace(before, image=delta), fwhm=1.5, border=30, source="the coadd"
    )
    assert "the coadd: 2 of 2 cells do not reach a PSF of FWHM 1.50 px" in caplog.text
    star = after.image[0, 80 - 17 : 80 + 18, 80 - 17 : 80 + 18]
    np.testing.assert_allclose(star, after.psf[0], atol=2e-3 * after.psf[0].max())
    assert np.isfinite(after.noise).all()


def test_noise_that_is_not_known_is_taken_as_white_and_stays_unknown() -> None:
    before = cells()
    unknown = np.full_like(before.noise_covariance, np.nan)
    white = match_psfs(cells(), fwhm=5.0, border=30, source="test")
    after = match_psfs(
        dataclasses.replace(before, noise_covariance=unknown), fwhm=5.0, border=30, source="test"
    )
    assert np.isnan(after.noise_covariance).all()
    np.testing.assert_allclose(after.variance, white.variance, rtol=1e-3)
