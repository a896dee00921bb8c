"""The simulated camera: where its detectors are, in its own terms and in those of lsst.images."""

from __future__ import annotations

import numpy as np
import pytest
from lsst.images import Box

from cellcoadd.simulate import Camera

CAMERA = Camera(
    columns=3, rows=2, width=100, height=60, gap_x=10, gap_y=20, first_x=5, first_y=-2,
    distortion=2e3,
)  # fmt: skip


def test_gaps_separate_neighbouring_detectors() -> None:
    """A camera has one optical axis: its place in the neighbours' pixels differs by their pitch."""
    first, right, above = (CAMERA.axis_of(detector) for detector in (0, 1, 3))
    assert first.x - right.x == pytest.approx(110.0)
    assert first.y - right.y == pytest.approx(0.0)
    assert first.y - above.y == pytest.approx(80.0)
    # The middle column of three is on the axis: its pixels 5..104 have their middle at 54.5.
    assert right.x == pytest.approx(54.5)
    assert CAMERA.name_of(4) == "1_01"
    assert CAMERA.bbox == Box.factory[-2:58, 5:105]


@pytest.mark.parametrize("detector", [0, 2, 4])
def test_frames_of_lsst_images_tell_the_same_geometry(detector: int) -> None:
    """Field angles from AST's frame set, kept as text, against the formula for the distortion."""
    described = CAMERA.detector(detector, visit=7)
    assert described.frame.bbox == CAMERA.bbox
    assert (described.instrument, described.visit, described.id) == ("HSC", 7, detector)
    x, y = np.array([5.0, 104.0, 33.3]), np.array([-2.0, 57.0, 12.2])
    angle = described.to_field_angle.apply_forward(x=x, y=y)
    axis = CAMERA.axis_of(detector)
    u = (x - axis.x) * CAMERA.radians_per_pixel
    v = (y - axis.y) * CAMERA.radians_per_pixel
    stretch = 1.0 + 2e3 * (u**2 + v**2)
    np.testing.assert_allclose(angle.x, u * stretch, rtol=1e-10, atol=0)
    np.testing.assert_allclose(angle.y, v * stretch, rtol=1e-10, atol=0)
    back = described.to_field_angle.apply_inverse(x=angle.x, y=angle.y)
    np.testing.assert_allclose(back.x, x, atol=1e-6)


def test_the_reference_point_is_the_middle_of_the_detector() -> None:
    """The orientation and the transform are two statements of where a detector is mounted."""
    described = CAMERA.detector(5)
    orientation = described.orientation
    plane = described.to_focal_plane.apply_forward(
        x=orientation.pixel_reference_x, y=orientation.pixel_reference_y
    )
    assert plane.x == pytest.approx(orientation.focal_plane_x)
    assert plane.y == pytest.approx(orientation.focal_plane_y)


@pytest.mark.parametrize("detector", [-1, 6])
def test_a_detector_that_does_not_exist_is_refused(detector: int) -> None:
    """Not wrapped around to another one."""
    with pytest.raises(ValueError, match=r"HSC has detectors 0\.\.5, got"):
        CAMERA.axis_of(detector)


@pytest.mark.parametrize(
    ("setting", "value"), [("width", 0), ("gap_x", -1), ("pixel_scale", -0.2), ("instrument", "")]
)
def test_an_impossible_camera_is_refused(setting: str, value: object) -> None:
    """A setting that is wrong is named when the camera is built, not when it is used."""
    with pytest.raises(ValueError, match=setting):
        Camera(**{setting: value})  # type: ignore[arg-type]


def test_a_camera_knows_two_ways_to_write_its_distortion() -> None:
    """Another word would silently write none."""
    with pytest.raises(ValueError, match="'SIP' or 'TPV', got 'ZPX'"):
        Camera(distortion_keywords="ZPX")  # type: ignore[arg-type]
