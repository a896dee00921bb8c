"""Rounding and compression of noisy planes, as astropy undoes them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from lsst.images.fits import PrecompressedImage

from cellcoadd.files.rounded_planes import STEPS, pixel_deviation, rounded


def by_astropy(stored: PrecompressedImage) -> npt.NDArray[Any]:
    """What astropy reads of a stored stack."""
    file = io.BytesIO()
    table = fits.BinTableHDU(stored.data, stored.header)
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(file)
    file.seek(0)
    with fits.open(file) as hdus:
        return np.array(hdus[1].data)


def noise(shape: tuple[int, ...], sigma: float) -> npt.NDArray[np.float32]:
    return np.random.default_rng(5).normal(0.0, sigma, shape).astype(np.float32)


@pytest.mark.parametrize("sigma", [1e-3, 1.0, 1e4])
def test_no_value_is_off_by_more_than_half_a_step(sigma: float) -> None:
    """A step is a fraction of the noise from pixel to pixel, whatever the sky below it does."""
    sky = np.linspace(0.0, 300.0 * sigma, 60, dtype=np.float32)
    plane = noise((5, 50, 60), sigma) + sky
    read = by_astropy(rounded(plane))
    for entry, found in zip(plane, read, strict=True):
        step = pixel_deviation(entry) / STEPS
        np.testing.assert_allclose(step * STEPS, sigma, rtol=0.15)
        # Reading rounds to single precision once more.
        assert np.abs(found - entry).max() <= 0.5 * step + np.spacing(np.abs(entry).max())
        assert np.abs(found - entry).max() > 0.4 * step


def test_what_cannot_be_rounded_is_kept_to_the_bit() -> None:
    """Entries with values that are not finite or huge, and those without noise."""
    plane = noise((5, 20, 20), 3.0)
    plane[0, 3, 4] = np.nan
    plane[1, 5] = np.inf
    plane[2] = 7.25
    plane[3, 0, 0] = 1e30
    read = by_astropy(rounded(plane))
    np.testing.assert_array_equal(read[:4], plane[:4])
    assert (read[4] != plane[4]).any()


def test_zero_stays_zero() -> None:
    """And so do equal pixels: there is no dither."""
    plane = noise((1, 20, 20), 3.0)
    plane[0, :, 3] = 0.0
    plane[0, 5, 5] = plane[0, 9, 9]
    read = by_astropy(rounded(plane))
    np.testing.assert_array_equal(read[0, :, 3], 0.0)
    assert read[0, 5, 5] == read[0, 9, 9]
