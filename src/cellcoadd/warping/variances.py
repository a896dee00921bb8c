"""What is known of the variance of a whole detector: its typical value, and its mean."""

from __future__ import annotations

__all__ = ["DetectorVariances", "mean_variance_njy2", "typical_variance"]

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..errors import UnusableInputError
from ..kernels.clipped_mean import clipped_mean
from ..products.calibrated_image import CalibratedImage
from ..products.identifiers import ObservationIdentifiers
from ..products.mask_planes import bits_of, plane_array

_NOT_MEASURED = ("BAD", "NO_DATA", "SAT", "CR")


class DetectorVariances:
    """Measures variances of detectors, each once, however often parts of a detector are prepared.

    Parameters
    ----------
    bad_mask_planes
        As for `typical_variance`.
    """

    def __init__(self, bad_mask_planes: Sequence[str]) -> None:
        self._bad_mask_planes = bad_mask_planes
        self._typical: dict[ObservationIdentifiers, float] = {}
        self._mean: dict[ObservationIdentifiers, float] = {}

    def typical(self, image: CalibratedImage) -> float:
        """Return the typical variance of a whole detector in counts^2; see `typical_variance`."""
        if image.observation not in self._typical:
            self._typical[image.observation] = typical_variance(image, self._bad_mask_planes)
        return self._typical[image.observation]

    def mean_njy2(self, image: CalibratedImage) -> float:
        """Return the mean variance of a whole detector in nJy^2; see `mean_variance_njy2`."""
        if image.observation not in self._mean:
            self._mean[image.observation] = mean_variance_njy2(image)
        return self._mean[image.observation]


def typical_variance(image: CalibratedImage, bad_mask_planes: Sequence[str]) -> float:
    """Return the median variance of a detector in counts^2, over its good pixels.

    These are finite, with a positive, finite variance, and neither NO_DATA nor in one of some
    planes. If there are none, planes are not looked at; NaN if there are none then.
    """
    masked_image = image.masked_image
    variance = masked_image.variance.array
    valid = np.isfinite(masked_image.image.array) & np.isfinite(variance) & (variance > 0)
    bits = bits_of(masked_image.mask.schema, ["NO_DATA", *bad_mask_planes], ignore_missing=True)
    typical = _median(variance, valid & ((plane_array(masked_image.mask) & bits) == 0))
    # Every good pixel flagged: the flagged ones are all there is to go by.
    return typical if np.isfinite(typical) else _median(variance, valid)


def _median(variance: npt.NDArray[np.float32], good: npt.NDArray[np.bool_]) -> float:
    values = variance[good]
    return float(np.median(values)) if values.size else float("nan")


def mean_variance_njy2(image: CalibratedImage) -> float:
    """Return the mean variance of a detector in nJy^2.

    It is what the survey states; else the mean over good pixels, clipped at 3 sigma twice,
    which keeps the Poisson noise of bright sources, where the variance follows the image, out of
    the weight.

    Raises
    ------
    UnusableInputError
        If it is neither stated nor measurable.
    """
    counts = image.mean_variance
    if counts is None:
        counts = _clipped_mean_variance(image)
    result = counts * image.nanojansky_per_count**2
    if not (np.isfinite(result) and result > 0):
        raise UnusableInputError(
            str(image.observation), f"the mean variance must be positive and finite, got {result}"
        )
    return float(result)


def _clipped_mean_variance(image: CalibratedImage) -> float:
    masked_image = image.masked_image
    bad = bits_of(masked_image.mask.schema, _NOT_MEASURED, ignore_missing=True)
    variance = masked_image.variance.array
    good = np.isfinite(variance) & (variance > 0) & ((plane_array(masked_image.mask) & bad) == 0)
    values = variance[good]
    if not values.size:
        raise UnusableInputError(
            str(image.observation),
            "its mean variance is not stated and cannot be measured: every pixel with a variance "
            f"is flagged {', '.join(_NOT_MEASURED)}",
        )
    return clipped_mean(values)
