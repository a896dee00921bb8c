"""Quality cuts before warping."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from cellcoadd.conventions import FWHM_PER_SIGMA
from cellcoadd.products.calibrated_image import ImageQuality
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.warping.direct import make_direct_warp
from cellcoadd.warping.select import select_images
from cellcoadd.warping.settings import SelectionSettings, WarpSettings

PATCH = small_patch()
DEFAULTS = SelectionSettings()
LIMITS = [
    ("psf_star_delta_e_median", "max_ellip_residual", 0.007),
    ("psf_star_scaled_delta_size_scatter", "max_scaled_size_scatter", 0.019),
    ("psf_trace_radius_delta", "max_psf_trace_radius_delta", 0.7),
    ("psf_ap_flux_delta", "max_psf_ap_flux_delta", 0.24),
    ("psf_ap_corr_sigma_scaled_delta", "max_psf_ap_corr_sigma_scaled_delta", 0.22),
    ("star_e_median", "max_star_e", 0.4),
]


def quality(**statistics: Any) -> ImageQuality:
    return ImageQuality(**statistics)


def reasons(measured: ImageQuality, settings: SelectionSettings = DEFAULTS) -> list[str]:
    image = make_detector(PATCH, width=8, height=8, quality=measured)
    accepted, refused = select_images([image], settings)
    assert len(accepted) + len(refused) == 1
    return [refusal.reason for refusal in refused]


@pytest.mark.parametrize(("statistic", "setting", "limit"), LIMITS)
def test_a_statistic_is_cut_at_its_limit(statistic: str, setting: str, limit: float) -> None:
    """At the limit an image passes, above it not; the reason names value and setting."""
    assert getattr(DEFAULTS, setting) == limit
    assert reasons(quality(**{statistic: limit})) == []
    (reason,) = reasons(quality(**{statistic: 2 * limit}))
    assert f"{2 * limit:.4g}" in reason
    assert setting in reason
    off = dataclasses.replace(DEFAULTS, **{setting: None})
    assert reasons(quality(**{statistic: 2 * limit}), off) == []


def test_seeing_is_cut_in_arcseconds() -> None:
    """FWHM = 2.3548 sigma times the pixel scale; 1.8" at 0.2" a pixel is sigma 3.82 px."""
    limit = 1.8 / 0.2 / FWHM_PER_SIGMA
    good, bad = (
        ImageQuality(psf_sigma=factor * limit, pixel_scale_arcsec=0.2) for factor in (0.999, 1.001)
    )
    assert reasons(good) == []
    assert "max_psf_fwhm = 1.8" in reasons(bad)[0]
    assert reasons(ImageQuality(psf_sigma=100.0)) == [], "no scale, no width in arcseconds"


def test_number_of_stars_is_cut_from_below() -> None:
    """Six are enough."""
    assert reasons(ImageQuality(n_psf_star=6)) == []
    assert "5 stars, below min_n_psf_star = 6" in reasons(ImageQuality(n_psf_star=5))[0]


def test_what_was_not_measured_is_not_cut_on() -> None:
    """Surveys that state no statistics are used."""
    assert reasons(ImageQuality()) == []


def test_a_statistic_that_failed_does_not_pass() -> None:
    """NaN is below no limit."""
    assert len(reasons(ImageQuality(star_e_median=np.nan))) == 1


def test_refused_detectors_are_logged_and_listed(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody should wonder where a detector went."""
    images = [
        make_detector(PATCH, detector=4),
        make_detector(PATCH, detector=5, quality=ImageQuality(n_psf_star=1)),
    ]
    made = make_direct_warp(images, PATCH, settings=WarpSettings())
    assert made is not None
    assert [entry.observation.detector for entry in made.warp.inputs] == [4]
    assert [refusal.observation.detector for refusal in made.refused] == [5]
    assert "Cam visit 1 detector 5 (i): the PSF was made from 1 stars" in caplog.text
    everything = make_direct_warp(images, PATCH, settings=WarpSettings(do_select_pre_warp=False))
    assert everything is not None
    assert len(everything.warp.inputs) == 2


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_senseless_cuts_are_refused(value: float) -> None:
    """The message names the setting."""
    with pytest.raises(ValueError, match="max_star_e must be a finite number"):
        SelectionSettings(max_star_e=value)
