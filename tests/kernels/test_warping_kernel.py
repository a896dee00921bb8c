"""The tables of the kernels' weights against the formulas."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from cellcoadd._jit import cubic_weights, kernel
from cellcoadd.kernels.kernel_names import WARPING_KERNELS
from cellcoadd.kernels.warping_kernel import BINS, WarpingKernel, lanes_of, warping_kernel
from cellcoadd.testing.slow_twins import twin_weights

KERNELS = list(WARPING_KERNELS)
HALF_WIDTHS = dict(zip(KERNELS, (1, 2, 3, 4, 5, 3, 4, 5), strict=True))


@kernel
def _weights(
    table: npt.NDArray[np.float32], fraction: float, lanes: int, out: npt.NDArray[np.float32]
) -> None:
    scaled = fraction * BINS
    t = np.float32(scaled - int(scaled))
    for first in range(0, lanes, 8):
        cubic_weights(table, int(scaled) * 4 * lanes + first, lanes, t, out, first)


def single_precision(chosen: WarpingKernel, fraction: float) -> npt.NDArray[np.float32]:
    out = np.empty(lanes_of(chosen.half_width), np.float32)
    _weights(chosen.table, fraction, out.size, out)
    return out


@pytest.mark.parametrize("name", KERNELS)
def test_table_gives_the_normalised_kernel(name: str) -> None:
    """Single precision: half a unit in the last place of numbers up to 1, three times over."""
    chosen = warping_kernel(name)
    taps = 2 * HALF_WIDTHS[name]
    for fraction in [*np.linspace(0, 1, 101)[:-1], 1e-9, 1 - 1e-9]:
        out = single_precision(chosen, float(fraction))
        expected = twin_weights(name, float(fraction))
        np.testing.assert_allclose(out[:taps], expected, rtol=0, atol=1.2e-7)
        assert np.all(out[taps:] == 0)


@pytest.mark.parametrize("name", KERNELS)
def test_cubics_are_accurate_between_the_nodes(name: str) -> None:
    """The table itself, evaluated in double precision, is off by its rounding (6e-8) at most."""
    chosen = warping_kernel(name)
    lanes, taps = lanes_of(chosen.half_width), 2 * chosen.half_width
    table = chosen.table.astype(float).reshape(BINS, 4, lanes)[:, :, :taps]
    for b in range(0, BINS, 3):
        weights = np.polynomial.polynomial.polyval(0.5, table[b])
        np.testing.assert_allclose(weights, chosen.weights((b + 0.5) / BINS), rtol=0, atol=4e-8)


@pytest.mark.parametrize("name", KERNELS)
def test_whole_pixels_are_copied_exactly(name: str) -> None:
    """At fraction 0 the weights are 1 and 0, although sin(k pi) is not 0 in floating point."""
    out = single_precision(warping_kernel(name), 0.0)
    assert np.flatnonzero(out).tolist() == [HALF_WIDTHS[name] - 1]
    assert out.max() == 1.0


@pytest.mark.parametrize("name", KERNELS)
def test_weights_are_the_same_from_the_other_side(name: str) -> None:
    chosen = warping_kernel(name)
    for fraction in (0.1, 0.37, 0.5):
        np.testing.assert_allclose(
            chosen.weights(fraction), chosen.weights(1.0 - fraction)[::-1], rtol=0, atol=1e-8
        )


@pytest.mark.parametrize("name", ["bilinear", "optimal6", "optimal8", "optimal10"])
def test_slopes_are_copied_exactly(name: str) -> None:
    """Lanczos kernels do not: a gradient of 1 a pixel is off by up to 0.01."""
    chosen = warping_kernel(name)
    offsets = np.arange(1 - chosen.half_width, chosen.half_width + 1)
    for fraction in np.linspace(0.0, 1.0, 17):
        weights = np.array(chosen.weights(float(fraction)))
        assert weights.sum() == pytest.approx(1.0, abs=1e-10)
        assert weights @ offsets == pytest.approx(fraction, abs=1e-9)


def test_the_design_is_for_stars_of_one_size() -> None:
    """A kernel for larger stars has other weights, in a table of its own."""
    sharp, broad = warping_kernel("optimal6"), warping_kernel("optimal6", 4.0)
    assert broad.star_fwhm == 4.0
    np.testing.assert_allclose(
        broad.weights(0.3), twin_weights("optimal6", 0.3, star_fwhm=4.0), rtol=0, atol=1e-6
    )
    assert np.abs(np.subtract(broad.weights(0.3), sharp.weights(0.3))).max() > 1e-3


def test_another_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"one of .*lanczos3.*got 'lanczos6'"):
        warping_kernel("lanczos6")
