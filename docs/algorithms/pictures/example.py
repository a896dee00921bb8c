"""The simulated survey that the pictures show, its warps and its coadd.

Three visits of four small detectors, the second turned by 90 degrees and the third by 10, with bad
columns and cosmic rays. Stars saturate early, so that it shows.
"""

from __future__ import annotations

__all__ = ["WARP_SETTINGS", "example_coadd", "example_images", "example_patch", "example_warps"]

import functools

from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.recipes import coadd_images
from cellcoadd.simulate import ArtifactSettings, simulate_survey, survey_plan
from cellcoadd.skymap import Patch, named_sky_map
from cellcoadd.surveys.rubin import calibrated_image_from_visit_image
from cellcoadd.warping.direct import DirectWarp, make_direct_warp
from cellcoadd.warping.settings import WarpSettings

_NOISE = 3

WARP_SETTINGS = WarpSettings(do_pre_warp_interpolation=True, number_of_noise_realizations=_NOISE)
"""With interpolation, and as many noise realizations as there can be."""


@functools.cache
def example_patch() -> Patch:
    """Return the patch that the survey is on."""
    return named_sky_map("hsc_rings_cells_v1")[9813].patch(61)


@functools.cache
def example_images() -> tuple[CalibratedImage, ...]:
    """Return the calibrated images of all visits."""
    plan = survey_plan("tests", artifacts=ArtifactSettings(saturation=4000.0))
    return tuple(calibrated_image_from_visit_image(image) for image in simulate_survey(plan))


@functools.cache
def example_warps() -> tuple[DirectWarp, ...]:
    """Return the warps of the visits and their noise, in the order of the visits."""
    images = example_images()
    warps = []
    for visit in sorted({image.observation.visit for image in images}):
        one = [image for image in images if image.observation.visit == visit]
        warp = make_direct_warp(one, example_patch(), settings=WARP_SETTINGS)
        assert warp is not None, "every visit reaches the patch"
        warps.append(warp)
    return tuple(warps)


@functools.cache
def example_coadd() -> MultipleCellCoadd:
    """Return the coadd of all visits, with the default settings and noise realizations."""
    coadd = coadd_images(
        example_images(), example_patch(), warp_settings=WARP_SETTINGS,
        coadd_settings=CoaddSettings(num_noise_realizations=_NOISE),
    )  # fmt: skip
    assert coadd is not None, "cells are covered"
    return coadd
