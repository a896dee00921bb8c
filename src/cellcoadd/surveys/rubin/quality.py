"""The summary statistics of the Rubin pipelines, as the selection of inputs takes them.

`lsst.images` says NaN of a statistic that was not measured and of one whose measurement failed. The
first comes out as None and is not cut on; the second as NaN, which passes no cut.
"""

from __future__ import annotations

__all__ = [
    "quality_of_statistics",
    "quality_of_visit_image",
    "stated_sky",
    "variance_that_agrees",
]

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images import Box, SkyProjection, VisitImage

from ...conventions import nanojansky_per_count
from ...products.calibrated_image import ImageQuality
from .._base import pixel_scale_arcsec

_SAME_VARIANCE = 2.0  # ratio within which a stated mean variance is that of the pixels

_STAR_STATISTICS = (
    "psfArea",
    "psfIxx",
    "psfStarDeltaE1Median",
    "psfStarDeltaE2Median",
    "psfStarScaledDeltaSizeScatter",
    "psfTraceRadiusDelta",
    "psfApFluxDelta",
    "starEMedian",
)
"""Statistics that the Rubin pipelines measure together: one of them tells that all were tried."""


def quality_of_visit_image(image: VisitImage, bbox: Box) -> ImageQuality:
    """Return the statistics of an image.

    Parameters
    ----------
    image
        With its summary statistics.
    bbox
        All pixels of it, where the pixel scale is measured if it is not stated.
    """
    return quality_of_statistics(
        vars(image.summary_stats),
        image.sky_projection,
        bbox,
        has_corrections=len(image.aperture_corrections) > 0,
    )


def quality_of_statistics(
    statistics: Mapping[str, Any],
    projection: SkyProjection[Any],
    bbox: Box,
    *,
    has_corrections: bool,
) -> ImageQuality:
    """Return what the selection cuts on.

    Parameters
    ----------
    statistics
        By the names of the Rubin pipelines; others are passed over.
    projection, bbox
        Where the pixel scale is measured if it is not stated.
    has_corrections
        Whether there are aperture corrections, whose statistic goes with them.

    Notes
    -----
    If any statistic of the PSF's stars is stated, the others were measured as well: what is NaN, or
    0 stars, is a failure, which the Rubin pipelines refuse too.
    """
    stars = statistics.get("nPsfStar")
    measured = bool(stars) or any(
        math.isfinite(statistics.get(name, math.nan)) for name in _STAR_STATISTICS
    )

    def told(name: str, *, was_tried: bool = measured) -> float | None:
        value = statistics.get(name)
        if value is None:
            return None
        return value if math.isfinite(value) else math.nan if was_tried else None

    e1, e2 = told("psfStarDeltaE1Median"), told("psfStarDeltaE2Median")
    scale = statistics.get("pixelScale", math.nan)
    return ImageQuality(
        psf_sigma=told("psfSigma"),
        psf_star_delta_e_median=None if e1 is None or e2 is None else math.hypot(e1, e2),
        psf_star_scaled_delta_size_scatter=told("psfStarScaledDeltaSizeScatter"),
        psf_trace_radius_delta=told("psfTraceRadiusDelta"),
        psf_ap_flux_delta=told("psfApFluxDelta"),
        psf_ap_corr_sigma_scaled_delta=told(
            "psfApCorrSigmaScaledDelta", was_tried=measured and has_corrections
        ),
        n_psf_star=int(stars) if stars is not None and measured and math.isfinite(stars) else None,
        star_e_median=told("starEMedian"),
        pixel_scale_arcsec=(
            scale if math.isfinite(scale) and scale > 0 else pixel_scale_arcsec(projection, bbox)
        ),
    )


def stated_sky(statistics: Mapping[str, Any]) -> dict[str, float]:
    """Return level and noise of the sky in nJy, as `ObservationDetails.conditions` takes them.

    Parameters
    ----------
    statistics
        By the names of the Rubin pipelines, which measure the sky in counts, and the zero point of
        these same counts.
    """
    names = {"sky_background_njy": "skyBg", "sky_noise_njy": "skyNoise"}
    zero_point = statistics.get("zeroPoint", math.nan)
    return {
        ours: statistics.get(theirs, math.nan) * nanojansky_per_count(zero_point)
        for ours, theirs in names.items()
    }


def variance_that_agrees(candidates: Sequence[float], sample: npt.NDArray[Any]) -> float | None:
    """Return the mean variance, of those that one may be stated as, that is of some pixels.

    Parameters
    ----------
    candidates
        In this unit and that.
    sample
        Some pixels of the variance plane.

    Returns
    -------
    variance
        What agrees best with the median of the pixels, and within a factor of two; None if nothing
        does, or no pixel has a variance.
    """
    sample = sample[np.isfinite(sample) & (sample > 0)]
    if sample.size == 0:
        return None
    measured = float(np.median(sample))
    best = min(candidates, key=lambda value: abs(math.log(value / measured)))
    return best if 1.0 / _SAME_VARIANCE <= best / measured <= _SAME_VARIANCE else None
