"""The summary statistics of a Rubin visit image, as the selection of inputs takes them.

`lsst.images` says NaN of a statistic that was not measured and of one whose measurement failed. The
first comes out as None and is not cut on; the second as NaN, which passes no cut.
"""

from __future__ import annotations

__all__ = ["STAR_STATISTICS", "quality_of_visit_image", "stated_sky"]

import math
from collections.abc import Mapping
from typing import Any

from lsst.images import Box, ObservationSummaryStats, VisitImage

from ...conventions import nanojansky_per_count
from ...products.calibrated_image import ImageQuality
from .._base import pixel_scale_arcsec

STAR_STATISTICS = (
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

    Notes
    -----
    If any statistic of the PSF's stars is stated, the others were measured as well: what is NaN, or
    0 stars, is a failure, which the Rubin pipelines refuse too. The aperture corrections' statistic
    goes with the corrections themselves.
    """
    stats, projection = image.summary_stats, image.sky_projection
    measured = _was_measured(stats)

    def told(value: float, *, was_tried: bool = measured) -> float | None:
        return float(value) if math.isfinite(value) else math.nan if was_tried else None

    scale: Any = stats.pixelScale
    return ImageQuality(
        psf_sigma=told(stats.psfSigma),
        psf_star_delta_e_median=told(
            math.hypot(stats.psfStarDeltaE1Median, stats.psfStarDeltaE2Median)
        ),
        psf_star_scaled_delta_size_scatter=told(stats.psfStarScaledDeltaSizeScatter),
        psf_trace_radius_delta=told(stats.psfTraceRadiusDelta),
        psf_ap_flux_delta=told(stats.psfApFluxDelta),
        psf_ap_corr_sigma_scaled_delta=told(
            stats.psfApCorrSigmaScaledDelta,
            was_tried=measured and len(image.aperture_corrections) > 0,
        ),
        n_psf_star=stats.nPsfStar if measured else None,
        star_e_median=told(stats.starEMedian),
        pixel_scale_arcsec=(
            float(scale) if math.isfinite(scale) else pixel_scale_arcsec(projection, bbox)
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


def _was_measured(stats: ObservationSummaryStats) -> bool:
    return stats.nPsfStar > 0 or any(
        math.isfinite(getattr(stats, name)) for name in STAR_STATISTICS
    )
