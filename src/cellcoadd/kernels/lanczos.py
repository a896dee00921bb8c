"""Weights of the normalised Lanczos kernels, exact.

The kernel of half-width a is sinc(t) sinc(t/a); its weights at the 2a pixels around a position are
divided by their sum, so that a constant stays one.
"""

from __future__ import annotations

__all__ = ["lanczos_weights"]

import math


def lanczos_weights(fraction: float, half_width: int) -> tuple[list[float], list[float]]:
    """Return the weights around a position, and their derivatives with respect to the position.

    Parameters
    ----------
    fraction
        Of a pixel by which the position is right of the pixel at offset 0; 0 to 1.
    half_width
        a, in pixels.

    Returns
    -------
    weights, slopes
        2a numbers each, of the pixels at the offsets 1 - a to a. The weights sum to 1.
    """
    values, slopes = [], []
    for offset in range(1 - half_width, half_width + 1):
        value, slope = 1.0, 0.0
        for width in (1.0, float(half_width)):
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
