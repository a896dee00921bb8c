"""The kernels that images can be resampled with, each as a table of its weights.

The weights around a position depend on its fraction of a pixel alone, and are smooth in it:
piecewise cubics give them without a sine or a division, normalised already. Everything that
interpolates takes them from here, so that one resampler serves all kernels.
"""

from __future__ import annotations

__all__ = ["BINS", "WarpingKernel", "lanes_of", "warping_kernel"]

import dataclasses
import functools

import numpy as np
import numpy.typing as npt

from .kernel_names import DEFAULT_KERNEL, WARPING_KERNELS
from .lanczos import lanczos_weights
from .optimal import STAR_FWHM, optimal_weights

BINS = 64
"""Intervals of the table: cubics are within 1e-8 of the kernel, in single precision 1e-7."""

_HALF_WIDTHS = {
    "bilinear": 1, "lanczos2": 2, "lanczos3": 3, "lanczos4": 4, "lanczos5": 5,
    "optimal6": 3, "optimal8": 4, "optimal10": 5,
}  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class WarpingKernel:
    """One kernel.

    Parameters
    ----------
    name
        One of `WARPING_KERNELS`.
    star_fwhm
        Size of the stars that an ``optimal`` kernel is made for, in pixels.
    half_width
        Half of the number of taps in a dimension.
    table : float32 (flat)
        Coefficients of the weights, ordered by bin, power of t, and tap. The bin is
        floor(64 fraction), and t = 64 fraction - bin. Tap k is the pixel at offset
        k + 1 - half_width from the one below the position. At fraction 0 the weights are exactly 1
        there and 0 elsewhere. A bin's row of weights is `lanes_of` long, zeros after the taps.
    """

    name: str
    star_fwhm: float
    half_width: int
    table: npt.NDArray[np.float32]

    @property
    def is_for_stars(self) -> bool:
        """Whether it is made for stars of a size, `star_fwhm`, and larger ones."""
        return self.name.startswith("optimal")

    def weights(self, fraction: float) -> list[float]:
        """Return the exact weights of the taps at a fraction of a pixel in 0..1."""
        return _weights(self.name, self.star_fwhm, fraction)[0]


def lanes_of(half_width: int) -> int:
    """Return the weights in a row of the table: registers of eight floats that hold the taps."""
    return 8 if half_width <= 4 else 16


@functools.cache
def warping_kernel(name: str = DEFAULT_KERNEL, star_fwhm: float = STAR_FWHM) -> WarpingKernel:
    """Return a kernel.

    Parameters
    ----------
    name
        One of `WARPING_KERNELS`.
    star_fwhm
        Size of the stars that an ``optimal`` kernel is made for, in pixels.

    Raises
    ------
    ValueError
        If the name is another one.
    """
    if name not in WARPING_KERNELS:
        raise ValueError(f"The kernel must be one of {list(WARPING_KERNELS)}, got {name!r}.")
    table = _make_table(name, star_fwhm)
    table.setflags(write=False)
    return WarpingKernel(name=name, star_fwhm=star_fwhm, half_width=_HALF_WIDTHS[name], table=table)


def _weights(name: str, star_fwhm: float, fraction: float) -> tuple[list[float], list[float]]:
    if name == "bilinear":
        return [1.0 - fraction, fraction], [-1.0, 1.0]
    if name.startswith("lanczos"):
        return lanczos_weights(fraction, _HALF_WIDTHS[name])
    return optimal_weights(fraction, _HALF_WIDTHS[name], star_fwhm)


def _make_table(name: str, star_fwhm: float) -> npt.NDArray[np.float32]:
    """Hermite cubics through the exact weights and slopes at the edges of the bins."""
    half_width = _HALF_WIDTHS[name]
    table = np.zeros((BINS, 4, lanes_of(half_width)))
    edges = [_weights(name, star_fwhm, b / BINS) for b in range(BINS + 1)]
    for b in range(BINS):
        (low, low_slope), (high, high_slope) = edges[b], edges[b + 1]
        for k in range(2 * half_width):
            d0, d1 = low_slope[k] / BINS, high_slope[k] / BINS
            rise = high[k] - low[k]
            table[b, :, k] = (low[k], d0, 3 * rise - 2 * d0 - d1, d0 + d1 - 2 * rise)
    # sin(k pi) is not exactly 0 in floating point; at whole pixels the kernel is to copy.
    table[0, 0] = 0.0
    table[0, 0, half_width - 1] = 1.0
    return table.astype(np.float32).reshape(-1)
