"""Typical and mean variances of detectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cellcoadd.errors import UnusableInputError
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.warping.variances import DetectorVariances, mean_variance_njy2, typical_variance

PATCH = small_patch()
SHAPE = (40, 50)


def detector(**values: Any) -> CalibratedImage:
    return make_detector(PATCH, width=SHAPE[1], height=SHAPE[0], **values)


def somewhere(*places: tuple[slice | int, slice | int]) -> npt.NDArray[np.bool_]:
    where = np.zeros(SHAPE, np.bool_)
    for place in places:
        where[place] = True
    return where


def test_typical_variance_is_the_median_of_good_pixels() -> None:
    """Neither flagged, nor without data, nor invalid; flagged ones if there are no others."""
    variance, pixels = np.full(SHAPE, 9.0), np.zeros(SHAPE)
    variance[0, :3] = 2.0, 3.0, 4.0
    unread, saturated = somewhere((slice(1, 20), slice(None))), somewhere((slice(30, 40), 4))
    pixels[20:30] = np.nan
    variance[30:, 5:] = np.inf
    variance[30:, :4] = -1.0
    flags = {"NO_DATA": unread, "SAT": saturated, "CR": somewhere((0, slice(3, 50)))}
    image = detector(pixels=pixels, variance=variance, flags=flags)
    assert typical_variance(image, ["SAT", "CR"]) == 3.0
    assert typical_variance(image, ["CR"]) == 9.0
    everything = {"SAT": np.ones(SHAPE, np.bool_)}
    assert typical_variance(detector(variance=5.0, flags=everything), ["SAT"]) == 5.0
    assert np.isnan(typical_variance(detector(variance=0.0), []))


def test_they_are_measured_once_a_detector() -> None:
    """Whatever becomes of its pixels; another detector has its own."""
    variances = DetectorVariances(["SAT"])
    image, other = detector(variance=4.0), detector(variance=9.0, detector=7)
    first = variances.typical(image), variances.mean_njy2(image)
    image.masked_image.variance.array[:] = 25.0
    assert (variances.typical(image), variances.mean_njy2(image)) == first
    assert variances.typical(other) == 9.0


def test_stated_mean_variance_is_the_weight() -> None:
    """In counts, so it is calibrated like the pixels."""
    assert mean_variance_njy2(detector(mean_variance=10.0, nanojansky_per_count=3.0)) == 90.0
    with pytest.raises(UnusableInputError, match="mean variance must be positive"):
        mean_variance_njy2(detector(mean_variance=0.0))


def test_mean_variance_that_cannot_be_measured_is_a_refusal() -> None:
    """The message says that it is not stated either."""
    with pytest.raises(UnusableInputError, match="not stated and cannot be measured"):
        mean_variance_njy2(detector(flags={"SAT": np.ones(SHAPE, np.bool_)}))


def test_measured_mean_variance_is_that_of_the_sky() -> None:
    """Bright stars, saturation and unread pixels do not lower the weight."""
    variance = np.full(SHAPE, 4.0)
    variance[5:8, 5:8] = 400.0
    variance[20:30, 20:30] = 1e5
    image = detector(variance=variance, flags={"SAT": somewhere((slice(20, 30), slice(20, 30)))})
    assert mean_variance_njy2(image) == pytest.approx(4.0, rel=1e-6)
