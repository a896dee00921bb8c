"""The measurement that real and simulated stars are compared with."""

from __future__ import annotations

import numpy as np
import pytest
from lsst.images import Box, Image, Mask, MaskedImage

from cellcoadd.masks.planes import bits_of, mask_schema, plane_array
from cellcoadd.validation.physics.star_fits import fit_star

BOX = Box.factory[100:141, -20:31]


def gaussian(*, x: float, y: float, sigma: float = 2.0) -> Image:
    """A round star of unit flux on the pixels around it."""
    column, row = round(x), round(y)
    box = Box.factory[row - 14 : row + 15, column - 14 : column + 15]
    u, v = np.meshgrid(box.x.arange - x, box.y.arange - y)
    pixels = np.exp(-0.5 * (u * u + v * v) / sigma**2) / (2 * np.pi * sigma**2)
    return Image(pixels, bbox=box)


def sky_with_star(
    *, flux: float, sky: float, x: float, y: float, sigma: float = 2.0
) -> MaskedImage:
    image = Image(np.full(tuple(BOX.shape), sky), bbox=BOX)
    star = gaussian(x=x, y=y, sigma=sigma)
    place = star.bbox.slice_within(BOX)
    image.array[place.y, place.x] += flux * star.array
    return MaskedImage(
        image,
        mask=Mask(0, schema=mask_schema(), bbox=BOX),
        variance=Image(np.full(tuple(BOX.shape), 4.0), bbox=BOX),
    )


def test_a_star_without_noise_is_recovered() -> None:
    """Flux, sky and position from a first guess half a pixel off, in an image with an origin."""
    planes = sky_with_star(flux=5e4, sky=-3.0, x=4.3, y=119.8)
    fit = fit_star(planes, gaussian, x=4.8, y=119.4, half_size=9)
    assert (fit.x, fit.y) == pytest.approx((4.3, 119.8), abs=1e-5)
    assert fit.flux == pytest.approx(5e4, rel=1e-6)
    assert fit.sky == pytest.approx(-3.0, abs=1e-3)
    assert fit.reduced_chi2 < 1e-6
    assert fit.size_ratio == pytest.approx(1.0, abs=1e-6)
    assert fit.ellipticity_difference == pytest.approx(0.0, abs=1e-6)


def test_a_star_of_another_size_is_told_from_the_psf() -> None:
    """A Gaussian 5 % wider is measured 4.5 % wider, the fitted sky taking some of its wings."""
    planes = sky_with_star(flux=5e4, sky=0.0, x=4.0, y=120.0, sigma=2.1)
    fit = fit_star(planes, gaussian, x=4.0, y=120.0, half_size=12)
    assert 1.04 < fit.size_ratio < 1.05
    assert fit.reduced_chi2 > 10


def test_flagged_pixels_are_not_fitted() -> None:
    """A cosmic ray on the star changes nothing once it is flagged, and much before."""
    planes = sky_with_star(flux=5e4, sky=0.0, x=4.0, y=120.0)
    planes.image.array[21, 25] += 1e5
    spoiled = fit_star(planes, gaussian, x=4.0, y=120.0, half_size=9)
    assert abs(spoiled.flux / 5e4 - 1) > 0.1
    plane_array(planes.mask)[21, 25] = bits_of(planes.mask.schema, ["CR"])
    fit = fit_star(planes, gaussian, x=4.0, y=120.0, half_size=9)
    assert fit.flux == pytest.approx(5e4, rel=1e-6)
    assert (~fit.used).sum() == 1


def test_a_star_at_the_edge_is_refused() -> None:
    """Part of a stamp would be a measurement of something else."""
    planes = sky_with_star(flux=5e4, sky=0.0, x=4.0, y=120.0)
    with pytest.raises(ValueError, match="not within the image"):
        fit_star(planes, gaussian, x=-15.0, y=120.0, half_size=9)
