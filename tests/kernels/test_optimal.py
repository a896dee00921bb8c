"""Kernels for stars: what they do to stars in one dimension, at all phases, and their design."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from cellcoadd.kernels.optimal import LARGEST_STAR_FWHM, LEAST_STAR_FWHM, optimal_weights
from cellcoadd.kernels.warping_kernel import warping_kernel

_Floats = npt.NDArray[np.float64]
PIXELS = np.arange(-30.0, 31.0)


def errors(name: str, fwhm: float) -> tuple[float, float, float]:
    """The worst error of the flux, the range of adaptive sigmas, the worst place, of 32 phases.

    A star at 0 is sampled at whole pixels and interpolated at x + whole pixels. Its flux is fitted
    with the true profile, and compared with the mean over all phases.
    """
    kernel = warping_kernel(name)
    offsets = np.arange(1 - kernel.half_width, kernel.half_width + 1)
    sigma = fwhm / np.sqrt(8.0 * np.log(2.0))

    def star(t: _Floats) -> _Floats:
        return np.asarray(np.exp(-0.5 * (t / sigma) ** 2) / np.sqrt(2.0 * np.pi) / sigma)

    fluxes, sigmas, places = [], [], []
    for x in np.arange(32) / 32:
        weights = kernel.weights(float(x))
        seen = sum(
            (w * star(PIXELS + n) for w, n in zip(weights, offsets, strict=True)),
            np.zeros_like(PIXELS),
        )
        true = star(PIXELS + x)
        fluxes.append(float((seen * true).sum() / (true * true).sum()))
        place, variance = adaptive(seen, PIXELS + x, sigma**2)
        sigmas.append(variance**0.5)
        places.append(place)
    worst = float(np.abs(np.array(fluxes) - np.mean(fluxes)).max())
    return worst, float(np.ptp(sigmas)), float(np.abs(places).max())


def adaptive(profile: _Floats, at: _Floats, variance: float) -> tuple[float, float]:
    """Centre and variance of the Gaussian weight that matches a profile."""
    centre = 0.0
    for _ in range(60):
        weighted = profile * np.exp(-0.5 * (at - centre) ** 2 / variance)
        centre += 2.0 * float((weighted * (at - centre)).sum() / weighted.sum())
        measured = float((weighted * (at - centre) ** 2).sum() / weighted.sum())
        variance = 0.5 * variance + 0.5 / (1.0 / measured - 1.0 / variance)
    return centre, variance


@pytest.mark.parametrize(
    ("name", "fwhm", "flux", "sigma", "place"),
    [
        ("optimal6", 3.0, 2.5e-4, 0.0004, 1e-4),
        ("optimal6", 3.57, 3e-4, 0.0012, 1.2e-4),
        ("optimal6", 4.8, 4e-4, 0.0008, 3e-4),
        ("optimal8", 3.0, 1e-4, 0.0004, 4e-5),
        ("optimal8", 3.57, 1e-4, 0.0004, 4e-5),
        ("optimal8", 4.8, 1.5e-4, 0.0003, 6e-5),
        ("optimal10", 3.0, 4e-5, 0.0001, 1e-5),
        ("optimal10", 3.57, 5e-5, 0.0002, 1e-5),
        ("optimal10", 4.8, 6e-5, 0.0002, 1e-5),
    ],
)
def test_a_star_looks_the_same_at_all_phases(
    name: str, fwhm: float, flux: float, sigma: float, place: float
) -> None:
    """Three to ten times better than Lanczos kernels of as many taps."""
    found = errors(name, fwhm)
    assert found[0] < flux
    assert found[1] < sigma
    assert found[2] < place


@pytest.mark.parametrize(
    ("name", "fwhm", "expected"),
    [
        ("lanczos2", 3.0, (3.0e-3, 0.0281, 8.8e-3)),
        ("lanczos3", 3.0, (1.6e-3, 0.0083, 2.7e-3)),
        ("lanczos3", 3.57, (1.1e-3, 0.0086, 5.4e-3)),
        ("lanczos3", 4.8, (4.2e-4, 0.0056, 1.0e-2)),
        ("lanczos4", 3.0, (1.0e-3, 0.0031, 5.2e-4)),
        ("lanczos5", 3.0, (6.1e-4, 0.0007, 8.0e-5)),
        ("lanczos5", 4.8, (3.2e-4, 0.0028, 2.1e-3)),
    ],
)
def test_what_lanczos_kernels_do_to_a_star(
    name: str, fwhm: float, expected: tuple[float, float, float]
) -> None:
    """Known numbers, of other programs too: what the kernels for stars are to better."""
    assert errors(name, fwhm) == pytest.approx(expected, rel=0.06)


def test_lines_between_pixels_widen_a_star() -> None:
    """By x(1 - x) of its variance, exactly: half-way between pixels, by a quarter."""
    sigma = 2.0
    _, change, _ = errors("bilinear", sigma * np.sqrt(8.0 * np.log(2.0)))
    assert change == pytest.approx(np.sqrt(sigma**2 + 0.25) - sigma, rel=0.05)


@pytest.mark.parametrize("star_fwhm", [LEAST_STAR_FWHM, 2.5, LARGEST_STAR_FWHM])
@pytest.mark.parametrize("half_width", [3, 4, 5])
def test_kernels_can_be_made_for_all_sizes_that_are_allowed(
    half_width: int, star_fwhm: float
) -> None:
    """Constants and slopes are copied, and weights are no larger than those of a pixel."""
    offsets = np.arange(1 - half_width, half_width + 1)
    for fraction in (0.0, 0.2, 0.5, 0.9):
        weights, slopes = (
            np.array(part) for part in optimal_weights(fraction, half_width, star_fwhm)
        )
        assert weights.sum() == pytest.approx(1.0, abs=1e-8)
        assert weights @ offsets == pytest.approx(fraction, abs=1e-8)
        assert slopes.sum() == pytest.approx(0.0, abs=1e-7)
        assert slopes @ offsets == pytest.approx(1.0, abs=1e-7)
        assert np.abs(weights).max() < 1.05
