"""The geometry of a simulated detector: formulas against Starlink AST, and against themselves."""

from __future__ import annotations

import dataclasses

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from cellcoadd.simulate import Camera, DetectorPointing
from cellcoadd.simulate.camera import DistortionKeywords

DISTORTED = Camera(columns=3, rows=2, width=400, height=600, first_x=7, first_y=-3, distortion=1e3)
CORNERS_X = np.array([7.0, 406.0, 200.3, 7.0, 406.0])
CORNERS_Y = np.array([-3.0, -3.0, 310.6, 596.0, 596.0])


def pointings(camera: Camera = DISTORTED) -> st.SearchStrategy[DetectorPointing]:
    return st.builds(
        DetectorPointing,
        camera=st.just(camera),
        detector=st.sampled_from(list(camera.detectors)),
        ra=zero_or(1e-3, 359.999),
        # Nearer to the equator AST places the pole by asin(cos(dec)) and loses digits.
        dec=st.one_of(st.floats(-80.0, -0.01), st.floats(0.01, 80.0)),
        rotation=st.one_of(zero_or(1e-3, 180.0), st.floats(-180.0, -1e-3)),
    )


def zero_or(low: float, high: float) -> st.SearchStrategy[float]:
    """AST takes angles of 1e-7 degrees for 0: of a right ascension that is 0.4 mas."""
    return st.one_of(st.just(0.0), st.floats(low, high))


@settings(deadline=None, max_examples=25)
@given(pointing=pointings())
def test_sources_fall_where_the_images_wcs_says(pointing: DetectorPointing) -> None:
    """Formulas place the sources, AST reads the header: a slip in either moves them apart.

    AST inverts the distortion by iteration, which it ends at about a millionth of a pixel.
    """
    ra, dec = pointing.to_sky(x=CORNERS_X, y=CORNERS_Y)
    projection = pointing.sky_projection(visit=1)
    pixels = projection.sky_to_pixel(SkyCoord(ra * u.deg, dec * u.deg))
    np.testing.assert_allclose(pixels.x, CORNERS_X, rtol=0, atol=1e-5)
    np.testing.assert_allclose(pixels.y, CORNERS_Y, rtol=0, atol=1e-5)
    sky = projection.pixel_to_sky(x=CORNERS_X, y=CORNERS_Y)
    separation = sky.separation(SkyCoord(ra * u.deg, dec * u.deg)).to_value(u.arcsec)
    assert np.max(separation) < 1e-6


@pytest.mark.parametrize("keywords", ["SIP", "TPV"])
@settings(deadline=None, max_examples=10)
@given(pointing=pointings())
def test_both_ways_to_write_the_distortion_tell_the_same_geometry(
    keywords: DistortionKeywords, pointing: DetectorPointing
) -> None:
    """The cubic is exact in either convention; AST and wcslib read both as the formulas do.

    SIP bends pixels before the rotation, TPV the tangent plane after it: a swapped axis, a sign or
    a unit would move the corners by the 0.66 pixels that the distortion moves them.
    """
    camera = dataclasses.replace(DISTORTED, distortion_keywords=keywords)
    pointing = dataclasses.replace(pointing, camera=camera)
    wcs = pointing.fits_wcs()
    assert (
        wcs.to_header(relax=True)["CTYPE1"] == {"SIP": "RA---TAN-SIP", "TPV": "RA---TPV"}[keywords]
    )
    ra, dec = pointing.to_sky(x=CORNERS_X, y=CORNERS_Y)
    truth = SkyCoord(ra * u.deg, dec * u.deg)
    by_ast = pointing.sky_projection(visit=1).pixel_to_sky(x=CORNERS_X, y=CORNERS_Y)
    by_wcslib = SkyCoord(*wcs.all_pix2world(CORNERS_X, CORNERS_Y, 0), unit="deg")
    assert np.max(by_ast.separation(truth).to_value(u.arcsec)) < 1e-6
    assert np.max(by_wcslib.separation(truth).to_value(u.arcsec)) < 1e-6
    back = pointing.sky_projection(visit=1).sky_to_pixel(truth)
    # AST inverts the polynomials by iteration.
    np.testing.assert_allclose(back.x, CORNERS_X, rtol=0, atol=1e-5)
    np.testing.assert_allclose(back.y, CORNERS_Y, rtol=0, atol=1e-5)


@settings(deadline=None, max_examples=25)
@given(pointing=pointings())
def test_to_pixels_inverts_to_sky(pointing: DetectorPointing) -> None:
    """Newton's method must reach the distortion's inverse to far below a thousandth of a pixel."""
    ra, dec = pointing.to_sky(x=CORNERS_X, y=CORNERS_Y)
    pixels = pointing.to_pixels(ra=ra, dec=dec)
    np.testing.assert_allclose(pixels.x, CORNERS_X, rtol=0, atol=1e-7)
    np.testing.assert_allclose(pixels.y, CORNERS_Y, rtol=0, atol=1e-7)


@settings(deadline=None, max_examples=25)
@given(pointing=pointings())
def test_jacobian_spans_the_solid_angle_of_a_pixel(pointing: DetectorPointing) -> None:
    """Both follow from the same projection by different ways: differences and the closed form."""
    for x, y in zip(CORNERS_X, CORNERS_Y, strict=True):
        area = np.linalg.det(pointing.jacobian(x=x, y=y)) / pointing.camera.pixel_scale**2
        # Half-pixel differences of degrees in double precision are good to 1e-9 or so.
        assert area == pytest.approx(float(pointing.relative_pixel_area(x=x, y=y)), rel=1e-7)


@pytest.mark.parametrize(
    ("rotation", "east", "north"), [(0.0, 0.0, 1.0), (90.0, 1.0, 0.0), (180.0, 0.0, -1.0)]
)
def test_rotation_is_the_position_angle_of_the_y_axis(
    rotation: float, east: float, north: float
) -> None:
    """East of north: at 90 degrees the columns run to the east."""
    camera = Camera(columns=1, rows=1, width=101, height=101)
    pointing = DetectorPointing(camera=camera, detector=0, ra=10.0, dec=0.0, rotation=rotation)
    ra, dec = pointing.to_sky(x=50.0, y=60.0)
    step = 10.0 * camera.pixel_scale / 3600.0
    assert float(ra) - 10.0 == pytest.approx(east * step, abs=1e-9)
    assert float(dec) == pytest.approx(north * step, abs=1e-9)


def test_the_sky_is_seen_from_inside() -> None:
    """With north up, x runs to the west."""
    camera = Camera(columns=1, rows=1, width=101, height=101)
    pointing = DetectorPointing(camera=camera, detector=0, ra=10.0, dec=0.0, rotation=0.0)
    ra, _ = pointing.to_sky(x=60.0, y=50.0)
    assert float(ra) < 10.0


def test_sources_behind_the_camera_have_no_position() -> None:
    """The gnomonic projection would mirror them into the image."""
    pointing = DetectorPointing(camera=DISTORTED, detector=0, ra=10.0, dec=20.0, rotation=0.0)
    assert np.isnan(pointing.to_pixels(ra=190.0, dec=-20.0).x)
