"""Which detectors a survey of an area needs, and that the others change nothing."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellcoadd.simulate import Camera, SurveyPlan, VisitPlan, simulate_survey
from cellcoadd.simulate.area import touches_area
from cellcoadd.simulate.pointing import DetectorPointing, tangent_plane

# 60 x 40 arcsec: a detector of 60 x 40 pixels of one arcsecond.
CAMERA = Camera(columns=1, rows=1, width=60, height=40, pixel_scale=1.0)
RA, DEC = 150.0, 2.2


def looking(*, east: float, north: float, rotation: float) -> DetectorPointing:
    """The detector with its middle so many arcseconds from the centre of the area."""
    dec = DEC + north / 3600.0
    ra = RA + east / 3600.0 / math.cos(math.radians(dec))
    return DetectorPointing(camera=CAMERA, detector=0, ra=ra, dec=dec, rotation=rotation)


@pytest.mark.parametrize(
    ("east", "north", "rotation", "touched"),
    [
        # The area reaches 50 arcsec to the east and 10 to the north, the detector 30 and 20.
        (79.0, 0.0, 0.0, True),
        (81.0, 0.0, 0.0, False),
        (69.0, 0.0, 90.0, True),
        (71.0, 0.0, 90.0, False),
        (0.0, 29.0, 0.0, True),
        (0.0, -31.0, 0.0, False),
        # Corners point at each other: by bounding boxes the two would touch.
        (81.0, 41.0, 45.0, False),
    ],
)
def test_touching_by_hand(east: float, north: float, rotation: float, touched: bool) -> None:
    """A rectangle of 100 x 20 arcsec and one of 60 x 40."""
    pointing = looking(east=east, north=north, rotation=rotation)
    size = (100.0 / 60.0, 20.0 / 60.0)
    assert touches_area(pointing, ra=RA, dec=DEC, size_arcmin=size) is touched


@settings(deadline=None, max_examples=200)
@given(
    east=st.floats(-120.0, 120.0), north=st.floats(-120.0, 120.0), rotation=st.floats(0.0, 360.0),
    width=st.floats(20.0, 200.0), height=st.floats(20.0, 200.0),
)  # fmt: skip
def test_a_detector_touches_what_its_pixels_see(
    east: float, north: float, rotation: float, width: float, height: float
) -> None:
    """Looked up point by point, every half arcsecond: it can be missed by half of that at most.

    Both are wider than 20 arcsec, so that an overlap of more than a corner holds such a point; the
    area is grown and shrunk by two arcsec, where a corner as sharp as a right angle is that large.
    """
    pointing = looking(east=east, north=north, rotation=rotation)
    y, x = np.mgrid[-0.5:39.5:81j, -0.5:59.5:121j]
    ra, dec = pointing.to_sky(x=x, y=y)
    sky = tangent_plane(ra=ra, dec=dec, ra0=RA, dec0=DEC)
    far_east, far_north = (np.abs(np.degrees(value)) * 3600.0 for value in sky)

    def seen(extra: float) -> bool:
        inside = (far_east < 0.5 * width + extra) & (far_north < 0.5 * height + extra)
        return bool(inside.any())

    touched = touches_area(pointing, ra=RA, dec=DEC, size_arcmin=(width / 60.0, height / 60.0))
    assert touched or not seen(0.0)
    assert not touched or seen(2.0)


def test_the_other_side_of_the_sky_is_not_touched() -> None:
    """It has no place in the plane that touches the sky at the area."""
    behind = DetectorPointing(camera=CAMERA, detector=0, ra=RA - 180.0, dec=-DEC, rotation=0.0)
    assert not touches_area(behind, ra=RA, dec=DEC, size_arcmin=(10.0, 10.0))


PLAN = SurveyPlan(
    visits=(VisitPlan(visit=3, rotation=30.0), VisitPlan(visit=9, psf="moffat", dither_east=9.0)),
    camera=Camera(columns=4, rows=3, width=100, height=90, gap_x=10, gap_y=12),
    seed=8,
)


def test_an_image_is_the_same_whatever_area_the_survey_is_for() -> None:
    """Sources are drawn for the whole camera, so that a larger survey holds the smaller one."""
    part = dataclasses.replace(PLAN, area_arcmin=(0.2, 0.3))
    whole = dict(zip(PLAN.exposures, simulate_survey(PLAN), strict=True))
    assert len(whole) == 24
    assert 2 <= len(part.exposures) <= 8
    assert len(part.truth) < len(PLAN.truth)
    for where, image in zip(part.exposures, simulate_survey(part), strict=True):
        np.testing.assert_array_equal(image.image.array, whole[where].image.array)
        np.testing.assert_array_equal(image.mask.array, whole[where].mask.array)


@pytest.mark.parametrize(
    ("size", "message"),
    [((0.0, 1.0), r"larger than 0, got \(0\.0, 1\.0\)"), ((0.001, 0.001), "No detector of any")],
)
def test_an_area_that_nothing_sees_is_refused(size: tuple[float, float], message: str) -> None:
    """The second lies in the gap between the middle columns, which are 10 pixels, 1.68", apart."""
    plan = dataclasses.replace(PLAN, visits=PLAN.visits[:1])
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(plan, area_arcmin=size)
