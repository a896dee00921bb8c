"""What is remembered of a visit while the strips of a patch are compared: few pixels, and counts.

How much noise a visit really has is known when all its strips have been seen; until then every
pixel that may be a detection is kept with its difference.
"""

from __future__ import annotations

__all__ = ["Candidates", "noise_factor"]

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from ..kernels.clipped_mean import IQR_TO_SIGMA
from ..kernels.differences import HISTOGRAM_BINS, HISTOGRAM_WIDTH

_LEAST_FACTOR = 0.25  # of the variance: less noise than half of what is stated is not believed
_LARGEST_FACTOR = 10.0  # that of the Rubin pipelines


@dataclasses.dataclass(eq=False)
class Candidates:
    """Pixels of a visit that may be detections.

    Parameters
    ----------
    n_pixels
        Number of pixels of the patch.
    threshold
        Standard deviations of the real noise that make a detection.
    """

    n_pixels: int
    threshold: float

    def __post_init__(self) -> None:
        self.histogram = np.zeros(HISTOGRAM_BINS, np.int64)
        """Counts of the differences of empty pixels over their stated noise."""
        self.too_wide = 0
        """Number of tiles where the PSF of the visit is too wide."""
        self._pixels: list[npt.NDArray[np.int64]] = []
        self._ratios: list[npt.NDArray[np.float32]] = []
        self._evidence = np.zeros((self.n_pixels + 7) // 8, np.uint8)

    @property
    def floor(self) -> float:
        """Differences over the stated noise that are less are not kept."""
        return self.threshold * math.sqrt(_LEAST_FACTOR)

    def keep(self, pixels: npt.NDArray[np.int64], ratios: npt.NDArray[np.float32]) -> None:
        """Remember pixels, by their flat indices, with their differences over the stated noise."""
        self._pixels.append(pixels)
        self._ratios.append(ratios)

    def keep_evidence(self, start: int, evidence: npt.NDArray[np.bool_]) -> None:
        """Remember which pixels are good, from a flat index on."""
        first = start // 8 * 8
        bits = np.zeros(start - first + evidence.size, np.bool_)
        bits[start - first :] = evidence.ravel()
        packed = np.packbits(bits)
        self._evidence[first // 8 : first // 8 + packed.size] |= packed

    def evidence_at(self, pixels: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Return which of some pixels are good."""
        good: npt.NDArray[np.bool_] = (
            self._evidence[pixels >> 3] >> (7 - (pixels & 7)).astype(np.uint8)
        ) & 1 == 1
        return good

    def detections(self) -> npt.NDArray[np.int64]:
        """Return the flat indices of pixels above the threshold, in order."""
        if not self._pixels:
            return np.empty(0, np.int64)
        pixels, ratios = np.concatenate(self._pixels), np.concatenate(self._ratios)
        least = self.threshold * math.sqrt(noise_factor(self.histogram))
        return np.sort(pixels[np.abs(ratios) > least])


def noise_factor(histogram: npt.NDArray[np.int64]) -> float:
    """Return by what the stated variance is to be multiplied, from differences over the noise.

    Parameters
    ----------
    histogram : int64 (HISTOGRAM_BINS,)
        Their counts; see `kernels.differences.measure_differences`.

    Notes
    -----
    The square of 0.74 times the interquartile range, which artifacts do not change, between 1/4 and
    10; 1 where there are too few pixels to tell.
    """
    total = int(histogram.sum())
    if total < 100:
        return 1.0
    below = np.concatenate([[0], np.cumsum(histogram)])
    edges = (np.arange(HISTOGRAM_BINS + 1) - HISTOGRAM_BINS // 2) * HISTOGRAM_WIDTH
    first, third = np.interp([0.25 * total, 0.75 * total], below, edges)
    factor = (IQR_TO_SIGMA * (third - first)) ** 2
    return float(min(max(factor, _LEAST_FACTOR), _LARGEST_FACTOR))
