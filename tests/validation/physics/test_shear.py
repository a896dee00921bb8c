"""The shear of coadds of simulated exposures."""

from __future__ import annotations

import cmath
from collections.abc import Callable

import numpy as np
from lsst.images import Image

from cellcoadd.cell_grid import Index2D
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.recipes import coadd_images
from cellcoadd.simulate import VisitPlan, simulate_survey
from cellcoadd.skymap import named_sky_map
from cellcoadd.surveys.rubin import calibrated_image_from_visit_image
from cellcoadd.validation.physics.galaxy_pairs import GalaxyPair, place_pairs
from cellcoadd.validation.physics.metacalibration import PairShear
from cellcoadd.validation.physics.pair_images import measure_coadd
from cellcoadd.validation.physics.shear import SHEARS, biases_of, measure
from cellcoadd.validation.physics.shear_survey import EXPOSURES, cells_in_the_middle, shear_plan


def test_a_coadd_keeps_the_shear() -> None:
    """|m| < 1e-3, |c| < 1e-4; before warping, a hundredth of that.

    The three exposures are turned by angles that leave no scatter from cell to cell, so that the
    limits hold without the allowance of two standard errors.
    """
    checks = measure(short=True)
    assert [check.quantity[:2] for check in checks] == ["m1", "m2", "c1", "c2"] * 2
    for check in checks:
        print(check)
        assert check.holds
        assert abs(check.deviation) < check.wanted
        assert 0 < check.error < 0.1 * check.wanted or "not warped" in check.case


def test_the_psf_of_one_exposure_does_not_do_for_the_coadd() -> None:
    """The table can fail: the PSF of the input with the best seeing biases the shear by a tenth.

    By the rule of Gaussians m is the error of the PSF's second moment, (1.64^2 - 1.81^2) pixels of
    0.168 arcsec squared, over that of galaxies of 0.25 to 0.6 arcsec, around 0.1 square arcsec.
    """
    patch = named_sky_map("hsc_rings_cells_v1")[9813].patch(61)
    pairs = place_pairs(patch, cells_in_the_middle(patch, 1), seed=3)

    def coadd_of(shear: complex, visits: tuple[VisitPlan, ...]) -> MultipleCellCoadd:
        plan = shear_plan(patch, pairs, shear=shear, visits=visits)
        images = [calibrated_image_from_visit_image(image) for image in simulate_survey(plan)]
        coadd = coadd_images(images, patch)
        assert coadd is not None
        return coadd

    best = coadd_of(0j, EXPOSURES[2:3]).psf
    coadds = [coadd_of(shear, EXPOSURES[:3]) for shear in (0.02 + 0j, -0.02 + 0j)]

    def m1(psf_of: Callable[[Index2D], Image] | None) -> float:
        plus, minus = (
            np.mean([one.nulling.real for one in measure_coadd(coadd, pairs, psf_of=psf_of)])
            for coadd in coadds
        )
        return float(plus - minus) / 0.04 - 1

    assert abs(m1(None)) < 1e-4
    assert -0.25 < m1(best.__getitem__) < -0.1


def test_biases_and_their_errors_are_those_of_a_mean_over_cells() -> None:
    """By hand: three pairs in two cells; m1 is 1 and 3 per cent on average in the two."""
    cells = (Index2D(x=0, y=0), Index2D(x=0, y=0), Index2D(x=1, y=0))
    patch = named_sky_map("hsc_rings_cells_v1")[9813].patch(61)
    one = place_pairs(patch, cells[:1], seed=1)[0]
    pairs = [
        GalaxyPair(
            cell=cell, places=one.places, sersic_index=1.0, half_light_radius=0.4, intrinsic=0.1j
        )
        for cell in cells
    ]
    m1, m2 = (0.005, 0.015, 0.03), (0.0, 0.0, -0.04)
    c = (1e-3 + 1e-4j, 3e-3 + 1e-4j, 6e-3 + 1e-4j)

    def shown(shear: complex, number: int) -> PairShear:
        true = complex((1 + m1[number]) * shear.real, (1 + m2[number]) * shear.imag)
        # The derivative is not looked at, and neither is what the first order shows.
        return PairShear(
            first_order=cmath.nan + 0j, nulling=true + c[number], response=np.full((2, 2), np.nan)
        )

    found = {shear: [shown(shear, number) for number in range(3)] for shear in SHEARS}
    biases = biases_of(pairs, found)
    assert (biases.cells, biases.pairs) == (2, 3)
    np.testing.assert_allclose(biases.m, [0.02, -0.02], rtol=1e-12)
    np.testing.assert_allclose(biases.m_error, [0.01, 0.02], rtol=1e-12)
    np.testing.assert_allclose(biases.c, [4e-3, 1e-4], rtol=1e-12)
    np.testing.assert_allclose(biases.c_error, [2e-3, 0.0], rtol=1e-12, atol=1e-18)
