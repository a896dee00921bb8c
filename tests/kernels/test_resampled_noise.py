"""The covariance of resampled white noise in closed form, beside a sum over all pairs."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellcoadd.kernels.kernel_names import WARPING_KERNELS
from cellcoadd.kernels.noise_covariance import resampled_noise_covariance
from cellcoadd.kernels.warping_kernel import warping_kernel
from cellcoadd.testing.slow_twins import lanczos_weights, twin_weights

HEIGHT, WIDTH = 9, 12
MIDDLE = 40.0  # of the source, which the square of target pixels must not leave
SOURCE = 80

_Floats = npt.NDArray[np.float64]


def jacobian(angle: float, scale: float) -> npt.NDArray[np.float64]:
    """Source by target pixels, turned and scaled."""
    cosine, sine = math.cos(angle), math.sin(angle)
    result: _Floats = scale * np.array([[cosine, -sine], [sine, cosine]])
    return result


def closed_form(
    x: float, y: float, derivatives: _Floats, *, radius: int, kernel: str = "lanczos3"
) -> _Floats:
    [square] = resampled_noise_covariance(
        np.array([x]), np.array([y]), derivatives[np.newaxis],
        height=HEIGHT, width=WIDTH, kernel=warping_kernel(kernel), radius=radius,
    )  # fmt: skip
    return np.asarray(square, np.float64)


def counted(
    x: float, y: float, derivatives: _Floats, *, radius: int, kernel: str = "lanczos3"
) -> _Floats:
    """Sum the products of the weights of every pair of pixels, one offset at a time."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    u, v = columns - 0.5 * (WIDTH - 1), rows - 0.5 * (HEIGHT - 1)
    at_x = derivatives[0, 0] * u + derivatives[0, 1] * v + x
    at_y = derivatives[1, 0] * u + derivatives[1, 1] * v + y
    across = np.array([weights_on_source(float(value), kernel) for value in at_x.ravel()])
    up = np.array([weights_on_source(float(value), kernel) for value in at_y.ravel()])
    area = abs(np.linalg.det(derivatives))
    products = area**2 * (across @ across.T) * (up @ up.T)
    products = products.reshape(HEIGHT, WIDTH, HEIGHT, WIDTH)
    result = np.full((2 * radius + 1, 2 * radius + 1), np.nan)
    for dy, dx in itertools.product(range(-radius, radius + 1), repeat=2):
        pairs = [
            products[j, i, j + dy, i + dx]
            for j in range(max(0, -dy), HEIGHT - max(0, dy))
            for i in range(max(0, -dx), WIDTH - max(0, dx))
        ]
        if pairs:
            result[dy + radius, dx + radius] = np.mean(pairs)
    return result


def weights_on_source(position: float, kernel: str) -> _Floats:
    """The weight of every source pixel of a line."""
    whole = math.floor(position)
    line = np.zeros(SOURCE)
    weights = twin_weights(kernel, position - whole)
    half = weights.size // 2
    line[whole + 1 - half : whole + 1 + half] = weights
    return line


@given(
    angle=st.floats(-3.2, 3.2),
    scale=st.floats(0.6, 1.6),
    x=st.floats(0.0, 1.0),
    y=st.floats(0.0, 1.0),
)
@settings(deadline=None, max_examples=12, derandomize=True)
def test_closed_form_is_the_mean_over_all_pairs(
    angle: float, scale: float, x: float, y: float
) -> None:
    """Two harmonics leave 1e-4 of the variance, a scale to the 4th power, and nothing else."""
    derivatives = jacobian(angle, scale)
    ours = closed_form(MIDDLE + x, MIDDLE + y, derivatives, radius=7)
    expected = counted(MIDDLE + x, MIDDLE + y, derivatives, radius=7)
    known = np.isfinite(expected)
    assert known.sum() >= 15 * 15
    np.testing.assert_allclose(ours[known], expected[known], rtol=0, atol=2e-4 * scale**4)


@pytest.mark.parametrize("kernel", list(WARPING_KERNELS))
def test_closed_form_of_every_kernel(kernel: str) -> None:
    """Kernels that end at an angle have small harmonics without end: 2e-4 of those left out."""
    derivatives = jacobian(0.3, 0.9)
    reach = 2 * warping_kernel(kernel).half_width + 1
    ours = closed_form(MIDDLE + 0.2, MIDDLE + 0.6, derivatives, radius=reach, kernel=kernel)
    expected = counted(MIDDLE + 0.2, MIDDLE + 0.6, derivatives, radius=reach, kernel=kernel)
    known = np.isfinite(expected)
    np.testing.assert_allclose(ours[known], expected[known], rtol=0, atol=4e-4)


@pytest.mark.parametrize(("x", "y"), [(40.5, 40.0), (40.0, 40.0), (40.25, 40.7)])
def test_a_shift_leaves_all_pixels_between_pixels_alike(x: float, y: float) -> None:
    """The phase is that of every pixel then, and nothing averages out.

    The middle of an even number of pixels lies between two, that of an odd one on a pixel.
    Harmonics beyond the second are left out: 1e-4 on each axis.
    """
    ours = closed_form(x, y, np.eye(2), radius=6)
    across, up = lanczos_weights(x + 0.5 - math.floor(x + 0.5)), lanczos_weights(y - math.floor(y))
    expected = np.outer(np.correlate(up, up, "full"), np.correlate(across, across, "full"))
    np.testing.assert_allclose(ours[1:-1, 1:-1], expected, rtol=0, atol=2e-4)


def test_mirrored_axes_are_no_other_noise() -> None:
    """A camera may be seen in a mirror; the area is not negative then."""
    mirror = np.array([[-0.9, 0.0], [0.0, 0.9]])
    ours = closed_form(40.2, 40.3, mirror, radius=6)
    np.testing.assert_allclose(ours, counted(40.2, 40.3, mirror, radius=6), rtol=0, atol=2e-4)


@given(angle=st.floats(-3.2, 3.2), scale=st.floats(0.6, 1.6))
@settings(deadline=None, max_examples=20, derandomize=True)
def test_pairs_beyond_the_kernels_have_nothing_in_common(angle: float, scale: float) -> None:
    """Six source pixels or more apart in x or in y."""
    derivatives = jacobian(angle, scale)
    ours = closed_form(40.3, 40.1, derivatives, radius=12)
    dy, dx = np.mgrid[-12:13, -12:13]
    apart = np.abs(np.einsum("ij,j...->i...", derivatives, np.stack([dx, dy]))).max(axis=0)
    assert (ours[apart >= 6.0] == 0.0).all()
    np.testing.assert_array_equal(ours, ours[::-1, ::-1])
