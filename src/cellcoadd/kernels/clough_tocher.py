"""The Clough-Tocher surface over a triangle: three cubic polynomials, one for each third of it.

Values and gradients at the corners fix it, and the demand that the slope across each side be linear
along it, which makes surfaces of neighbours fit (Clough & Tocher 1965; in Bezier's form: Alfeld
1984, Comput. Aided Geom. Design 1, 169). Across a side means towards the centre of the neighbour
beyond it, so that both neighbours mean the same.
"""

from __future__ import annotations

__all__ = ["NET_SIZE", "bend_surface", "surface_at"]

import numpy as np
import numpy.typing as npt

from .._jit import kernel

# Places in the net of control values. Corners are 0, 1, 2, their centre is 4; k, l and m are
# different corners.
_CORNER = 0  # k: at corner k
_SIDE = 3  # 3 k + l: on the side from k to l, near k
_SPOKE = 12  # k: from corner k to the centre, near k
_ACROSS = 15  # m: between k, l and the centre
_INNER = 18  # k: from corner k to the centre, near the centre
_CENTRE = 21
NET_SIZE = 22
"""Control values of a triangle."""


@kernel
def bend_surface(
    x: npt.NDArray[np.int64],
    y: npt.NDArray[np.int64],
    beyond: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    gradients: npt.NDArray[np.float64],
    net: npt.NDArray[np.float64],
) -> None:
    """Find the control values of the surface over a triangle.

    Parameters
    ----------
    x, y : int64 (3,)
        Corners, anticlockwise.
    beyond : float64 (3, 2)
        Third corner of the neighbour beyond the side opposite of each corner, in x and y; NaN if
        there is none.
    values, gradients : float64 (3,), (3, 2)
        At the corners.
    net : float64 (NET_SIZE,)
        Written.
    """
    area = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
    for k in range(3):
        net[_CORNER + k] = values[k]
        spoke = values[k]
        for step in range(1, 3):
            end = (k + step) % 3
            slope = gradients[k, 0] * (x[end] - x[k]) + gradients[k, 1] * (y[end] - y[k])
            net[_SIDE + 3 * k + end] = values[k] + slope / 3.0
            spoke += values[k] + slope / 3.0
        net[_SPOKE + k] = spoke / 3.0
    for m in range(3):
        k, end = (m + 1) % 3, (m + 2) % 3
        # The direction across the side, as weights of its ends and of the centre, sum 0.
        to_end = to_centre = 0.0
        if np.isnan(beyond[m, 0]):
            to_end, to_centre = 0.5, -1.0
        else:
            side_x, side_y = x[end] - x[k], y[end] - y[k]
            across_x, across_y = beyond[m, 0] - x[m], beyond[m, 1] - y[m]
            to_centre = (side_x * across_y - side_y * across_x) / area
            # What is left of it lies along the side; the centre is a third of the way to corner m.
            rest_x = across_x - to_centre * (side_x + x[m] - x[k])
            rest_y = across_y - to_centre * (side_y + y[m] - y[k])
            to_end = (rest_x * side_x + rest_y * side_y) / (3.0 * (side_x**2 + side_y**2))
        to_start = -to_end - to_centre
        near, far = net[_SIDE + 3 * k + end], net[_SIDE + 3 * end + k]
        at_start = to_start * values[k] + to_end * near + to_centre * net[_SPOKE + k]
        at_end = to_start * far + to_end * values[end] + to_centre * net[_SPOKE + end]
        middle = 0.5 * (at_start + at_end) - to_start * near - to_end * far
        net[_ACROSS + m] = middle / to_centre
    centre = 0.0
    for k in range(3):
        inner = net[_SPOKE + k] + net[_ACROSS + (k + 1) % 3] + net[_ACROSS + (k + 2) % 3]
        net[_INNER + k] = inner / 3.0
        centre += inner / 3.0
    net[_CENTRE] = centre / 3.0


@kernel
def surface_at(net: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> float:
    """Return the surface at a position in its triangle.

    Parameters
    ----------
    net : float64 (NET_SIZE,)
        Control values.
    weights : float64 (3,)
        The position as weights of the corners (barycentric coordinates), not negative, sum 1.
    """
    m = 0
    for k in range(1, 3):
        if weights[k] < weights[m]:
            m = k
    k, end = (m + 1) % 3, (m + 2) % 3
    p, q, r = weights[k] - weights[m], weights[end] - weights[m], 3.0 * weights[m]
    side = p * p * (p * net[k] + 3.0 * q * net[_SIDE + 3 * k + end])
    side += q * q * (q * net[end] + 3.0 * p * net[_SIDE + 3 * end + k])
    first = p * p * net[_SPOKE + k] + q * q * net[_SPOKE + end] + 2.0 * p * q * net[_ACROSS + m]
    second = p * net[_INNER + k] + q * net[_INNER + end]
    return float(side + r * (3.0 * first + r * (3.0 * second + r * net[_CENTRE])))
