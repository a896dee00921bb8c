"""What is known of the variance of a whole detector: its typical value, and its mean."""

from __future__ import annotations

__all__ = ["DetectorVariances", "mean_variance_njy2", "typical_variance"]

from collections.abc import Sequence

import numpy as np

from ..errors import UnusableInputError
from ..kernels.clipped_mean import clipped_mean
from ..kernels.median import median_of_positive
from ..masks.planes import bits_of, plane_array
from ..products.calibrated_image import CalibratedImage
from ..products.identifiers import ObservationIdentifiers

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

    def is_typical_known(self, image: CalibratedImage) -> bool:
        """Return whether the typical variance of a detector has been measured."""
        return image.observation in self._typical

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
    schema = image.masked_image.mask.schema
    typical = _median(image, bits_of(schema, ["NO_DATA", *bad_mask_planes], ignore_missing=True))
    # Every good pixel flagged: the flagged ones are all there is to go by.
    return typical if np.isfinite(typical) else _median(image, 0)


def _median(image: CalibratedImage, bad_bits: int) -> float:
    """Return the median variance of the valid pixels without some bits."""
    planes = image.masked_image
    middle = median_of_positive(
        np.ascontiguousarray(planes.variance.array, np.float32).view(np.int32),
        np.ascontiguousarray(planes.image.array, np.float32),
        np.ascontiguousarray(plane_array(planes.mask)),
        bad_bits,
    )
    low, high = np.array(middle, np.int32).view(np.float32)
    return float((low + high) / np.float32(2.0)) if low > 0.0 else float("nan")


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
