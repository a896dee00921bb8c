"""Slow twins of the kernels: the same formulas in plain numpy, as directly as they can be written.

They share no code with the kernels (no tables, tiles or single precision), so that an agreement
means something.
"""

from __future__ import annotations

__all__ = ["interpolate_positions", "lanczos_weights", "resample_plane"]

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]


def lanczos_weights(fraction: float, half_width: int = 3) -> _Floats:
    """Return the weights of the pixels at offsets 1-a..a from the one below, of sum 1."""
    offset = np.arange(1 - half_width, half_width + 1) - fraction
    weights: _Floats = np.sinc(offset) * np.sinc(offset / half_width)
    return weights / weights.sum()


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
    plane: npt.NDArray[np.floating], x: _Floats, y: _Floats, area: _Floats, *, power: int = 1
) -> _Floats:
    """Return a plane at the given positions, NaN where the 6 x 6 pixels leave it.

    Parameters
    ----------
    plane : (ny, nx)
        Values, or variances with ``power=2``, which takes the squared weights.
    x, y, area : (h, w)
        Positions and areas in source pixels.
    power
        To which the weights are raised.
    """
    ny, nx = plane.shape
    out = np.full(x.shape, np.nan)
    for index in np.ndindex(*x.shape):
        i, j = int(np.floor(x[index])), int(np.floor(y[index]))
        if 2 <= i <= nx - 4 and 2 <= j <= ny - 4:
            across, up = lanczos_weights(float(x[index]) - i), lanczos_weights(float(y[index]) - j)
            weights = np.outer(up, across)
            pixels = plane[j - 2 : j + 4, i - 2 : i + 4].astype(float)
            out[index] = np.sum((weights * area[index]) ** power * pixels)
    return out
