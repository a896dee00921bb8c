"""Covariance of noise after resampling, in closed form.

Two resampled pixels share source pixels, so their noise is alike. In come the place of a square of
target pixels in the source and the map's derivatives there; out comes the covariance of two of its
pixels by their offset, as the resampler (`resample`) makes it of noise of variance 1, which may be
correlated itself. `correlated_variance` has what that does to the variance of a single pixel.
"""

from __future__ import annotations

__all__ = ["resampled_noise_covariance"]

import functools

import numpy as np
import numpy.typing as npt

from .warping_kernel import WarpingKernel

_STEPS = 128  # table entries a pixel; between them the table is linear, and exact to 2e-5
_LEAST_HARMONIC = 1e-4  # of the variance: harmonics are kept as far as they are larger
_MOST_HARMONICS = 40
_PAIRED = 2  # products of two harmonics up to this one are kept, however small

type _Floats = npt.NDArray[np.float64]


def resampled_noise_covariance(
    x: _Floats,
    y: _Floats,
    jacobians: _Floats,
    *,
    height: int,
    width: int,
    kernel: WarpingKernel,
    radius: int,
    correlation: _Floats | None = None,
) -> npt.NDArray[np.float32]:
    """Return the mean covariance of two pixels of a rectangle by their offset.

    Parameters
    ----------
    x, y : float64 (m,)
        Source positions of the middles of m rectangles of target pixels.
    jacobians : float64 (m, 2, 2)
        Derivatives there of the source x and y (first axis) by the target x and y (second axis).
    height, width
        Size of the rectangles in target pixels.
    kernel
        That of the resampler.
    radius
        Largest offset in target pixels. Offsets that the rectangle does not have are given too, as
        if their pairs had its middle.
    correlation : float64 (k, k), optional
        Correlation of the noise of two source pixels by their offset in y and x; k is odd, 1 in the
        middle, the same under point reflection. None: white noise, 1 at offset 0 alone.

    Returns
    -------
    float32 (m, 2 * radius + 1, 2 * radius + 1)
        By offset in y and in x, offset 0 in the middle, for source noise of variance 1; symmetric.

    Notes
    -----
    With the normalised weights w_k(u) of source pixel k for position u, one axis has
    S(u, d) = sum_k w_k(u) w_k(u + d), periodic in u. It is the same seen from either end, so
    S(u, d) = sum_m R_m(d) exp(2 pi i m (u + d/2)) with real, even R_m. Over the pairs of pixels of
    a rectangle, whose middles lie on a grid around its own, the mean of the exponential is a
    product of two Dirichlet kernels. R_m falls with m: that of Lanczos-3 is below 1e-4 from the
    third on; those of the kernels for stars, whose outermost weights end at an angle, fall with the
    square of m, and what is left out is up to 2e-3 of the variance where a shift without turn or
    scale puts all pixels at one fraction, and a tenth of that elsewhere. The map is taken as
    linear within the rectangle: distortion of a tenth of a pixel over a cell changes nothing that
    matters here.

    The noise of source pixels k and k + e has the correlation r(e): the covariance of positions u
    and u + d is the sum over e of r(e) S(u, d - e), a product of two axes, in which
    exp(2 pi i m (u + (d - e)/2)) is that of d with the sign (-1)^(m e).
    """
    offsets = np.arange(-radius, radius + 1)
    offset_y, offset_x = (part.ravel() for part in np.meshgrid(offsets, offsets, indexing="ij"))
    # One of each pair of opposite offsets, and the middle.
    half = slice(offset_x.size // 2, None)
    offset_x, offset_y = offset_x[half], offset_y[half]
    along_x = jacobians[:, 0, 0, np.newaxis] * offset_x + jacobians[:, 0, 1, np.newaxis] * offset_y
    along_y = jacobians[:, 1, 0, np.newaxis] * offset_x + jacobians[:, 1, 1, np.newaxis] * offset_y
    # Of distances d in x and in y; of correlated noise, of d - e for each offset e.
    half_width = 0 if correlation is None else correlation.shape[0] // 2
    steps = range(-half_width, half_width + 1)
    distances, tables = _harmonics(kernel)
    most = len(tables) - 1
    sizes = [float(np.abs(table).max()) for table in tables]
    harmonics_x = [_harmonics_at(along_x - step, distances, tables) for step in steps]
    harmonics_y = [_harmonics_at(along_y - step, distances, tables) for step in steps]
    pairs_x = np.maximum(width - np.abs(offset_x), 1)
    pairs_y = np.maximum(height - np.abs(offset_y), 1)
    total = np.zeros_like(along_x)
    sums: dict[tuple[int, int], _Floats] = {}  # those of -m are those of m
    for m in range(-most, most + 1):
        for n in range(most + 1):
            if n == 0 and m < 0:
                continue  # the complex conjugate of -m
            if max(abs(m), n) > _PAIRED and sizes[abs(m)] * sizes[n] < _LEAST_HARMONIC:
                continue
            phase = np.cos(2.0 * np.pi * (m * x + n * y))
            step_x = m * jacobians[:, 0, 0] + n * jacobians[:, 1, 0]
            step_y = m * jacobians[:, 0, 1] + n * jacobians[:, 1, 1]
            mean = _dirichlet(step_x, pairs_x) * _dirichlet(step_y, pairs_y)
            twice = 1.0 if m == n == 0 else 2.0
            factor = twice * phase[:, np.newaxis] * mean
            if correlation is None:
                total += factor * harmonics_x[0][abs(m)] * harmonics_y[0][n]
            else:
                key = abs(m), n
                if key not in sums:
                    sums[key] = _correlated(harmonics_x, harmonics_y, correlation, *key)
                total += factor * sums[key]
    total *= np.linalg.det(jacobians)[:, np.newaxis] ** 2
    size = 2 * radius + 1
    result = np.concatenate([total[:, :0:-1], total], axis=1)
    return result.reshape(-1, size, size).astype(np.float32)


def _correlated(
    harmonics_x: list[list[_Floats]],
    harmonics_y: list[list[_Floats]],
    correlation: _Floats,
    m: int,
    n: int,
) -> _Floats:
    """The sum over e of r(e) (-1)^(m e_x + n e_y) R_m(d_x - e_x) R_n(d_y - e_y)."""
    half = correlation.shape[0] // 2
    total = np.zeros_like(harmonics_x[0][0])
    # Sums in a fixed order, not a product of matrices, whose bits depend on their sizes.
    for row, of_row in enumerate(harmonics_y):
        in_row = np.zeros_like(total)
        for column, of_column in enumerate(harmonics_x):
            value = float(correlation[row, column])
            if value != 0.0:
                in_row += ((-1.0) ** (m * (column - half)) * value) * of_column[m]
        total += ((-1.0) ** (n * (row - half)) * in_row) * of_row[n]
    return total


def _harmonics_at(distance: _Floats, distances: _Floats, tables: _Floats) -> list[_Floats]:
    """R_m at distances in source pixels."""
    return [np.interp(np.abs(distance), distances, table) for table in tables]


@functools.cache
def _harmonics(kernel: WarpingKernel) -> tuple[_Floats, _Floats]:
    """Distances up to where no pixel is shared, and R_m (harmonics, distances) there."""
    taps = 2 * kernel.half_width
    weights = np.array([kernel.weights(step / _STEPS) for step in range(_STEPS)])
    phase = np.arange(_STEPS)[:, np.newaxis]
    steps = np.arange(taps * _STEPS + 1)
    whole, fraction = np.divmod(phase + steps, _STEPS)
    products = np.zeros(whole.shape)
    for tap in range(taps):
        other = tap - whole
        shared = (other >= 0) & (other < taps)
        partner = weights[fraction, np.clip(other, 0, taps - 1)]
        products += np.where(shared, weights[phase, tap] * partner, 0.0)
    middle = (phase + 0.5 * steps) / _STEPS
    tables: list[_Floats] = []
    for m in range(_MOST_HARMONICS + 1):
        table = (products * np.cos(2.0 * np.pi * m * middle)).mean(axis=0)
        if m > _PAIRED and np.abs(table).max() < _LEAST_HARMONIC:
            break
        tables.append(table)
    return steps / _STEPS, np.array(tables)


def _dirichlet(step: _Floats, count: npt.NDArray[np.int_]) -> _Floats:
    """Mean of exp(2 pi i step k) over ``count`` values of k around 0, spaced by 1: (m, counts)."""
    # Whole steps turn by whole circles; for an even count k is half a whole number.
    whole = np.round(step)[:, np.newaxis]
    angle = np.pi * (step[:, np.newaxis] - whole)
    sine = np.sin(angle)
    small = np.abs(sine) < 1e-9
    ratio = np.where(small, 1.0, np.sin(count * angle) / (count * np.where(small, 1.0, sine)))
    sign = np.where((whole * (count - 1)) % 2 == 0, 1.0, -1.0)
    return sign * ratio
