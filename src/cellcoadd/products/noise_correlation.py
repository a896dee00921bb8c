"""Correlation of the noise of a detector's pixels by their offset: what is one, and noise with it.

Images that were interpolated before they were published, or shaped by their electronics, have noise
in common between neighbours. `calibrated_image.CalibratedImage` carries the correlation, warping
makes the covariance of resampled noise and the noise realizations of it.
"""

from __future__ import annotations

__all__ = ["LARGEST_SIZE", "checked_correlation", "correlation_spectrum", "noise_kernel"]

import numpy as np
import numpy.typing as npt

LARGEST_SIZE = 33
"""Pixels a side of the largest correlation: offsets of 16 pixels."""

_GRID = 128
"""Frequencies a side: a kernel of 32 pixels to each side does not meet itself."""
_LEAST_REACH = 16
_NEGATIVE = -0.1  # of the largest power: rounding and cut wings, no correlation gives more
_ALIKE = 1e-6

type _Floats = npt.NDArray[np.float64]


def checked_correlation(correlation: npt.ArrayLike) -> _Floats:
    """Return a correlation as an array of its own that cannot be changed.

    Parameters
    ----------
    correlation : (n, n)
        Correlation of the noise of two pixels by their offset in y and x; offset 0 in the middle.

    Raises
    ------
    ValueError
        If it is not a square with an odd side of at most 33, finite, 1 in the middle and the same
        under point reflection; or if no noise has it: its power spectrum, which is the variance of
        the noise by frequency, must not be negative by more than a tenth of its largest value.
    """
    array = np.array(correlation, np.float64)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.shape[0] % 2 == 0:
        raise ValueError(
            f"A noise correlation must be a square with an odd side, got the shape {array.shape}."
        )
    if array.shape[0] > LARGEST_SIZE:
        raise ValueError(
            f"A noise correlation must have at most {LARGEST_SIZE} pixels a side, got "
            f"{array.shape[0]}."
        )
    if not np.isfinite(array).all():
        raise ValueError("A noise correlation must be finite.")
    middle = array[array.shape[0] // 2, array.shape[0] // 2]
    if abs(middle - 1.0) > _ALIKE:
        raise ValueError(f"A noise correlation must be 1 in the middle, got {middle:.6g}.")
    if not np.allclose(array, array[::-1, ::-1], rtol=0.0, atol=_ALIKE):
        raise ValueError(
            "A noise correlation must be the same under point reflection: two pixels are as alike "
            "seen from either."
        )
    spectrum = correlation_spectrum(array)
    if spectrum.min() < _NEGATIVE * spectrum.max():
        raise ValueError(
            f"No noise has this correlation: its power spectrum reaches {spectrum.min():.3g}, the "
            f"largest value is {spectrum.max():.3g}."
        )
    array.flags.writeable = False
    return array


def correlation_spectrum(correlation: _Floats) -> _Floats:
    """Return the power by frequency of noise of variance 1 that has a correlation.

    Returns
    -------
    float64 (128, 128)
        Its mean is 1. Negative values are those of no noise.
    """
    half = correlation.shape[0] // 2
    plane = np.zeros((_GRID, _GRID))
    plane[: 2 * half + 1, : 2 * half + 1] = correlation
    spectrum: _Floats = np.fft.fft2(np.roll(plane, (-half, -half), axis=(0, 1))).real
    return spectrum


def noise_kernel(correlation: _Floats) -> _Floats:
    """Return the kernel that gives white noise a correlation.

    Parameters
    ----------
    correlation : float64 (n, n)
        What `checked_correlation` returns.

    Returns
    -------
    float64 (m, m)
        Symmetric, m odd; its squares sum to 1. White noise of variance 1 convolved with it has the
        variance 1 and this correlation, to some 1e-3.

    Notes
    -----
    Its transform is the square root of the power spectrum, in which negative values count as 0. It
    is cut at 16 pixels, or where twice the correlation ends.
    """
    reach = max(_LEAST_REACH, 2 * (correlation.shape[0] // 2))
    root = np.sqrt(np.maximum(correlation_spectrum(correlation), 0.0))
    whole = np.roll(np.fft.ifft2(root).real, (reach, reach), axis=(0, 1))
    kernel: _Floats = whole[: 2 * reach + 1, : 2 * reach + 1].copy()
    kernel /= np.sqrt((kernel**2).sum())
    return kernel
