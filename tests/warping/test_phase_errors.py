"""What sub-pixel positions change in a star: in closed form, and of stars at many places."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from cellcoadd.kernels.kernel_names import WARPING_KERNELS
from cellcoadd.kernels.warping_kernel import warping_kernel
from cellcoadd.testing.slow_twins import twin_weights
from cellcoadd.warping.phase_errors import phase_error

_Floats = npt.NDArray[np.float64]


def star(fwhm: float, *, x: float = 0.0, y: float = 0.0, size: int = 41) -> _Floats:
    sigma = fwhm / np.sqrt(8.0 * np.log(2.0))
    at = np.arange(size) - size // 2
    along_x, along_y = (np.exp(-0.5 * ((at - p) / sigma) ** 2) for p in (x, y))
    image: _Floats = np.outer(along_y, along_x) / (2.0 * np.pi * sigma**2)
    return image


def moved_back(image: _Floats, name: str, *, x: float, y: float) -> _Floats:
    """The image at positions (x, y) right of and above its pixels: the star is in the middle."""

    def shift(lines: _Floats, by: float) -> _Floats:
        weights = twin_weights(name, by)
        padded = np.pad(lines, ((0, 0), (weights.size, weights.size)))
        start = weights.size + 1 - weights.size // 2
        size = lines.shape[1]
        total: _Floats = sum(
            (w * padded[:, start + k : start + k + size] for k, w in enumerate(weights)),
            np.zeros_like(lines),
        )
        return total

    return shift(shift(image, x).T, y).T


@pytest.mark.parametrize("name", list(WARPING_KERNELS))
def test_it_is_the_scatter_of_stars_at_all_places(name: str) -> None:
    """On a grid of 16 x 16 places in a pixel, resampled so that all come to lie in the middle."""
    places = (np.arange(16) + 0.5) / 16
    images = np.array(
        [moved_back(star(3.2, x=x, y=y), name, x=x, y=y) for x in places for y in places]
    )
    mean = images.mean(axis=0)
    scatter = float(((images - mean) ** 2).sum(axis=(1, 2)).mean() / (mean**2).sum())
    found = phase_error(star(3.2), warping_kernel(name))
    assert found == pytest.approx(scatter, rel=0.04)


def test_stars_that_are_sharper_than_the_kernel_is_for_change_more() -> None:
    kernel = warping_kernel("optimal6")
    errors = [phase_error(star(fwhm), kernel) for fwhm in (2.0, 2.5, 3.0, 4.0)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 30.0 * errors[2]


def test_a_kernel_with_more_taps_changes_less() -> None:
    errors = {name: phase_error(star(3.0), warping_kernel(name)) for name in WARPING_KERNELS}
    assert errors["bilinear"] > errors["lanczos2"] > errors["lanczos3"] > errors["lanczos5"]
    assert errors["optimal6"] > errors["optimal8"] > errors["optimal10"]
    assert errors["optimal6"] < 0.2 * errors["lanczos3"]
