"""Maps on the sky: the values of the map where they are, and the outlines of patches."""

from __future__ import annotations

from typing import Any

import healsparse
import numpy as np
import pytest
from astropy.table import Table
from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from cellcoadd.report.tract_maps import draw_tract_map
from cellcoadd.skymap import Circle, DiscreteSkyMap, TractSettings
from cellcoadd.testing.example_tables import example_map
from cellcoadd.testing.images import small_tract

NSIDE = 2**18
"""Pixels of 0.8 arcsec: a cell of the small tract is 4 arcsec wide."""

OUTLINES = {number: small_tract().patch(number).inner_region for number in (16, 24)}


@pytest.fixture(scope="module")
def depth(cells: Table) -> healsparse.HealSparseMap:
    """The depth of the cells."""
    return example_map(cells, "depth", nside=NSIDE, half_width_arcsec=2.0)


@pytest.fixture(scope="module")
def figure(depth: healsparse.HealSparseMap) -> Figure:
    """The map with the outlines of two patches."""
    return draw_tract_map(depth, label="depth (AB mag)", title="Tract 0", outlines=OUTLINES)


def mesh_of(figure: Figure) -> QuadMesh:
    (mesh,) = [entry for entry in figure.axes[0].collections if isinstance(entry, QuadMesh)]
    return mesh


def test_every_cell_is_drawn_where_it_is_on_the_sky(cells: Table, figure: Figure) -> None:
    """The raster's corners are right ascensions and declinations."""
    mesh = mesh_of(figure)
    corners = np.asarray(mesh.get_coordinates())
    middles = 0.5 * (corners[1:, 1:] + corners[:-1, :-1])
    values = np.ma.asarray(mesh.get_array()).reshape(middles.shape[:2])
    for row in cells:
        distance = ((middles - [row["ra"], row["dec"]]) ** 2).sum(axis=-1)
        assert values.ravel()[np.argmin(distance)] == row["depth"]


def test_north_is_up_and_east_to_the_left(figure: Figure) -> None:
    """As every map of the sky that is seen from below."""
    axes = figure.axes[0]
    assert axes.get_xlim()[0] > axes.get_xlim()[1]
    assert axes.get_ylim()[0] < axes.get_ylim()[1]
    assert axes.get_xlabel() == "right ascension (deg)"
    assert axes.get_ylabel() == "declination (deg)"
    assert figure.axes[1].get_ylabel() == "depth (AB mag)"
    assert figure.get_suptitle() == "Tract 0"


def test_patches_are_outlined_through_their_corners_and_numbered(figure: Figure) -> None:
    """The lines are the polygons of the sky map, closed."""
    axes = figure.axes[0]
    lines = {tuple(np.asarray(line.get_xydata())[0]): line for line in axes.lines}
    for region in OUTLINES.values():
        corners = [LonLat(vertex) for vertex in region.getVertices()]
        expected = [[c.getLon().asDegrees(), c.getLat().asDegrees()] for c in corners]
        drawn = np.asarray(lines[tuple(expected[0])].get_xydata())
        np.testing.assert_allclose(drawn, [*expected, expected[0]])
    assert {text.get_text() for text in axes.texts} == {"16", "24"}


def test_one_odd_pixel_does_not_take_all_the_colours(depth: healsparse.HealSparseMap) -> None:
    """Colours end at percentiles unless they are given."""
    odd = healsparse.HealSparseMap.make_empty_like(depth)
    pixels = depth.valid_pixels
    odd.update_values_pix(pixels, depth[pixels])
    odd.update_values_pix(pixels[:1], np.array([99.0]))
    assert mesh_of(draw_tract_map(odd, label="")).get_clim()[1] < 30.0
    assert mesh_of(draw_tract_map(odd, label="", limits=(0.0, 99.0))).get_clim() == (0.0, 99.0)


def test_whole_numbers_can_be_mapped(cells: Table) -> None:
    """The map of inputs may hold integers."""
    counts = healsparse.HealSparseMap.make_empty(64, NSIDE, np.int64, sentinel=-1)
    pixels = example_map(cells, "depth", nside=NSIDE, half_width_arcsec=2.0).valid_pixels
    counts.update_values_pix(pixels, np.arange(pixels.size) % 7)
    figure = draw_tract_map(counts, label="number of visits")
    figure.canvas.draw()
    assert set(np.ma.asarray(mesh_of(figure).get_array()).compressed()) == set(range(7))


def test_a_tract_across_right_ascension_zero_is_one_piece() -> None:
    """It is half a degree wide, and not 360."""
    corners: Any = [(359.8, 0.0), (0.2, 0.0), (0.2, 0.4), (359.8, 0.4)]
    region = ConvexPolygon([UnitVector3d(LonLat.fromDegrees(*corner)) for corner in corners])
    values = healsparse.HealSparseMap.make_empty(64, 4096, np.float64)
    values.update_values_pos(np.array([359.9, 0.1]), np.array([0.1, 0.3]), np.array([1.0, 2.0]))
    figure = draw_tract_map(values, label="", outlines={3: region})
    figure.canvas.draw()
    axes: Any = figure.axes[0]
    extent = np.asarray(axes.get_extent())
    assert np.ptp(extent[:2]) == pytest.approx(0.4, rel=0.1)
    drawn = np.ma.asarray(mesh_of(figure).get_array()).compressed()
    assert {1.0, 2.0} == set(drawn)


def test_a_map_that_is_nowhere_is_refused() -> None:
    """With outlines an empty map is a picture of the patches."""
    empty = healsparse.HealSparseMap.make_empty(64, 4096, np.float64)
    with pytest.raises(ValueError, match="no outline says where"):
        draw_tract_map(empty, label="")
    figure = draw_tract_map(empty, label="", outlines=OUTLINES)
    figure.canvas.draw()
    assert {text.get_text() for text in figure.axes[0].texts} == {"16", "24"}


@pytest.mark.parametrize("pole", [90.0, -90.0])
@pytest.mark.parametrize("colatitude", [0.0, 0.05])
def test_a_tract_at_a_pole_is_drawn_around_it(pole: float, colatitude: float) -> None:
    """All right ascensions are on it, no declination beyond 90 degrees, and all values."""
    settings = TractSettings(
        pixel_scale_arcsec=2.0,
        cell_inner_size=20,
        cell_border=6,
        patch_inner_cells=3,
        patch_border_cells=1,
    )
    middle = pole - np.copysign(colatitude, pole)
    tract = DiscreteSkyMap(
        name="pole", tracts=[Circle(ra=30.0, dec=middle, radius=0.1)], settings=settings
    )[0]
    outlines = {number: tract.patch(number).inner_region for number in (0, 24, 48)}
    values = healsparse.HealSparseMap.make_empty(64, 32768, np.float64)
    colatitudes = np.linspace(0.001, 0.09, 9)
    ra = np.linspace(0.0, 320.0, 9)
    values.update_values_pos(ra, pole - np.copysign(colatitudes, pole), np.arange(9.0))
    figure = draw_tract_map(values, label="", outlines=outlines)
    figure.canvas.draw()
    drawn = np.ma.asarray(mesh_of(figure).get_array()).compressed()
    assert set(drawn) == set(range(9))
    texts = {text.get_text(): text for text in figure.axes[0].texts}
    lon, lat = texts["24"].get_position()
    assert float(lat) == pytest.approx(middle, abs=1e-3), "a patch has an even width"
    assert colatitude == 0.0 or float(lon) % 360 == pytest.approx(30.0, abs=0.5)
