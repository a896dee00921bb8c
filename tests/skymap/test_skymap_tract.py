"""Tracts and patches: projection, boxes, shared cells."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from cellcoadd.cell_grid import Index2D
from cellcoadd.errors import MissingCellError, SkyMapError
from cellcoadd.skymap import (
    Circle,
    DiscreteSkyMap,
    TangentPlane,
    Tract,
    TractSettings,
    named_sky_map,
    sky_map_names,
)
from cellcoadd.skymap.tangent_plane import directions_from_sky, sky_from_directions

TRACT = named_sky_map("hsc_rings_cells_v1")[9813]


@given(
    ra=st.integers(0, 720).map(lambda halves: halves / 2),
    dec=st.integers(-180, 180).map(lambda halves: halves / 2),
    rotation=st.integers(-360, 360).map(lambda halves: halves / 2),
    x=st.floats(-2e4, 5e4),
    y=st.floats(-2e4, 5e4),
)
@settings(deadline=None, max_examples=60)
def test_linear_algebra_and_starlink_ast_agree(
    ra: float, dec: float, rotation: float, x: float, y: float
) -> None:
    """The two forms of a tract's projection are one map, also at the poles.

    Starlink AST is good to 1e-13 radians (measured against wcslib: 1e-7 pixels or 2e-8 arcsec),
    wcslib and ours to 1e-15. AST also takes very small matrix elements for zero: tracts less than
    1e-5 degrees off an axis moved by up to 0.003 pixels. So multiples of 0.5 degrees here.
    """
    skymap = DiscreteSkyMap(
        name="x",
        tracts=[Circle(ra=ra, dec=dec, radius=0.7)],
        settings=TractSettings(pixel_scale_arcsec=0.2, rotation=rotation),
    )
    tract = skymap[0]
    sky = tract.sky_projection.pixel_to_sky(x=x, y=y)
    ours = tract.plane.directions(x=x, y=y)
    np.testing.assert_allclose(ours, sky.cartesian.xyz.value, rtol=0, atol=5e-13)
    wcslib = tract.plane.to_fits_wcs().pixel_to_world_values(x, y)
    theirs = directions_from_sky(ra=wcslib[0], dec=wcslib[1])
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-14)
    back_x, back_y = tract.plane.sky_to_pixel(ra=wcslib[0], dec=wcslib[1])
    np.testing.assert_allclose([back_x, back_y], [x, y], rtol=0, atol=1e-8)
    back = sky_from_directions(ours)
    np.testing.assert_allclose(directions_from_sky(ra=back[0], dec=back[1]), ours, atol=1e-15)


def test_the_y_axis_is_turned_from_north_to_east() -> None:
    """A rotation of 30 degrees is the position angle of the y axis."""
    plane = TangentPlane(ra=40.0, dec=20.0, pixel_scale=1e-6, rotation=30.0)
    wcs = plane.to_fits_wcs()
    origin, up = (SkyCoord(*wcs.pixel_to_world_values(0, y), unit="deg") for y in (0, 10))
    assert origin.position_angle(up).deg == pytest.approx(30.0, abs=1e-3)


def test_what_is_behind_the_plane_has_no_pixel() -> None:
    """A gnomonic projection would put the antipode onto the centre."""
    plane = TangentPlane(ra=0.0, dec=0.0, pixel_scale=1e-6, rotation=0.0)
    x, y = plane.sky_to_pixel(ra=[0.0, 180.0], dec=[0.0, 0.0])
    assert (x[0], y[0]) == (0.0, 0.0)
    assert np.isnan(x[1])
    assert np.isnan(y[1])


@pytest.mark.parametrize("name", sky_map_names())
def test_neighbouring_patches_share_two_rows_of_cells(name: str) -> None:
    """The last two columns of a patch are the first two of the next, box by box."""
    tract = named_sky_map(name)[9615]
    patch = tract.patch(Index2D(x=3, y=4))
    assert patch.grid.shape == Index2D(x=22, y=22)
    right, above = tract.patch(Index2D(x=4, y=4)), tract.patch(Index2D(x=3, y=5))
    for cell in patch.grid:
        boxes = (patch.grid.inner_bbox_of(cell), patch.grid.outer_bbox_of(cell))
        for neighbour, moved in (
            (right, Index2D(x=cell.x - 20, y=cell.y)),
            (above, Index2D(x=cell.x, y=cell.y - 20)),
        ):
            if moved in neighbour.grid:
                grid = neighbour.grid
                assert boxes == (grid.inner_bbox_of(moved), grid.outer_bbox_of(moved))
    shared = [cell for cell in patch.grid if Index2D(x=cell.x - 20, y=cell.y) in right.grid]
    assert {cell.x for cell in shared} == {20, 21}
    assert len(shared) == 44


def test_inner_boxes_of_patches_tile_the_tract() -> None:
    """Every pixel of the tract belongs to one patch."""
    patches = list(TRACT.patches)
    assert [patch.id for patch in patches] == list(range(121))
    assert sum(p.inner_bbox.x.size * p.inner_bbox.y.size for p in patches) == 33000**2
    assert len({(p.inner_bbox.x.start, p.inner_bbox.y.start) for p in patches}) == 121
    assert all(TRACT.bbox.contains(p.inner_bbox) for p in patches)


def test_the_cells_of_a_stitched_coadd_are_the_inner_regions() -> None:
    """lsst.images has no cell borders: its patch is smaller by 50 pixels on every side."""
    patch = TRACT.patch(0)
    definition = patch.definition
    assert (definition.id, definition.index.x, definition.index.y) == (0, 0, 0)
    assert definition.cells == patch.grid.inner
    assert definition.inner_bbox == patch.inner_bbox
    assert definition.outer_bbox.dilated_by(50) == patch.outer_bbox
    assert (patch.outer_bbox.x.min, patch.outer_bbox.x.max) == (-200, 3199)
    without_border = named_sky_map("lsst_cells_v2")[9813].patch(0)
    assert without_border.definition.outer_bbox == without_border.outer_bbox


def test_pixel_edges_decide_which_patch_holds_a_position() -> None:
    """Patches meet half-way between pixel centres, and the tract ends half a pixel outside."""
    plane = TRACT.plane
    cases = {
        (2999.499, 10.0): 0,
        (2999.501, 10.0): 1,
        (-0.499, -0.499): 0,
        (32999.499, 32999.499): 120,
        (32999.501, 5.0): None,
        (-0.501, 5.0): None,
    }
    for (x, y), expected in cases.items():
        sky = TRACT.sky_projection.pixel_to_sky(x=x, y=y)
        here = {"ra": float(sky.ra.deg), "dec": float(sky.dec.deg)}
        np.testing.assert_allclose(plane.sky_to_pixel(**here), (x, y), rtol=0, atol=1e-6)
        assert TRACT.contains(**here) == (expected is not None)
        if expected is None:
            with pytest.raises(SkyMapError, match=r"Tract 9813 .* does not contain"):
                TRACT.find_patch(**here)
        else:
            assert TRACT.find_patch(**here).id == expected


@pytest.mark.parametrize("which", [-1, 121, Index2D(x=11, y=0), Index2D(x=0, y=-1)])
def test_missing_patches_are_refused(which: int | Index2D) -> None:
    """The message tells which patches there are."""
    with pytest.raises(SkyMapError, match=r"11 x 11 patches, 0\.\.120; there is no patch"):
        TRACT.patch(which)


def test_missing_cells_are_refused() -> None:
    """A region of a cell that the patch does not have would be a region of another patch's."""
    with pytest.raises(MissingCellError, match="22 x 22"):
        TRACT.patch(0).cell_region(Index2D(x=22, y=0))


def test_regions_of_cells_lie_in_one_another() -> None:
    """Inner cell in outer cell in patch in the sky around it."""
    patch = TRACT.patch(60)
    cell = Index2D(x=7, y=9)
    inner, outer = patch.cell_region(cell), patch.cell_region(cell, outer=True)
    assert outer.contains(inner)
    assert patch.region.contains(outer)
    assert patch.region.contains(patch.inner_region)
    assert TRACT.region.contains(patch.region)
    # 150 x 150 pixels of 0.168 arcsec: the area of the polygon, from its corner triangles.
    vectors = np.array([list(vertex) for vertex in inner.getVertices()])
    normal_area = 0.5 * np.linalg.norm(np.cross(vectors[2] - vectors[0], vectors[3] - vectors[1]))
    assert math.degrees(math.sqrt(normal_area)) * 3600 == pytest.approx(150 * 0.168, rel=1e-3)


def test_the_projection_knows_where_it_belongs() -> None:
    """What is written into a coadd says its sky map, tract and box."""
    frame = TRACT.sky_projection.pixel_frame
    assert (frame.skymap, frame.tract, frame.bbox) == ("hsc_rings_cells_v1", 9813, TRACT.bbox)
    assert TRACT.patch(3).sky_projection is TRACT.sky_projection
    assert isinstance(TRACT, Tract)
    assert TRACT.centre.ra.deg == pytest.approx(TRACT.ra)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pixel_scale_arcsec": 0.0}, "pixel_scale_arcsec must be positive"),
        ({"pixel_scale_arcsec": math.nan}, "pixel_scale_arcsec must be positive"),
        ({"tract_overlap": -0.1}, "tract_overlap must be in 0..90 degrees, got -0.1"),
        ({"rotation": math.inf}, "rotation must be finite"),
        ({"cell_inner_size": 0}, "cell_inner_size must be at least 1, got 0"),
        ({"cell_border": -1}, "cell_border must be at least 0, got -1"),
        ({"patch_inner_cells": 0}, "patch_inner_cells must be at least 1, got 0"),
        ({"patch_border_cells": -2}, "patch_border_cells must be at least 0, got -2"),
    ],
)
def test_settings_out_of_range_are_refused(changed: dict[str, float], message: str) -> None:
    """The message names the setting, the rule and the value."""
    values = {"pixel_scale_arcsec": 0.2, **changed}
    with pytest.raises(ValueError, match=message):
        TractSettings(**values)  # type: ignore[arg-type]
