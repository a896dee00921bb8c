"""Choose the detectors that are good enough to be warped; say why the others are not."""

from __future__ import annotations

__all__ = ["Refusal", "select_images"]

import dataclasses
import math
from collections.abc import Sequence

from ..conventions import FWHM_PER_SIGMA
from ..products.calibrated_image import CalibratedImage, ImageQuality
from ..products.identifiers import ObservationIdentifiers
from .settings import SelectionSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Refusal:
    """A detector that was left out, and why."""

    observation: ObservationIdentifiers
    reason: str
    source: str | None = None
    """The file whose pixels could not be read; None if it is the image that is not wanted."""

    def __str__(self) -> str:
        where = "" if self.source is None else f"{self.source}: "
        return f"{self.observation}: {where}{self.reason}"


def select_images(
    images: Sequence[CalibratedImage], settings: SelectionSettings
) -> tuple[list[CalibratedImage], list[Refusal]]:
    """Return the images that pass every cut, and a refusal for each of the others."""
    accepted: list[CalibratedImage] = []
    refused: list[Refusal] = []
    for image in images:
        reason = _reason_to_refuse(image.quality, settings)
        if reason is None:
            accepted.append(image)
        else:
            refused.append(Refusal(observation=image.observation, reason=reason))
    return accepted, refused


def _reason_to_refuse(quality: ImageQuality, settings: SelectionSettings) -> str | None:
    fwhm = None
    if quality.psf_sigma is not None and quality.pixel_scale_arcsec is not None:
        fwhm = FWHM_PER_SIGMA * quality.psf_sigma * quality.pixel_scale_arcsec
    upper_limits = (
        ("PSF FWHM in arcsec", fwhm, "max_psf_fwhm"),
        ("ellipticity residual", quality.psf_star_delta_e_median, "max_ellip_residual"),
        (
            "scaled size scatter",
            quality.psf_star_scaled_delta_size_scatter,
            "max_scaled_size_scatter",
        ),
        ("PSF trace radius range", quality.psf_trace_radius_delta, "max_psf_trace_radius_delta"),
        ("PSF aperture flux range", quality.psf_ap_flux_delta, "max_psf_ap_flux_delta"),
        (
            "scaled aperture correction range",
            quality.psf_ap_corr_sigma_scaled_delta,
            "max_psf_ap_corr_sigma_scaled_delta",
        ),
        ("median star ellipticity", quality.star_e_median, "max_star_e"),
    )
    for name, value, setting in upper_limits:
        limit = getattr(settings, setting)
        # A statistic that is NaN was measured and failed: it must not pass a cut.
        if limit is not None and value is not None and math.isnan(value):
            return f"{name} was measured in vain: it is NaN, which {setting} = {limit:g} refuses"
        if limit is not None and value is not None and value > limit:
            return f"{name} is {value:.4g}, above {setting} = {limit:g}"
    count, least = quality.n_psf_star, settings.min_n_psf_star
    if least is not None and count is not None and count < least:
        return f"the PSF was made from {count} stars, below min_n_psf_star = {least}"
    return None
