"""The estimator of shear on images that GalSim draws: neither simulated exposures nor coadds."""

from __future__ import annotations

import cmath
import math

import galsim
import numpy as np
import pytest

from cellcoadd.validation.physics.metacalibration import (
    KNOWN_SHEAR,
    PairShear,
    Reconvolved,
    measure_pair,
)

SQUARE = np.array([[0.168, 0.0], [0.0, 0.168]])
ANGLE = math.radians(25.0)
TURNED = 0.168 * np.array(
    [[math.cos(ANGLE), -math.sin(ANGLE)], [-math.sin(ANGLE), -math.cos(ANGLE)]]
) @ np.array([[1.0, 0.004], [0.004, 1.0]])  # fmt: skip
"""Mirrored, turned and distorted pixels."""
GAUSSIAN = galsim.Gaussian(fwhm=0.7)
MOFFAT = galsim.Moffat(beta=3.5, fwhm=0.65).shear(g1=0.03, g2=-0.02)
DISC = galsim.Exponential(half_light_radius=0.4)
STEEP = galsim.Sersic(2.5, half_light_radius=0.4)


def drawn(
    profile: galsim.GSObject, jacobian: np.ndarray, *, size: int, x: float = 0.0, y: float = 0.0
) -> np.ndarray:
    """A profile of lengths in arcseconds, sampled at the centres of pixels."""
    (dudx, dudy), (dvdx, dvdy) = jacobian
    image = galsim.ImageD(size, size, scale=1.0)
    in_pixels = galsim.JacobianWCS(dudx, dudy, dvdx, dvdy).toImage(profile)
    in_pixels.drawImage(image, method="no_pixel", offset=(x, y))
    return np.array(image.array)


def pair(
    galaxy: galsim.GSObject,
    *,
    shear: complex,
    shape: complex = 0.25 - 0.15j,
    psf: galsim.GSObject = MOFFAT,
    stated_psf: galsim.GSObject | None = None,
    jacobian: np.ndarray = SQUARE,
) -> PairShear:
    """Measure two galaxies, rotated against each other, that lie differently between the pixels."""
    kernel = drawn(stated_psf or psf, jacobian, size=41)
    galaxies = []
    for sign, x, y in ((1, 0.3, -0.45), (-1, -0.1, 0.2)):
        sheared = galaxy.shear(g1=sign * shape.real, g2=sign * shape.imag)
        sheared = sheared.shear(g1=shear.real, g2=shear.imag)
        stamp = drawn(galsim.Convolve(sheared, psf), jacobian, size=69, x=x, y=y)
        galaxies.append(Reconvolved(stamp, kernel / kernel.sum(), jacobian))
    return measure_pair(*galaxies)


@pytest.mark.parametrize("jacobian", [SQUARE, TURNED], ids=["square", "turned"])
@pytest.mark.parametrize("galaxy", [DISC, STEEP], ids=["disc", "steep"])
def test_the_shear_of_a_pair_is_found(galaxy: galsim.GSObject, jacobian: np.ndarray) -> None:
    """Exact in principle; what the PSF's stamp cuts off, 3e-4 of its light, leaves 1e-5 of it."""
    for shear in (0.02 + 0j, -0.012 + 0.016j):
        found = pair(galaxy, shear=shear, jacobian=jacobian).nulling
        assert abs(found - shear) < 1e-5 * abs(shear)


def test_an_elliptical_psf_leaves_no_shear() -> None:
    """Without shear there is none, though the PSF's own is 0.036."""
    assert abs(pair(DISC, shear=0j).nulling) < 1e-7


def test_the_first_order_is_off_by_the_third() -> None:
    """By m = g^2 (1 - 2 b) - b h^2 where e = R (g + b g^3) and the response is out of steps h.

    The response is the derivative by a shear that is put on top of g, which gives (g + h)/(1 + g h)
    or g + h (1 - g^2) + ..., hence the 1. With the b that 0.02 shows, 0.04 must follow but for the
    fifth order: g^2 = 0.0016 times a number of order 10.
    """
    m = [
        pair(DISC, shear=shear + 0j, psf=GAUSSIAN).first_order.real / shear - 1
        for shear in (0.02, 0.04)
    ]
    assert 1e-4 < m[0] < 1e-3
    b = (0.02**2 - m[0]) / (2 * 0.02**2 + KNOWN_SHEAR**2)
    expected = 0.04**2 * (1 - 2 * b) - b * KNOWN_SHEAR**2
    assert m[1] == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("error", [-0.02, 0.01])
def test_a_wrong_psf_biases_the_shear_as_gaussians_say(error: float) -> None:
    """Between Gaussians, a PSF that is stated too wide makes galaxies too small and too elliptical.

    Deconvolution subtracts second moments: of a round galaxy of s^2, sheared by g, it leaves
    s^2 (1 + g^2)/(1 - g^2) + d on average and 2 s^2 g/(1 - g^2) as half the difference of the
    axes, d being what the PSF's s^2 is stated too small. Their ratio is 2 g'/(1 + g'^2) of the
    shear g' that is found.
    """
    size, shear = 0.35, 0.02
    psf = GAUSSIAN.sigma
    found = pair(
        galsim.Gaussian(sigma=size),
        shape=0j,
        shear=cmath.rect(shear, 0.7),
        psf=GAUSSIAN,
        stated_psf=galsim.Gaussian(sigma=psf * (1 + error)),
    ).nulling
    left = psf**2 - (psf * (1 + error)) ** 2
    across = 2 * size**2 * shear / (1 - shear**2)
    mean = size**2 * (1 + shear**2) / (1 - shear**2) + left
    chi = across / mean
    expected = chi / (1 + math.sqrt(1 - chi**2))
    assert abs(expected / shear - 1) > 0.01
    assert found == pytest.approx(cmath.rect(expected, 0.7), abs=1e-6)
