"""What a resampling kernel leaves of a star by where it lies between the pixels.

A perfect kernel gives a star the same image wherever it lies. A real one lets pass some of what
sampling adds to a spectrum, its repetitions at whole waves a pixel; these turn with the star's
position, and change its image.
"""

from __future__ import annotations

__all__ = ["phase_error"]

import functools

import numpy as np
import numpy.typing as npt

from ..kernels.warping_kernel import WarpingKernel

_REPETITIONS = 4  # on each side; kernels have let nothing pass that is beyond
_STEPS = 64  # of a pixel, in which the kernel's transform is summed up

type _Floats = npt.NDArray[np.float64]


def phase_error(star: _Floats, kernel: WarpingKernel) -> float:
    """Return how much the resampled image of a star changes with the star's sub-pixel position.

    Parameters
    ----------
    star : float64 (rows, columns)
        Image of the star in the pixels that are resampled, all of it.
    kernel
        The kernel.

    Returns
    -------
    float
        The mean over all positions of the sum of squares of the image less the mean image, over the
        sum of squares of the mean image; 0 for a perfect kernel.

    Notes
    -----
    With the star's transform F and the kernel's W, that of the resampled image is the sum over m of
    W(k) F(k - 2 pi m) exp(-2 pi i m x) for a star at x. The term m = 0 is the mean image; the
    others, whose phases turn with x, are each as large as W at k + 2 pi m makes them. In two
    dimensions W is a product, and m is (m_x, m_y), not both 0.
    """
    size = 1 << (max(star.shape) - 1).bit_length()
    passed, repeated = _transfer(kernel, size)
    power = np.abs(np.fft.fft2(star, (size, size))) ** 2
    mean = float(np.sum(power * np.outer(passed, passed)))
    every = float(np.sum(power * np.outer(passed + repeated, passed + repeated)))
    return (every - mean) / mean


@functools.cache
def _transfer(kernel: WarpingKernel, size: int) -> tuple[_Floats, _Floats]:
    """|W|^2 at the frequencies of an FFT of a size, and its sum over all repetitions but that."""
    half = kernel.half_width
    offsets = np.arange(1 - half, half + 1)
    # At t = offset - fraction; both ends of a step count half.
    fractions = np.arange(_STEPS + 1) / _STEPS
    weights = np.array([kernel.weights(float(fraction)) for fraction in fractions]) / _STEPS
    weights[[0, -1]] *= 0.5
    t = offsets - fractions[:, np.newaxis]
    frequency = 2.0 * np.pi * np.fft.fftfreq(size)

    def squared(k: _Floats) -> _Floats:
        # Kernels are symmetric: the sine part is 0.
        waves = np.cos(k[:, np.newaxis, np.newaxis] * t)
        total: _Floats = (waves * weights).sum(axis=(1, 2)) ** 2
        return total

    repeated = sum(
        squared(frequency + 2.0 * np.pi * m)
        for m in range(-_REPETITIONS, _REPETITIONS + 1)
        if m != 0
    )
    return squared(frequency), np.asarray(repeated)
