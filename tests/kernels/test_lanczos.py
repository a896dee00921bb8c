"""The table of kernel weights against the formula."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from cellcoadd._jit import cubic_weights, kernel
from cellcoadd.kernels.lanczos import BINS, LANES, WEIGHT_TABLE
from cellcoadd.testing.slow_twins import lanczos_weights


@kernel
def _weights(fraction: float, out: npt.NDArray[np.float32]) -> None:
    scaled = fraction * BINS
    cubic_weights(WEIGHT_TABLE, int(scaled) * 4 * LANES, np.float32(scaled - int(scaled)), out, 0)


@pytest.mark.parametrize("fraction", [*np.linspace(0, 1, 401)[:-1], 1e-9, 1 - 1e-9])
def test_table_gives_the_normalised_kernel(fraction: float) -> None:
    """Single precision: half a unit in the last place of numbers up to 1, three times over."""
    out = np.empty(LANES, np.float32)
    _weights(fraction, out)
    np.testing.assert_allclose(out[:6], lanczos_weights(fraction), rtol=0, atol=1.2e-7)
    assert np.all(out[6:] == 0)


def test_cubics_are_accurate_between_the_nodes() -> None:
    """The table itself, evaluated in double precision, is off by 5e-9 and its rounding (6e-8)."""
    table = WEIGHT_TABLE.astype(float).reshape(BINS, 4, LANES)[:, :, :6]
    for t in (0.25, 0.5, 0.75):
        for b in range(BINS):
            weights = np.polynomial.polynomial.polyval(t, table[b])
            np.testing.assert_allclose(weights, lanczos_weights((b + t) / BINS), rtol=0, atol=4e-8)


def test_whole_pixels_are_copied_exactly() -> None:
    """At fraction 0 the weights are 1 and 0, although sin(k pi) is not 0 in floating point."""
    out = np.empty(LANES, np.float32)
    _weights(0.0, out)
    assert out.tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
