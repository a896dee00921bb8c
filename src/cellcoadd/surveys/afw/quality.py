"""Summary statistics of afw exposures, as the selection of inputs takes them.

They lie in the archive as YAML, or as columns of a visit summary. What a version of the pipelines
did not measure is not there, and is not cut on; NaN beside other numbers is a failure.
"""

from __future__ import annotations

__all__ = ["mean_variance", "quality_of_statistics", "read_statistics"]

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from lsst.images import Box, SkyProjection

from ...errors import UnusableInputError
from ...products.calibrated_image import ImageQuality
from .._base import pixel_scale_arcsec
from ..rubin.quality import STAR_STATISTICS
from .exposure_file import ExposureFile

_MOST_CHARACTERS = 1_000_000
_SAME_VARIANCE = 2.0  # ratio within which a stated mean variance is that of the pixels


def read_statistics(exposure: ExposureFile) -> Mapping[str, float]:
    """Return the statistics by the names of the Rubin pipelines: the visit summary's, if it is one.

    Raises
    ------
    UnusableInputError
        If they are there and cannot be read.
    """
    stored = exposure.own("SUMMARY_STATS")
    values: dict[str, float] = {}
    if stored is not None:
        try:
            values = _loaded(stored.table().data("bytes").rstrip(b"\0"))
        except (ValueError, OverflowError, RecursionError, yaml.YAMLError) as error:
            raise UnusableInputError(
                exposure.source, f"its summary statistics are no YAML ({error})."
            ) from error
    return values if exposure.summary is None else {**values, **exposure.summary.statistics}


def _loaded(text: bytes) -> dict[str, float]:
    """Read YAML, of which nothing but plain values is made."""
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"they have {len(text)} characters, {_MOST_CHARACTERS} are allowed")
    loaded = yaml.safe_load(text.decode("utf-8"))
    if not isinstance(loaded, dict):
        raise ValueError("they are no names with numbers")
    return {
        str(key): float(value)
        for key, value in loaded.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def quality_of_statistics(
    statistics: Mapping[str, float],
    projection: SkyProjection[Any],
    bbox: Box,
    *,
    has_corrections: bool,
) -> ImageQuality:
    """Return what the selection cuts on.

    Parameters
    ----------
    statistics
        By the names of the Rubin pipelines.
    projection, bbox
        Where the pixel scale is measured if it is not stated.
    has_corrections
        Whether there are aperture corrections, whose statistic goes with them.
    """
    stars = statistics.get("nPsfStar")
    measured = bool(stars) or any(
        math.isfinite(statistics.get(name, math.nan)) for name in STAR_STATISTICS
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


def mean_variance(
    stated: float | None, sample: npt.NDArray[Any], *, njy_per_count: float, is_flux: bool
) -> float | None:
    """Return a stated mean variance in the unit of the variance plane, if it is one of it.

    Parameters
    ----------
    stated
        As the statistics have it: in counts, before or after the calibration.
    sample : (rows, columns)
        Some rows of the variance plane.
    njy_per_count
        Flux of one of the counts that the image was made of.
    is_flux
        Whether the plane is in nJy^2 already.

    Returns
    -------
    variance
        What agrees with the median of the rows within a factor of two; None if nothing does, so
        that it is measured.
    """
    if stated is None or not (math.isfinite(stated) and stated > 0):
        return None
    sample = sample[np.isfinite(sample) & (sample > 0)]
    if sample.size == 0:
        return None
    measured = float(np.median(sample))
    other = stated * njy_per_count**2 if is_flux else stated / njy_per_count**2
    best = min((stated, other), key=lambda value: abs(math.log(value / measured)))
    return best if 1.0 / _SAME_VARIANCE <= best / measured <= _SAME_VARIANCE else None
