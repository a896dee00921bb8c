"""Coadds of simulated surveys beside the truth that was drawn."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.recipes import coadd_images
from cellcoadd.simulate import (
    Camera,
    SkySettings,
    SurveyPlan,
    VisitPlan,
    survey_plan,
)
from cellcoadd.skymap import Patch, named_sky_map
from cellcoadd.testing.same_cells import assert_same_cell, shared_cells
from cellcoadd.validation.physics.sources import images_of, physics_patch
from cellcoadd.validation.physics.star_shapes import StarErrors, measure_stars
from cellcoadd.warping.settings import WarpSettings

NOISE = 2


@pytest.fixture(scope="session")
def patch() -> Patch:
    """The patch that the simulated surveys are made for."""
    return physics_patch()


def worst_of(errors: StarErrors) -> dict[str, float]:
    """The largest deviation of each quantity."""
    return {
        field.name: float(np.abs(getattr(errors, field.name)).max())
        for field in dataclasses.fields(errors)
    }


def visit(number: int, *, rotation: float, seeing: float, **changes: object) -> VisitPlan:
    return VisitPlan(
        visit=number, sequence=number, rotation=rotation, seeing=seeing,
        dither_east=3.1 * number, dither_north=-2.3 * number, sky_sigma=20.0 + number, **changes,  # type: ignore[arg-type]
    )  # fmt: skip


VISITS = (
    visit(1, rotation=0.0, seeing=0.60),
    visit(2, rotation=90.0, seeing=0.70, psf="moffat", psf_g1=0.03, psf_g2=-0.02),
    visit(3, rotation=10.0, seeing=0.65, psf="moffat", psf_beta=3.0),
    visit(4, rotation=37.0, seeing=0.75),
)


@pytest.fixture(scope="session")
def star_plan() -> SurveyPlan:
    """Stars without noise, seen by one large detector in four orientations."""
    return survey_plan(
        "tests", noise=False, artifacts=None, visits=VISITS,
        camera=Camera(columns=1, rows=1, width=900, height=840),
        sky=SkySettings(
            stars_per_arcmin2=8.0, galaxies_per_arcmin2=0.0, star_magnitudes=(18.0, 20.0)
        ),
    )  # fmt: skip


@pytest.fixture(scope="session")
def star_images(star_plan: SurveyPlan) -> list[CalibratedImage]:
    return images_of(star_plan)


def test_a_star_has_the_psf_of_the_coadd(
    star_plan: SurveyPlan, star_images: list[CalibratedImage], patch: Patch
) -> None:
    """Flux to 1e-3, sigma to 0.002 px, centroid to 1 mas, at every place in a cell.

    What remains is Lanczos-3: it changes a star by where it lies between two pixels, and a cell's
    PSF is drawn at the cell's centre.
    """
    coadd = coadd_images(star_images, patch)
    assert coadd is not None
    assert {cell.visit_count for cell in coadd.cells.values()} >= {3, 4}
    stars = measure_stars(coadd, star_plan.truth)
    assert stars.count >= 12
    worst = worst_of(stars)
    assert worst["flux"] < 1e-3
    assert worst["sigma"] < 2e-3
    assert worst["from_psf"] < 1.0
    assert worst["from_sky"] < 1.0


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_star_has_the_psf_of_a_single_visit(
    star_plan: SurveyPlan, star_images: list[CalibratedImage], patch: Patch, number: int
) -> None:
    """Turned by right angles, a visit has all stars between the pixels alike, and it is exact.

    At another angle the phases differ from star to star and do not average.
    """
    coadd = coadd_images(
        [image for image in star_images if image.observation.visit == number], patch
    )
    assert coadd is not None
    worst = worst_of(measure_stars(coadd, star_plan.truth))
    turned = star_plan.visit(number).rotation % 90 != 0
    assert worst["flux"] < (2e-3 if turned else 1e-4)
    assert worst["sigma"] < (4e-3 if turned else 3e-4)
    assert worst["from_psf"] < (2.0 if turned else 0.1)


@pytest.fixture(scope="session")
def overlap_images() -> list[CalibratedImage]:
    """A survey with everything; its left detectors cover cells that two patches share.

    Those are the cells between the columns 20850 and 21150 of the tract.
    """
    tract = named_sky_map("hsc_rings_cells_v1")[9813]
    sky = tract.sky_projection.pixel_to_sky(x=21240.0, y=15950.0)
    return images_of(survey_plan("tests", ra=sky.ra.deg, dec=sky.dec.deg))


SETTINGS = (
    WarpSettings(number_of_noise_realizations=NOISE, do_pre_warp_interpolation=True),
    CoaddSettings(num_noise_realizations=NOISE),
)


def coadd_with_noise(images: list[CalibratedImage], patch: Patch) -> MultipleCellCoadd:
    coadd = coadd_images(images, patch, warp_settings=SETTINGS[0], coadd_settings=SETTINGS[1])
    assert coadd is not None
    return coadd


def test_the_same_cell_comes_out_of_two_patches(
    overlap_images: list[CalibratedImage], patch: Patch
) -> None:
    """Bit for bit, noise and record included, in a real tract and far from its middle."""
    other = named_sky_map("hsc_rings_cells_v1")[9813].patch(62)
    here, there = (coadd_with_noise(overlap_images, each) for each in (patch, other))
    pairs = shared_cells(here, there)
    assert sum(index in here.cells for index, _ in pairs) >= 6
    for index, twin in pairs:
        assert_same_cell(here, index, there, twin)


def test_noise_realizations_are_the_noise_of_the_coadd(patch: Patch) -> None:
    """The same variance and the same correlation between neighbours as an empty sky shows.

    A cell has 62500 pixels, a third of them independent: 1 % on a standard deviation; 4 sigma.
    """
    plan = survey_plan("tests", artifacts=None, sky=None)
    coadd = coadd_with_noise(images_of(plan), patch)
    for cell in coadd.cells.values():
        outer = cell.outer
        sky = outer.image.array.astype(np.float64)
        for noise in outer.noise_realizations:
            drawn = noise.array.astype(np.float64)
            assert drawn.std() / sky.std() == pytest.approx(1.0, abs=0.04)
            for a in (sky, drawn):
                assert abs(a.mean()) < 5 * a.std() / 100
            lag = [float((a[:, 1:] * a[:, :-1]).mean() / a.var()) for a in (sky, drawn)]
            assert lag[0] == pytest.approx(lag[1], abs=0.03)
        # Resampling makes neighbours alike, so a pixel has less noise than it is said to have ...
        assert sky.var() < 1.05 * float(np.median(outer.variance.array))
