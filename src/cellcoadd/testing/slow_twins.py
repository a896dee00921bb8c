"""Slow twins of the kernels: the same formulas in plain numpy, as directly as they can be written.

They share no code with the kernels (no tables, tiles or single precision), so that an agreement
means something.
"""

from __future__ import annotations

__all__ = [
    "interpolate_positions",
    "lanczos_weights",
    "resample_plane",
    "star_kernel_weights",
    "twin_weights",
]

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]


def lanczos_weights(fraction: float, half_width: int = 3) -> _Floats:
    """Return the weights of the pixels at offsets 1-a..a from the one below, of sum 1."""
    offset = np.arange(1 - half_width, half_width + 1) - fraction
    weights: _Floats = np.sinc(offset) * np.sinc(offset / half_width)
    return weights / weights.sum()


def star_kernel_weights(fraction: float, taps: int, star_fwhm: float = 3.0) -> _Floats:
    """Return the weights that interpolate stars best, by a sum over waves.

    The weights of the first two taps follow from the others, by the sums that are given: 1, and the
    position. What is left is a fit of them to waves, each as heavy as it is in stars of two sizes
    and in a little white noise, which is cut off at half a wave a pixel.
    """
    step = 0.005 * np.pi
    k = np.arange(0.5 * step, 2.5 * np.pi, step)
    sigma = star_fwhm / np.sqrt(8.0 * np.log(2.0))
    power = np.exp(-((sigma * k) ** 2)) + 3.0 * np.exp(-((4.0 / 3.0 * sigma * k) ** 2))
    power += np.where(k < np.pi, 1e-7, 0.0)
    offsets = np.arange(1 - taps // 2, taps // 2 + 1)
    # w_0 and w_1 by the others: w_1 + sum n w_n = position, w_0 + w_1 + sum w_n = 1.
    others = offsets[(offsets != 0) & (offsets != 1)]
    waves = np.exp(1j * k[:, np.newaxis] * (offsets - fraction))
    zero, one = waves[:, offsets == 0], waves[:, offsets == 1]
    free = np.exp(1j * k[:, np.newaxis] * (others - fraction)) - others * one
    free -= (1 - others) * zero
    fixed = 1.0 - fraction * one[:, 0] - (1.0 - fraction) * zero[:, 0]
    root = np.sqrt(power)
    matrix = np.concatenate([root[:, np.newaxis] * part for part in (free.real, free.imag)])
    solved, *_ = np.linalg.lstsq(matrix, np.concatenate([root * fixed.real, root * fixed.imag]))
    weights = np.zeros(taps)
    weights[(offsets != 0) & (offsets != 1)] = solved
    weights[offsets == 1] = fraction - others @ solved
    weights[offsets == 0] = 1.0 - weights.sum()
    return weights


def twin_weights(name: str, fraction: float, star_fwhm: float = 3.0) -> _Floats:
    """Return the weights of a kernel by its name."""
    if name == "bilinear":
        return np.array([1.0 - fraction, fraction])
    if name.startswith("lanczos"):
        return lanczos_weights(fraction, int(name.removeprefix("lanczos")))
    return star_kernel_weights(fraction, int(name.removeprefix("optimal")), star_fwhm)


def interpolate_positions(
    node_x: _Floats, node_y: _Floats, *, x_start: int, y_start: int, width: int, height: int,
    spacing: int,
) -> tuple[_Floats, _Floats, _Floats]:  # fmt: skip
    """Return the source x and y and the area, each (height, width), by explicit differences."""
    first_x = x_start // spacing * spacing - 1
    first_y = y_start // spacing * spacing - 1

    def positions(nodes: _Floats) -> _Floats:
        """Interpolate one column and one row more than asked for, below and to the left."""
        # One interpolation after the other: along the rows, then along the columns.
        at_x = (np.arange(x_start - 1, x_start + width) - first_x) / spacing
        at_y = (np.arange(y_start - 1, y_start + height) - first_y) / spacing
        across = np.array([np.interp(at_x, np.arange(line.size), line) for line in nodes])
        return np.array([np.interp(at_y, np.arange(line.size), line) for line in across.T]).T

    x, y = positions(node_x), positions(node_y)
    step_x = np.diff(x, axis=1)[1:], np.diff(y, axis=1)[1:]
    step_y = np.diff(x, axis=0)[:, 1:], np.diff(y, axis=0)[:, 1:]
    area = np.abs(step_x[0] * step_y[1] - step_x[1] * step_y[0])
    return x[1:, 1:], y[1:, 1:], area


def resample_plane(
    plane: npt.NDArray[np.floating],
    x: _Floats,
    y: _Floats,
    area: _Floats,
    *,
    power: int = 1,
    kernel: str = "lanczos3",
) -> _Floats:
    """Return a plane at the given positions, NaN where the kernel's pixels leave it.

    Parameters
    ----------
    plane : (ny, nx)
        Values, or variances with ``power=2``, which takes the squared weights.
    x, y, area : (h, w)
        Positions and areas in source pixels.
    power
        To which the weights are raised.
    kernel
        The kernel's name.
    """
    ny, nx = plane.shape
    half = twin_weights(kernel, 0.5).size // 2
    out = np.full(x.shape, np.nan)
    for index in np.ndindex(*x.shape):
        i, j = int(np.floor(x[index])), int(np.floor(y[index]))
        if half - 1 <= i <= nx - half - 1 and half - 1 <= j <= ny - half - 1:
            across = twin_weights(kernel, float(x[index]) - i)
            up = twin_weights(kernel, float(y[index]) - j)
            weights = np.outer(up, across)
            pixels = plane[j - half + 1 : j + half + 1, i - half + 1 : i + half + 1].astype(float)
            out[index] = np.sum((weights * area[index]) ** power * pixels)
    return out
