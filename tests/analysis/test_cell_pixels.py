"""Which pixels of the sky a cell has, against the overlap of polygons in the tract's plane.

The projection of a tract is gnomonic, so that a cell is an exact square in the plane of its pixels;
the outlines of HEALPix pixels are taken there point by point. This is the witness of both ways.
"""

from __future__ import annotations

import hpgeom
import numpy as np
import numpy.typing as npt
import pytest
import shapely
from astropy.coordinates import SkyCoord
from lsst.images import Box

from cellcoadd.analysis.cell_pixels import PixelAssignment, boxes_of_cells, pixels_of_cells
from cellcoadd.skymap import SkyMap, Tract, named_sky_map
from cellcoadd.skymap.healsparse_maps import MAX_NSIDE
from cellcoadd.skymap.tangent_plane import sky_from_directions

type Cells = npt.NDArray[np.int64]

SKY_MAP = SkyMap.from_definition(
    {
        "kind": "discrete",
        "pixel_scale_arcsec": 0.5,
        "rotation": 20.0,
        "cell_inner_size": 24,
        "cell_border": 4,
        "patch_inner_cells": 3,
        "tracts": [
            {"ra": 359.9995, "dec": -62.0, "radius": 0.012},
            {"ra": 120.0, "dec": 89.9985, "radius": 0.012},
            {"ra": 40.0, "dec": -90.0, "radius": 0.012},
        ],
    },
    name="small",
)
"""Cells of 12 arcsec in turned tracts: one across the meridian of right ascension 0, and two with a
pole in one of their cells, not in the middle of the tract and in the middle."""

NSIDE = 2**15
"""Pixels of 6.4 arcsec, half as wide as a cell."""

ACROSS, NORTH, SOUTH = SKY_MAP[0], SKY_MAP[1], SKY_MAP[2]
FIELD = named_sky_map("hsc_rings_cells_v1")[9813]

TRACTS = pytest.mark.parametrize(
    "tract", [ACROSS, NORTH, SOUTH], ids=["across-ra-0", "north-pole", "south-pole"]
)


def all_cells(tract: Tract) -> tuple[Cells, Cells]:
    """Places of all cells in the box of a tract."""
    count = tract.bbox.x.size // tract.settings.cell_inner_size
    y, x = np.divmod(np.arange(count**2), count)
    return x, y


def some_cells(tract: Tract, count: int) -> tuple[Cells, Cells]:
    """Places of cells all over a tract."""
    rng = np.random.default_rng(5)
    size = tract.settings.cell_inner_size
    keys = rng.choice(tract.bbox.x.size // size * (tract.bbox.y.size // size), count, replace=False)
    y, x = np.divmod(np.sort(keys), tract.bbox.x.size // size)
    return x, y


def squares_of(tract: Tract, x: Cells, y: Cells) -> npt.NDArray[np.object_]:
    """The inner regions in the tract's plane."""
    size = tract.settings.cell_inner_size
    left, bottom = size * x - 0.5, size * y - 0.5
    squares: npt.NDArray[np.object_] = shapely.box(left, bottom, left + size, bottom + size)
    return squares


def outlines_of(tract: Tract, pixels: npt.NDArray[np.int64], nside: int) -> npt.NDArray[np.object_]:
    """HEALPix pixels in the tract's plane, with 16 points a side."""
    ra, dec = hpgeom.boundaries(nside, pixels, step=16)
    outlines: npt.NDArray[np.object_] = shapely.polygons(
        np.stack(tract.plane.sky_to_pixel(ra=ra, dec=dec), axis=-1)
    )
    return outlines


def witness(tract: Tract, x: Cells, y: Cells, nside: int) -> tuple[set[tuple[int, int]], float]:
    """Pairs of a pixel and a cell that overlap, and the width of a pixel in pixels of the tract.

    A thousandth of the width of a pixel is not an overlap: that is how well outlines are known.
    """
    squares = squares_of(tract, x, y)
    left, bottom, right, top = shapely.bounds(shapely.union_all(squares))
    centre = tract.plane.directions(x=0.5 * (left + right), y=0.5 * (bottom + top))
    ra, dec = sky_from_directions(centre)
    scale = tract.settings.pixel_scale_arcsec / 3600.0
    radius = 0.5 * np.hypot(right - left, top - bottom) * scale
    pixels = hpgeom.query_circle(nside, ra, dec, 1.1 * radius, inclusive=True)
    outlines = outlines_of(tract, pixels, nside)
    width = hpgeom.nside_to_resolution(nside, units="degrees") / scale
    tree = shapely.STRtree(outlines)
    cell, which = tree.query(shapely.buffer(squares, -1e-3 * width), predicate="intersects")
    return set(zip(pixels[which].tolist(), cell.tolist(), strict=True)), width


def pairs_of(
    tract: Tract, x: Cells, y: Cells, nside: int, assignment: PixelAssignment
) -> set[tuple[int, int]]:
    pixels, cells = pixels_of_cells(tract, x=x, y=y, nside=nside, assignment=assignment)
    pairs = set(zip(pixels.tolist(), cells.tolist(), strict=True))
    assert len(pairs) == len(pixels) > 0
    return pairs


@TRACTS
@pytest.mark.parametrize("nside", [NSIDE, 4 * NSIDE])
def test_the_box_leaves_nothing_out(tract: Tract, nside: int) -> None:
    """Every pixel that overlaps with a cell is the cell's, wherever it is on the sky."""
    x, y = all_cells(tract)
    overlapping, _ = witness(tract, x, y, nside)
    assert overlapping <= pairs_of(tract, x, y, nside, PixelAssignment.BOX)


def test_the_box_of_a_turned_cell_is_too_large_by_its_corners() -> None:
    """What it has too much lies in the corners of the box, and is no more than their area.

    At an angle t of the cell's sides to north a corner of the box is a right triangle of sides
    s sin t and s cos t. Its tip, farthest from the cell, is s sin t cos t away: that, a part in 256
    of a pixel (by which hpgeom errs), and what t varies by over the tract.
    """
    x, y = all_cells(ACROSS)
    overlapping, width = witness(ACROSS, x, y, NSIDE)
    made = pairs_of(ACROSS, x, y, NSIDE, PixelAssignment.BOX)
    extra = np.array(sorted(made - overlapping))
    outlines = outlines_of(ACROSS, extra[:, 0], NSIDE)
    distance = shapely.distance(outlines, squares_of(ACROSS, x, y)[extra[:, 1]])
    turn = np.radians(20.0)
    assert distance.max() < 24 * np.sin(turn) * np.cos(turn) + 0.02 * width
    # Steiner: a figure, randomly placed, touches (its area grown by a pixel) / (a pixel's area).
    boxes, cells = (expected_pixels(ACROSS, turn, box=box) for box in (True, False))
    assert len(made) / len(x) == pytest.approx(boxes, rel=0.03)
    assert len(overlapping) / len(x) == pytest.approx(cells, rel=0.03)
    assert boxes / cells > 1.2


def expected_pixels(tract: Tract, turn: float, *, box: bool) -> float:
    """Mean number of pixels that overlap with a cell, or with the box around it."""
    nside = NSIDE if tract is not FIELD else 8192
    middle = 0.5 * (tract.bbox.x.size - 1)
    ra, dec = tract.ra, tract.dec
    pixel = outlines_of(tract, np.array([hpgeom.angle_to_pixel(nside, ra, dec)]), nside)[0]
    side = 0.5 * tract.settings.cell_inner_size
    figure = shapely.box(middle - side, middle - side, middle + side, middle + side)
    if box:
        upright = shapely.affinity.rotate(figure, np.degrees(turn), origin="center")
        figure = shapely.affinity.rotate(
            shapely.envelope(upright), -np.degrees(turn), origin="center"
        )
    a = shapely.get_coordinates(figure)
    b = shapely.get_coordinates(pixel)
    grown = shapely.convex_hull(shapely.multipoints((a[:, None] - b[None]).reshape(-1, 2)))
    return float(grown.area / pixel.area)


def test_the_box_of_an_upright_cell_is_the_cell() -> None:
    """In the field of the Rubin pipelines' tests boxes have the pixels of the cells, and no others.

    Over the tract north turns by 0.03 degrees, the box grows by a thousandth: of 47 pixels that are
    found one may not overlap. A pixel is as large as a cell and yet a cell has 4.7 of them.
    """
    x, y = some_cells(FIELD, 400)
    made = pairs_of(FIELD, x, y, 8192, PixelAssignment.BOX)
    overlapping: set[tuple[int, int]] = set()
    for number in range(len(x)):
        one = slice(number, number + 1)
        pairs, _ = witness(FIELD, x[one], y[one], 8192)
        overlapping |= {(pixel, number) for pixel, _ in pairs}
    assert overlapping <= made
    assert len(made) <= 1.02 * len(overlapping)
    assert len(made) / len(x) == pytest.approx(expected_pixels(FIELD, 0.0, box=False), rel=0.03)
    assert len(made) / len(x) == pytest.approx(4.7, abs=0.1)


@pytest.mark.parametrize("tract", [NORTH, SOUTH], ids=["north-pole", "south-pole"])
def test_boxes_beside_a_pole_are_too_large_but_not_boundless(tract: Tract) -> None:
    """A cell beside the pole has a part of a ring around it: here up to 3.4 times its own pixels.

    All the cells of a cap 1.8 arcmin wide together have at most 1.7 times theirs, less than turned
    squares would have that are at 45 degrees everywhere.
    """
    x, y = all_cells(tract)
    overlapping, _ = witness(tract, x, y, 4 * NSIDE)
    made = pairs_of(tract, x, y, 4 * NSIDE, PixelAssignment.BOX)
    counts, true = (
        np.bincount([cell for _, cell in pairs], minlength=len(x)) for pairs in (made, overlapping)
    )
    assert 1.5 < len(made) / len(overlapping) < 1.7
    assert (counts / true).max() < 3.5


@TRACTS
@pytest.mark.parametrize("nside", [NSIDE, 4 * NSIDE])
def test_a_centre_is_in_one_cell(tract: Tract, nside: int) -> None:
    """The pixels of all cells are those with their centres in the tract, each once.

    Asked of Starlink AST, which the tract's own projection does not use.
    """
    x, y = all_cells(tract)
    overlapping, _ = witness(tract, x, y, nside)
    made = pairs_of(tract, x, y, nside, PixelAssignment.CENTRE)
    pixels = np.array(sorted({pixel for pixel, _ in overlapping}))
    ra, dec = hpgeom.pixel_to_angle(nside, pixels)
    at = tract.sky_projection.sky_to_pixel(SkyCoord(ra=ra, dec=dec, unit="deg"))
    columns = np.floor((np.asarray(at.x) + 0.5) / 24).astype(int)
    rows = np.floor((np.asarray(at.y) + 0.5) / 24).astype(int)
    count = tract.bbox.x.size // 24
    inside = (columns >= 0) & (columns < count) & (rows >= 0) & (rows < count)
    assert made == set(
        zip(pixels[inside].tolist(), (count * rows + columns)[inside].tolist(), strict=True)
    )
    assert made < overlapping


def test_centres_leave_out_what_is_centred_elsewhere() -> None:
    """A cell lacks pixels at its edges, by up to half a pixel, and has some that stick out as far.

    On average its area is right: with n pixels for each of many cells, placed at random, the mean
    is known to some sqrt(perimeter / n), here a percent.
    """
    x, y = all_cells(ACROSS)
    overlapping, width = witness(ACROSS, x, y, NSIDE)
    made = pairs_of(ACROSS, x, y, NSIDE, PixelAssignment.CENTRE)
    missing = np.array(sorted(overlapping - made))
    parts = shapely.intersection(
        outlines_of(ACROSS, missing[:, 0], NSIDE), squares_of(ACROSS, x, y)[missing[:, 1]]
    )
    # More than half of a pixel can lie in a cell that its centre is not in: around a corner of it.
    assert 0.4 < parts_of_pixel(parts, width).max() < 0.55
    per_cell = 24.0**2 / width**2
    assert len(made) / len(x) == pytest.approx(per_cell, rel=0.02)


def parts_of_pixel(parts: npt.NDArray[np.object_], width: float) -> npt.NDArray[np.float64]:
    areas: npt.NDArray[np.float64] = shapely.area(parts) / width**2
    return areas


def test_centres_miss_cells_that_are_as_large_as_pixels() -> None:
    """At the default resolution a cell of the field has 0.96 pixels: some have two, 18 % none."""
    x, y = all_cells(FIELD)
    pixels, cells = pixels_of_cells(FIELD, x=x, y=y, nside=8192, assignment=PixelAssignment.CENTRE)
    assert len(set(pixels.tolist())) == len(pixels)
    counts = np.bincount(cells, minlength=len(x))
    assert counts.mean() == pytest.approx(0.96, abs=0.005)
    np.testing.assert_allclose(np.bincount(counts) / len(x), [0.18, 0.68, 0.14], atol=0.01)
    _, cells = pixels_of_cells(FIELD, x=x, y=y, nside=16384, assignment=PixelAssignment.CENTRE)
    assert np.bincount(cells, minlength=len(x)).min() > 0


def test_a_cell_without_a_centre_is_not_an_error() -> None:
    """Of pixels of 14 arcmin a cell of 12 arcsec has one by its box, by its centre none."""
    x, y = np.array([1]), np.array([2])
    found = {
        way: len(pixels_of_cells(ACROSS, x=x, y=y, nside=256, assignment=way)[0])
        for way in PixelAssignment
    }
    assert found == {PixelAssignment.BOX: 1, PixelAssignment.CENTRE: 0}


def test_the_finest_pixels_are_possible() -> None:
    """hpgeom tests for overlap with pixels finer than the map's; there are none beyond 2^29."""
    fine = SkyMap.from_definition(
        {
            "kind": "discrete",
            "pixel_scale_arcsec": 1e-4,
            "cell_inner_size": 20,
            "patch_inner_cells": 2,
            "tracts": [{"ra": 12.0, "dec": 34.0, "radius": 1e-6}],
        },
        name="fine",
    )[0]
    x, y = np.array([0, 1]), np.array([0, 0])
    centred = pairs_of(fine, x, y, MAX_NSIDE, PixelAssignment.CENTRE)
    touching = pairs_of(fine, x, y, MAX_NSIDE, PixelAssignment.BOX)
    # 5 x 5 pixels, known to half a pixel at each side; the box has one more there, or two.
    per_cell = (20 * 1e-4 / 3600.0) ** 2 / hpgeom.nside_to_pixel_area(MAX_NSIDE)
    assert 4.5**2 < per_cell < 5.5**2
    assert 2 * 4**2 <= len(centred) <= 2 * 6**2
    assert centred < touching
    assert len(touching) <= 2 * 9**2


@TRACTS
def test_boxes_are_as_small_as_they_can_be(tract: Tract) -> None:
    """Points along the outline of a cell reach the sides of its box, and none is outside.

    Points are 0.06 arcsec apart. The nearest to the highest one of a side that arches is at most
    d = 0.03 arcsec away from it and d^2 / 2 tan(dec) lower.
    """
    x, y = all_cells(tract)
    boxes = boxes_of_cells(tract, x=x, y=y)
    along = np.linspace(0.0, 24.0, 201)
    zero, full = np.zeros_like(along), np.full_like(along, 24.0)
    outline_x = np.concatenate([along, full, along, zero])
    outline_y = np.concatenate([zero, along, full, along])
    pole_x, pole_y = tract.plane.pixels(np.array([0.0, 0.0, np.sign(tract.dec)]))
    holding = 0
    for cell_x, cell_y, (first, last, low, high) in zip(x, y, boxes, strict=True):
        at_x, at_y = 24 * cell_x - 0.5 + outline_x, 24 * cell_y - 0.5 + outline_y
        ra, dec = sky_from_directions(tract.plane.directions(x=at_x, y=at_y))
        if at_x.min() <= pole_x <= at_x.max() and at_y.min() <= pole_y <= at_y.max():
            holding += 1
            assert (first, last) == (0.0, 360.0)
            assert (high if tract.dec > 0 else low) == np.copysign(90.0, tract.dec)
            assert (dec.min() - low if tract.dec > 0 else high - dec.max()) < 1e-6
            continue
        width = (last - first) % 360.0
        assert width < 180.0 + 1e-6
        offset = (ra - first + 180.0) % 360.0 - 180.0 if width < 170.0 else (ra - first) % 360.0
        offset = offset[np.cos(np.radians(dec)) > 1e-9]
        # A hair, for rounding: 1e-10 degrees divided by the cosine of the declination.
        hair = 1e-10 / np.cos(np.radians(dec)).min()
        assert -hair < offset.min() < hair
        assert width - hair < offset.max() < width + hair
        slope = np.tan(np.radians(np.abs(dec).max()))
        lower = 1e-10 + np.degrees(np.radians(0.03 / 3600.0) ** 2 / 2.0 * slope)
        assert low - 1e-10 < dec.min() < low + lower
        assert high - lower < dec.max() < high + 1e-10
    assert holding == {ACROSS.id: 0, NORTH.id: 1, SOUTH.id: 1}[tract.id]


def test_a_box_across_the_meridian_goes_from_large_to_small() -> None:
    """As hpgeom has it; of the other boxes some end before it and some begin after it."""
    x, y = all_cells(ACROSS)
    first, last, _, _ = boxes_of_cells(ACROSS, x=x, y=y).T
    across = first > last
    assert across.any()
    assert ((first > 359.9) & ~across).any()
    assert ((last < 0.1) & ~across).any()


def test_sides_arch_towards_the_pole() -> None:
    """Of a cell of 3 degrees at declination 60 a point of the upper side is highest, no corner.

    It is due north of the tract's centre, d = 1.35 degrees from the nearer corner, and d^2 / 2
    tan(dec) above it, to first order; the lower side arches into the cell. South of the equator all
    is upside down.
    """
    large = SkyMap.from_definition(
        {
            "kind": "discrete",
            "pixel_scale_arcsec": 1080.0,
            "cell_inner_size": 10,
            "patch_inner_cells": 1,
            "tracts": [{"ra": 12.0, "dec": dec, "radius": 1.2} for dec in (60.0, -60.0)],
        },
        name="large",
    )
    expected = np.degrees(np.radians(1.35) ** 2 / 2.0 * np.tan(np.radians(61.5)))
    for tract, arches in ((large[0], (0.0, expected)), (large[1], (expected, 0.0))):
        assert tract.bbox == Box.factory[0:10, 0:10]
        _, _, low, high = boxes_of_cells(tract, x=np.array([0]), y=np.array([0]))[0]
        _, dec = sky_from_directions(tract.plane.corners(tract.bbox))
        found = (dec.min() - low, high - dec.max())
        assert found == pytest.approx(arches, rel=0.02, abs=1e-12)
