"""Visit images to convert and files to break."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astro_metadata_translator import ObservationInfo
from astropy.coordinates import Angle, SkyCoord
from astropy.time import Time
from astropy.wcs import WCS
from lsst.images import (
    Box,
    DetectorFrame,
    Image,
    Mask,
    MaskPlane,
    MaskSchema,
    SkyProjection,
    VisitImage,
)
from lsst.images.psfs import GaussianPointSpreadFunction

from cellcoadd.simulate.camera import Camera

CAMERA = Camera(instrument="TestCam", width=70, height=60, first_x=3, first_y=5)


def make_projection(box: Box = CAMERA.bbox, **cards: Any) -> SkyProjection[DetectorFrame]:
    """A tangent plane of 0.2 arcsec pixels; cards replace those of its header."""
    header = {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRVAL1": 150.0,
        "CRVAL2": 2.0,
        "CRPIX1": 30.0,
        "CRPIX2": 30.0,
        "CDELT1": -0.2 / 3600,
        "CDELT2": 0.2 / 3600,
    }
    frame = DetectorFrame(instrument=CAMERA.instrument, visit=42, detector=1, bbox=box)
    return SkyProjection.from_fits_wcs(
        WCS(header | cards), frame, x0=box.x.start, y0=box.y.start, pixel_bounds=box
    )


def make_obs_info(**changes: Any) -> ObservationInfo:
    values: dict[str, Any] = {
        "instrument": CAMERA.instrument,
        "visit_id": 42,
        "detector_num": 1,
        "physical_filter": "r_03",
        "observing_day": 20250102,
        "observation_id": "TC_O_20250102_000042",
        "observation_counter": 42,
        "observation_type": "science",
        "observation_reason": "survey",
        "science_program": "P1",
        "object": "COSMOS",
        "datetime_begin": Time("2025-01-03T04:05:06", scale="tai"),
        "datetime_end": Time("2025-01-03T04:05:36", scale="tai"),
        "exposure_time": 30.0 * u.s,
        "boresight_airmass": 1.2,
        "boresight_rotation_angle": Angle(33.0, unit="deg"),
        "boresight_rotation_coord": "sky",
        "tracking_radec": SkyCoord(150.1, 2.1, unit="deg"),
    }
    return ObservationInfo.makeObservationInfo(**(values | changes))


def make_visit_image(
    *,
    unit: u.UnitBase = u.nJy,
    obs_info: ObservationInfo | None = None,
    projection: SkyProjection[DetectorFrame] | None = None,
    image: np.ndarray[Any, Any] | None = None,
    variance: np.ndarray[Any, Any] | None = None,
    **changes: Any,
) -> VisitImage:
    """A visit image of noise of variance 4 with one saturated, one cosmic-ray and one own plane."""
    box = CAMERA.bbox
    shape = (box.y.size, box.x.size)
    if image is None:
        image = np.random.default_rng(5).normal(0, 2, shape)
    if variance is None:
        variance = np.full(shape, 4.0)
    mask = Mask(
        0,
        schema=MaskSchema(
            [
                MaskPlane("SATURATED", "Too much light."),
                MaskPlane("COSMIC_RAY", "A muon."),
                MaskPlane("BAD", "Broken."),
                MaskPlane("MOON", "A plane that we do not know."),
            ]
        ),
        bbox=box,
    )
    for index, plane in enumerate(("SATURATED", "COSMIC_RAY", "BAD", "MOON")):
        selected = np.zeros(shape, dtype=bool)
        selected[10, 20 + index] = True
        mask.set(plane, selected)
    values: dict[str, Any] = {
        "mask": mask,
        "obs_info": make_obs_info() if obs_info is None else obs_info,
        "psf": GaussianPointSpreadFunction(2.0, box, 21),
        "detector": CAMERA.detector(1, visit=42),
        "band": "r",
        "variance": Image(variance.astype(np.float32), bbox=box, unit=unit**2),
    }
    return VisitImage(
        Image(
            image.astype(np.float32),
            bbox=box,
            unit=unit,
            sky_projection=make_projection() if projection is None else projection,
        ),
        **(values | changes),
    )


@pytest.fixture
def visit_image() -> Callable[..., VisitImage]:
    """Makes a visit image, changed as asked for."""
    return make_visit_image


@pytest.fixture
def projection() -> Callable[..., SkyProjection[DetectorFrame]]:
    """Makes a sky projection, its header changed as asked for."""
    return make_projection


@pytest.fixture
def obs_info() -> Callable[..., ObservationInfo]:
    """Makes standard metadata, changed as asked for."""
    return make_obs_info
