"""Polygons on the sky: a detector's must hold all its pixels, and not much more."""

from __future__ import annotations

import dataclasses

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import Box, SkyProjection
from lsst.sphgeom import Box as SkyBox
from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

from cellcoadd.butler.regions import PADDING_PIXELS, detector_region, hull
from cellcoadd.simulate import Camera, SurveyPlan
from cellcoadd.skymap import named_sky_map

TRACT = named_sky_map("hsc_rings_cells_v1")[9813]


def direction(sky: SkyCoord) -> UnitVector3d:
    return UnitVector3d(LonLat.fromDegrees(sky.ra.deg, sky.dec.deg))


@settings(deadline=None, max_examples=50)
@given(
    x=st.floats(-0.5, 1999.5),
    y=st.floats(-0.5, 999.5),
    beyond=st.floats(PADDING_PIXELS + 0.01, 100.0),
)
def test_a_region_holds_the_pixels_and_nothing_beyond_its_padding(
    x: float, y: float, beyond: float
) -> None:
    """In a tangent plane lines are great circles, so the polygon is the padded box exactly."""
    box = Box.from_shape((1000, 2000))
    region = detector_region(TRACT.sky_projection, box)
    assert region.contains(direction(TRACT.sky_projection.pixel_to_sky(x=x, y=y)))
    for outside in ({"x": 1999.5 + beyond, "y": y}, {"x": x, "y": -0.5 - beyond}):
        assert not region.contains(direction(TRACT.sky_projection.pixel_to_sky(**outside)))


def test_a_region_holds_the_edges_that_distortion_bends(plan: SurveyPlan) -> None:
    """Corners alone would cut off what bulges out between them."""
    camera = Camera(columns=3, rows=3, width=2048, height=4096)
    pointing = dataclasses.replace(plan, camera=camera).pointing(1230, 0)
    projection, box = pointing.sky_projection(visit=1230), camera.bbox
    along = np.linspace(-0.5, 0.5, 41)
    x = box.x.start + (along + 0.5) * box.x.size - 0.5
    y = box.y.start + (along + 0.5) * box.y.size - 0.5
    edges = [(x, np.full(41, end)) for end in y[[0, -1]]]
    edges += [(np.full(41, end), y) for end in x[[0, -1]]]
    points = [
        direction(point)
        for edge_x, edge_y in edges
        for point in projection.pixel_to_sky(x=edge_x, y=edge_y)
    ]
    corners = ConvexPolygon([points[n] for n in (0, 40, 81, 41)])
    region = detector_region(projection, box)
    assert not all(corners.contains(point) for point in points)
    assert all(region.contains(point) for point in points)


def test_the_hull_of_regions_holds_them_all() -> None:
    """A visit's region must be found wherever one of its detectors is."""
    boxes = [Box.from_shape((100, 100), start=(0, 300 * n)) for n in range(3)]
    regions = [detector_region(TRACT.sky_projection, box) for box in boxes]
    whole = hull(regions)
    assert all(whole.contains(region) for region in regions)
    assert hull([whole, regions[1]]).relate(whole) == whole.relate(whole)


def test_only_convex_polygons_have_a_hull() -> None:
    """Others have no vertices to take it of."""
    with pytest.raises(TypeError, match="convex polygon"):
        hull([SkyBox.fromDegrees(0, 0, 1, 1)])
    with pytest.raises(ValueError, match="no region"):
        hull([])


def test_a_wcs_without_positions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """NaN in a polygon would surface much later, as an error of the database."""
    nowhere = SkyCoord(np.full(16, np.nan) * u.deg, np.zeros(16) * u.deg)
    monkeypatch.setattr(SkyProjection, "pixel_to_sky", lambda *_, **__: nowhere)
    with pytest.raises(ValueError, match="no position on the sky"):
        detector_region(TRACT.sky_projection, Box.from_shape((10, 10)))


def test_the_region_is_a_polygon_that_the_database_can_hold() -> None:
    """Encoding and decoding must give the same polygon."""
    region = detector_region(TRACT.sky_projection, Box.from_shape((100, 100)))
    assert ConvexPolygon.decode(region.encode()) == region
