"""What the convolution of a tile makes of stars and of noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from cellcoadd.comparison.psf_matching import REACH, match_tile
from cellcoadd.testing.static_fields import moffat

WHITE = np.ones((1, 1), np.float32)
OFFSET = np.arange(35) - 17


def psf(fwhm: float) -> np.ndarray:
    stamp = moffat(OFFSET[:, np.newaxis], OFFSET, fwhm)
    return np.asarray(stamp / stamp.sum(), np.float32)


@pytest.mark.parametrize("fwhm", [2.5, 4.0, 6.5])
def test_a_star_becomes_the_common_gaussian(fwhm: float) -> None:
    """Wherever it is between the pixels, within half a per cent of its peak."""
    y, x = np.indices((60 + 2 * REACH, 47 + 2 * REACH)) - REACH
    matched = match_tile(
        (1000.0 * moffat(y - 30.3, x - 21.6, fwhm)).astype(np.float32), psf(fwhm), WHITE, fwhm=7.7
    )
    assert matched is not None
    y, x = np.indices((60, 47))
    sigma = 7.7 / 2.354820045
    square = ((y - 30.3) ** 2 + (x - 21.6) ** 2) / sigma**2
    expected = 1000.0 / (2.0 * np.pi * sigma**2) * np.exp(-0.5 * square)
    assert matched.image.shape == (60, 47)
    assert np.abs(matched.image - expected).max() < 0.005 * expected.max()


def test_the_variance_of_a_pixel_is_what_its_covariance_leaves() -> None:
    """White noise, and noise that neighbours have in common."""
    rng = np.random.default_rng(4)
    kernel = np.array([[0.1, 0.2, 0.1], [0.2, 0.8, 0.2], [0.1, 0.2, 0.1]])
    covariance = signal.convolve2d(kernel, kernel[::-1, ::-1])
    for smooth, known in ((np.ones((1, 1)), WHITE), (kernel, covariance.astype(np.float32))):
        values, gain = [], np.nan
        for _ in range(30):
            noise = rng.normal(size=(100 + 2 * REACH, 100 + 2 * REACH))
            noise = signal.convolve2d(noise, smooth, mode="same")
            matched = match_tile(noise.astype(np.float32), psf(4.0), known, fwhm=7.7)
            assert matched is not None
            gain = matched.gain
            values.append(np.mean(matched.image.astype(np.float64) ** 2))
        stated = gain * float((smooth**2).sum())
        # Some 150 independent patches of noise in each of 30 images.
        assert np.mean(values) == pytest.approx(stated, rel=0.06)


def test_unknown_covariances_count_as_white_noise() -> None:
    """Warps of before the covariance was kept have NaN."""
    block = np.zeros((20 + 2 * REACH, 20 + 2 * REACH), np.float32)
    unknown = np.full((5, 5), np.nan, np.float32)
    gains = [match_tile(block, psf(4.0), one, fwhm=7.7) for one in (WHITE, unknown)]
    assert gains[0] is not None
    assert gains[1] is not None
    assert gains[0].gain == gains[1].gain


def test_a_psf_that_is_too_wide_is_refused() -> None:
    """To make it sharper would multiply the noise."""
    block = np.zeros((20 + 2 * REACH, 20 + 2 * REACH), np.float32)
    assert match_tile(block, psf(12.0), WHITE, fwhm=7.7) is None
    assert match_tile(block, psf(12.0), WHITE, fwhm=12.0) is not None


def test_zeros_around_stamps_change_no_bit() -> None:
    """Warps that are made in parts have stamps of other sizes."""
    rng = np.random.default_rng(5)
    block = rng.normal(size=(20 + 2 * REACH, 20 + 2 * REACH)).astype(np.float32)
    covariance = np.array([[0.0, 0.2, 0.0], [0.2, 1.0, 0.2], [0.0, 0.2, 0.0]], np.float32)
    made = [
        match_tile(block, np.pad(psf(4.0), by), np.pad(covariance, by), fwhm=7.7)
        for by in (0, 3, 40)
    ]
    assert made[0] is not None
    for other in made[1:]:
        assert other is not None
        assert other.gain == made[0].gain
        assert other.image.tobytes() == made[0].image.tobytes()


def test_large_stamps_are_cut_to_the_reach() -> None:
    """A stamp of 101 pixels is as good as one of 51."""
    offset = np.arange(101) - 50
    large = moffat(offset[:, np.newaxis], offset, 4.0).astype(np.float32)
    block = np.zeros((20 + 2 * REACH, 20 + 2 * REACH), np.float32)
    block[40, 40] = 1.0
    made = [match_tile(block, one, WHITE, fwhm=7.7) for one in (large, large[25:-25, 25:-25])]
    assert made[0] is not None
    assert made[1] is not None
    np.testing.assert_array_equal(made[0].image, made[1].image)
