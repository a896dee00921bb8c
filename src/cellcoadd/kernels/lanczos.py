"""Weights of the normalised Lanczos-3 kernel at fractional pixel positions, as a table.

The six weights around a position depend on its fraction of a pixel alone, and are smooth in it:
piecewise cubics give them without a sine or a division, normalised already. Everything that
interpolates uses this table.
"""

from __future__ import annotations

__all__ = ["BINS", "HALF_WIDTH", "LANES", "WEIGHT_TABLE", "kernel_weights"]

import math

import numpy as np
import numpy.typing as npt

HALF_WIDTH = 3
"""Half-width a of the kernel sinc(t) sinc(t/a) in pixels: six taps a dimension."""

LANES = 8
"""Weights in a row of the table: six taps and two zeros, one register of eight floats."""

BINS = 64
"""Intervals of the table: cubics are within 5e-9 of the kernel, in single precision 1e-7."""


def kernel_weights(fraction: float) -> list[float]:
    """Return the exact weights of the six taps at a fraction of a pixel in 0..1."""
    return _weights_and_slopes(fraction)[0]


def _weights_and_slopes(fraction: float) -> tuple[list[float], list[float]]:
    """Normalised weights of the six taps at a fraction in 0..1, and their derivatives."""
    values, slopes = [], []
    for offset in range(1 - HALF_WIDTH, HALF_WIDTH + 1):
        value, slope = 1.0, 0.0
        for width in (1.0, float(HALF_WIDTH)):
            u = math.pi * (offset - fraction) / width
            sinc = math.sin(u) / u if u else 1.0
            # With respect to the fraction, which u falls with.
            sinc_slope = math.pi / width * (sinc - math.cos(u)) / u if u else 0.0
            value, slope = value * sinc, slope * sinc + value * sinc_slope
        values.append(value)
        slopes.append(slope)
    total, total_slope = math.fsum(values), math.fsum(slopes)
    weights = [value / total for value in values]
    return weights, [(s - w * total_slope) / total for w, s in zip(weights, slopes, strict=True)]


def _make_table() -> npt.NDArray[np.float32]:
    """Hermite cubics through the exact weights and slopes at the edges of the bins."""
    table = np.zeros((BINS, 4, LANES))
    for b in range(BINS):
        low, low_slope = _weights_and_slopes(b / BINS)
        high, high_slope = _weights_and_slopes((b + 1) / BINS)
        for k in range(2 * HALF_WIDTH):
            d0, d1 = low_slope[k] / BINS, high_slope[k] / BINS
            rise = high[k] - low[k]
            table[b, :, k] = (low[k], d0, 3 * rise - 2 * d0 - d1, d0 + d1 - 2 * rise)
    # sin(k pi) is not exactly 0 in floating point; at whole pixels the kernel is to copy.
    table[0, 0] = 0.0
    table[0, 0, HALF_WIDTH - 1] = 1.0
    return table.astype(np.float32).reshape(-1)


WEIGHT_TABLE = _make_table()
"""Coefficients (float32, flat) of the weights, ordered by bin, power of t, and tap.

The bin is floor(64 fraction), and t = 64 fraction - bin. Tap k is the pixel at offset k - 2 from
the one below the position. At fraction 0 the weights are exactly 0, 0, 1, 0, 0, 0.
"""
