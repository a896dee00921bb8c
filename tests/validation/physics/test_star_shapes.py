"""The measurement of stars sees what it is meant to see: planted errors of known size."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from astropy.table import Table
from lsst.images import XY
from lsst.images.psfs import GaussianPointSpreadFunction

from cellcoadd.conventions import FWHM_PER_SIGMA
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.recipes import coadd_images
from cellcoadd.simulate import Camera, VisitPlan
from cellcoadd.validation.physics.sources import (
    ARCSEC_PER_PIXEL,
    MIDDLE,
    images_of,
    near_grid,
    physics_patch,
    physics_plan,
    stars_at,
)
from cellcoadd.validation.physics.star_shapes import measure_stars


def stars(*, shift: float = 0.0, factor: float = 1.0) -> Table:
    """Nine stars, moved and made brighter."""
    grid = near_grid(np.random.default_rng(3), half_count=1, spacing=50.0, jitter=2.0)
    return stars_at(XY(x=grid.x + shift, y=grid.y), flux=1e5 * factor)


def observed(*, stated_seeing: float | None = None) -> MultipleCellCoadd:
    """One visit of seeing 0.7 arcsec, aligned with the tract; its files may state another."""
    camera = Camera(columns=1, rows=1, width=600, height=600)
    plan = physics_plan((VisitPlan(visit=1, seeing=0.7),), camera=camera, sources=stars())
    images = images_of(plan)
    if stated_seeing is not None:
        sigma = stated_seeing / ARCSEC_PER_PIXEL / FWHM_PER_SIGMA
        psf = GaussianPointSpreadFunction(sigma, bounds=images[0].bbox, stamp_size=41)
        images = [dataclasses.replace(image, psf=psf) for image in images]
    made = coadd_images(images, physics_patch())
    assert made is not None
    return made


@pytest.fixture(scope="module")
def coadd() -> MultipleCellCoadd:
    """What is stated is right."""
    return observed()


def test_a_wrong_size_is_seen() -> None:
    """The difference of the two Gaussians' sigmas, which HSM measures to 1e-3 on whole pixels.

    A star that is narrower than the PSF that it is fitted with, s against S, comes out with the
    flux 2 S^2 / (s^2 + S^2): both are normalized Gaussians.
    """
    errors = measure_stars(observed(stated_seeing=0.707), stars())
    expected = -0.007 / ARCSEC_PER_PIXEL / FWHM_PER_SIGMA
    np.testing.assert_allclose(errors.sigma, expected, rtol=0.02)
    np.testing.assert_allclose(errors.flux, 2 / (1 + 1.01**-2) - 1, rtol=0.02)


def test_a_wrong_flux_is_seen(coadd: MultipleCellCoadd) -> None:
    """Stars that were to be 1 % brighter are 1/101 too faint."""
    errors = measure_stars(coadd, stars(factor=1.01))
    assert errors.count == 9
    np.testing.assert_allclose(errors.flux, 1 / 1.01 - 1, rtol=0, atol=1e-4)


def test_a_wrong_place_is_seen(coadd: MultipleCellCoadd) -> None:
    """A twentieth of a pixel of 168 mas, from the PSF's centroid and on the sky; 2 mas for both.

    A single visit's stars are up to 1.9 mas off.
    """
    errors = measure_stars(coadd, stars(shift=0.05))
    np.testing.assert_allclose(errors.from_psf, 8.4, rtol=0, atol=2.0)
    np.testing.assert_allclose(errors.from_sky, 8.4, rtol=0, atol=2.0)


def test_neighbours_are_left_out(coadd: MultipleCellCoadd) -> None:
    """The light of one would be measured with the other."""
    truth = stars()
    near = truth[:1].copy()
    near["dec"] -= 40 * 0.168 / 3600
    truth.add_row(near[0])
    assert measure_stars(coadd, truth).count == 8


def test_stars_outside_of_the_coadd_are_left_out(coadd: MultipleCellCoadd) -> None:
    """No cell has a PSF there."""
    outside = stars_at(XY(x=np.array([MIDDLE.x + 900.0]), y=np.array([MIDDLE.y])))
    assert measure_stars(coadd, outside).count == 0
