"""Images of two neighbouring detectors, side by side or overlapping, in counts of their own."""

from __future__ import annotations

__all__ = ["OVERLAP", "SEEING", "detector_pair", "images_in_counts", "stars_at_the_edge"]

import dataclasses
import math

import numpy as np
import numpy.typing as npt
from astropy.table import Table
from lsst.images import XY, Image, MaskedImage

from ...products.calibrated_image import CalibratedImage
from ...simulate import Camera, SurveyPlan, VisitPlan
from .sources import ARCSEC_PER_PIXEL, images_of, physics_patch, physics_plan, stars_at

type _Floats = npt.NDArray[np.float64]

OVERLAP = 80
"""Columns, of 420, that detectors share which overlap."""

SEEING = 0.8
"""FWHM of the stars in arcsec."""

_WORTH = {1: (1.0, 2.7), 2: (0.4, 1.9), 3: (3.3, 0.7), 4: (1.3, 1.0)}  # nJy a count, by visit
_WIDTH, _HEIGHT = 420, 700  # pixels
_ROTATION = 37.0


def detector_pair(
    *, overlap: int, sky_level: float = 0.0, sources: Table | None = None
) -> list[CalibratedImage]:
    """Return one visit of two detectors that share a number of columns on the sky, in counts."""
    if not overlap:
        camera = Camera(columns=2, rows=1, width=_WIDTH, height=_HEIGHT, gap_x=0)
        visit = VisitPlan(visit=1, rotation=_ROTATION, seeing=SEEING)
        plan = physics_plan((visit,), camera=camera, sky_level=sky_level, sources=sources)
        return images_in_counts(plan)
    images = []
    for detector in (0, 1):
        plan = _overlapping_plan(detector, overlap, sky_level=sky_level, sources=sources)
        (image,) = images_of(plan)
        observation = dataclasses.replace(image.observation, detector=detector)
        images.append(dataclasses.replace(image, observation=observation))
    return [_in_counts(image) for image in images]


def images_in_counts(plan: SurveyPlan) -> list[CalibratedImage]:
    """Return all images of a survey of two detectors and up to four visits, in counts."""
    return [_in_counts(image) for image in images_of(plan)]


def stars_at_the_edge(rng: np.random.Generator) -> tuple[Table, XY[_Floats]]:
    """Return stars at the first columns of the second detector: in a warp they are of both."""
    pointing = _overlapping_plan(1, OVERLAP).pointing(1, 0)
    rows = np.arange(60.0, _HEIGHT - 60.0, 60.0)
    ra, dec = pointing.to_sky(
        x=rng.uniform(0.0, 5.0, rows.size), y=rows + rng.uniform(-5.0, 5.0, rows.size)
    )
    plane = physics_patch().plane
    x, y = plane.sky_to_pixel(ra=ra, dec=dec)
    return stars_at(XY(x=x, y=y)), XY(x=x, y=y)


def _overlapping_plan(
    detector: int, overlap: int, *, sky_level: float = 0.0, sources: Table | None = None
) -> SurveyPlan:
    """Return the exposure of one of the two as if it were a camera of its own."""
    shift = (detector - 0.5) * (_WIDTH - overlap) * ARCSEC_PER_PIXEL
    angle = math.radians(_ROTATION)
    visit = VisitPlan(
        visit=1, rotation=_ROTATION, seeing=SEEING,
        # The columns of a camera that is turned to the east by an angle follow each other to the
        # west and, by its sine, to the north.
        dither_east=-shift * math.cos(angle), dither_north=shift * math.sin(angle),
    )  # fmt: skip
    camera = Camera(columns=1, rows=1, width=_WIDTH, height=_HEIGHT)
    return physics_plan((visit,), camera=camera, sky_level=sky_level, sources=sources)


def _in_counts(image: CalibratedImage) -> CalibratedImage:
    """Return the same image with the zero point of its detector in its visit."""
    worth = _WORTH[image.observation.visit][image.observation.detector]
    planes = image.masked_image
    assert image.nanojansky_per_count == 1.0, "the survey's images are in nJy"
    counts = MaskedImage(
        Image(planes.image.array / np.float32(worth), bbox=planes.bbox),
        mask=planes.mask,
        variance=Image(planes.variance.array / np.float32(worth**2), bbox=planes.bbox),
        sky_projection=image.sky_projection,
    )
    mean = image.mean_variance
    return dataclasses.replace(
        image, masked_image=counts, nanojansky_per_count=worth,
        mean_variance=None if mean is None else mean / worth**2,
    )  # fmt: skip
