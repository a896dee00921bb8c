"""Which patches and cells a footprint overlaps."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lsst.images import Box
from lsst.sphgeom import DISJOINT, ConvexPolygon, UnitVector3d

from cellcoadd.cell_grid import Index2D
from cellcoadd.skymap import (
    RingsSkyMap,
    TangentPlane,
    TractSettings,
    named_sky_map,
    overlapping_cells,
    overlapping_patches,
)

HSC = named_sky_map("hsc_rings_cells_v1")
TRACT = HSC[9813]
COARSE = RingsSkyMap(
    name="coarse",
    num_rings=5,
    settings=TractSettings(
        pixel_scale_arcsec=120.0,
        tract_overlap=1.0,
        rotation=20.0,
        cell_inner_size=50,
        cell_border=20,
        patch_inner_cells=6,
    ),
)


def in_tract(patches: list[tuple[int, list[int]]], tract: int = 9813) -> list[int]:
    return dict(patches)[tract]


@st.composite
def polygons(draw: st.DrawFn) -> ConvexPolygon:
    """Convex polygons anywhere, from slivers of a cell's size to almost a hemisphere."""
    centre = TangentPlane(
        ra=draw(st.floats(0, 360)),
        dec=draw(st.floats(-89.9, 89.9)),
        pixel_scale=draw(st.sampled_from([0.01, 0.1, 1.0, 4.0])),
        rotation=0.0,
    )
    angles = np.sort(draw(st.lists(st.floats(0, 2 * np.pi), min_size=3, max_size=7, unique=True)))
    gaps = np.diff(np.append(angles, angles[0] + 2 * np.pi))
    # Rather well-formed polygons: sphgeom refuses those whose vertices (almost) coincide.
    if gaps.min() < 0.05 or gaps.max() > 3.0:
        angles = np.linspace(0.0, 2 * np.pi, len(angles), endpoint=False) + angles[0]
    stretch = draw(st.floats(0.05, 1.0))
    vectors = centre.directions(x=np.cos(angles), y=stretch * np.sin(angles))
    return ConvexPolygon.convexHull([UnitVector3d(*map(float, v)) for v in vectors])


@functools.cache
def regions(which: str) -> list[tuple[int, int, ConvexPolygon]]:
    """All patches of all tracts."""
    return [
        (tract.id, patch.id, patch.region if which == "outer" else patch.inner_region)
        for tract in COARSE
        for patch in tract.patches
    ]


# Two slivers around almost half of the sky: beside them there are patches that no side of the whole
# polygon, nor of the patch, separates from it.
SLIVERS = [
    [
        (0.418681046, -0.904857338, 0.077067365),
        (0.242535625, -0.9701425, 0.0),
        (0.257880122, 0.965974261, -0.01978813),
    ],
    [
        (-0.981517959, 0.168602279, 0.090530474),
        (0.933717451, 0.355994672, 0.037940931),
        (-0.969130242, 0.246310550, -0.010848304),
    ],
]


@given(polygon=polygons())
@example(polygon=ConvexPolygon([UnitVector3d(*vertex) for vertex in SLIVERS[0]]))
@example(polygon=ConvexPolygon([UnitVector3d(*vertex) for vertex in SLIVERS[1]]))
@settings(deadline=None, max_examples=80)
def test_patches_are_those_that_sphgeom_finds_one_by_one(polygon: ConvexPolygon) -> None:
    """All patches of all tracts, tried with another program's relation of two polygons."""
    for which in ("outer", "inner"):
        expected: dict[int, list[int]] = {}
        for tract_id, patch_id, region in regions(which):
            if not polygon.relate(region) & DISJOINT:
                expected.setdefault(tract_id, []).append(patch_id)
        found = overlapping_patches(COARSE, polygon, region=which)
        assert found == list(expected.items())


@given(polygon=polygons())
@settings(deadline=None, max_examples=40)
def test_cells_are_those_that_sphgeom_finds_one_by_one(polygon: ConvexPolygon) -> None:
    """As for patches, for the cells of some patches that overlap."""
    for tract_id, patch_ids in overlapping_patches(COARSE, polygon)[:2]:
        patch = COARSE[tract_id].patch(patch_ids[0])
        expected = [
            cell
            for cell in patch.grid
            if not polygon.relate(patch.cell_region(cell, outer=True)) & DISJOINT
        ]
        assert overlapping_cells(patch, polygon) == expected


def test_a_footprint_inside_of_a_patch() -> None:
    """The simplest case: all of it in the middle of one patch."""
    polygon = TRACT.plane.polygon(Box.factory[13000:13500, 16000:16500])
    assert overlapping_patches(HSC, polygon) == [(9813, [49])]


def test_a_footprint_that_contains_a_patch() -> None:
    """No corner of it is in the patch, nor near to it."""
    polygon = TRACT.plane.polygon(Box.factory[9500:17500, 12500:20500])
    found = in_tract(overlapping_patches(HSC, polygon))
    assert found == [11 * y + x for y in (3, 4, 5) for x in (4, 5, 6)]


def test_a_footprint_that_crosses_a_tract_with_its_corners_outside() -> None:
    """A long strip: no corner is in the tract, which a search by corners would not find."""
    polygon = TRACT.plane.polygon(Box.factory[16000:16500, -40000:75000])
    found = in_tract(overlapping_patches(HSC, polygon))
    assert found == [11 * 5 + x for x in range(11)]


def test_a_footprint_that_lies_askew_leaves_out_the_corners_of_its_box() -> None:
    """A narrow diagonal crosses 11 patches and their neighbours, not all 121."""
    x = np.array([-300.0, 300.0, 33300.0, 32700.0])
    y = np.array([300.0, -300.0, 32700.0, 33300.0])
    vectors = TRACT.plane.directions(x=x, y=y)
    polygon = ConvexPolygon([UnitVector3d(*map(float, v)) for v in vectors])
    found = {divmod(i, 11) for i in in_tract(overlapping_patches(HSC, polygon))}
    assert {(i, i) for i in range(11)} <= found
    assert all(abs(row - column) <= 1 for row, column in found)


def test_the_border_of_a_patch_counts_and_beyond_it_nothing() -> None:
    """The outer box of patch 60 ends at 18199: half a pixel more is another patch's alone."""
    patch = TRACT.patch(60)
    assert patch.outer_bbox.x.max == 18199
    beside = TRACT.plane.polygon(Box.factory[16000:16010, 18200:18300])
    inside = TRACT.plane.polygon(Box.factory[16000:16010, 18199:18300])
    assert in_tract(overlapping_patches(HSC, beside)) == [61]
    assert in_tract(overlapping_patches(HSC, inside)) == [60, 61]
    assert in_tract(overlapping_patches(HSC, inside, region="inner")) == [61]


def test_the_border_outside_of_the_tract_counts() -> None:
    """Patches are not clipped to the tract: their outer boxes stick out of it."""
    beside = TRACT.plane.polygon(Box.factory[100:110, -150:-140])
    assert in_tract(overlapping_patches(HSC, beside)) == [0]
    beyond = TRACT.plane.polygon(Box.factory[100:110, -250:-210])
    assert 9813 not in dict(overlapping_patches(HSC, beyond))


@pytest.mark.parametrize(
    ("region", "columns", "rows"), [("inner", [5], [6]), ("outer", [4, 5, 6], [5, 6, 7])]
)
def test_a_cell_and_the_borders_of_its_neighbours(
    region: str, columns: list[int], rows: list[int]
) -> None:
    """A footprint equal to one inner region touches the inner regions beside it, no more.

    The borders of the 8 neighbours reach into it.
    """
    patch = TRACT.patch(60)
    found = overlapping_cells(patch, patch.cell_region(Index2D(x=5, y=6)), region=region)  # type: ignore[arg-type]
    assert found == [Index2D(x=x, y=y) for y in rows for x in columns]


def test_a_footprint_elsewhere_overlaps_no_cell() -> None:
    """Not even on the other side of the sky, which a gnomonic plane shows upside down."""
    patch = TRACT.patch(60)
    opposite = TangentPlane(
        ra=TRACT.ra + 180.0, dec=-TRACT.dec, pixel_scale=1e-3, rotation=0.0
    ).polygon(Box.factory[-3:3, -3:3])
    assert overlapping_cells(patch, opposite) == []
    assert overlapping_cells(patch, HSC[9615].patch(60).region) == []


def test_a_footprint_over_a_pole_and_over_ra_zero() -> None:
    """Neither is special in space, and all tracts around are found."""
    cap = HSC[18937]
    middle = cap.plane.polygon(Box.factory[16490:16510, 16490:16510])
    assert overlapping_patches(HSC, middle) == [(18937, [60])]
    polygon = TangentPlane(ra=0.0, dec=0.0, pixel_scale=1e-4, rotation=0.0).polygon(
        Box.factory[-10:11, -10:11]
    )
    tracts = [tract for tract, _ in overlapping_patches(HSC, polygon)]
    centre = HSC.find_tract(ra=0.0, dec=0.0).id
    assert centre in tracts
    assert {HSC[t].ra > 180 for t in tracts} <= {False, True}
    for ra in (359.95, 0.05):
        for dec in (-0.05, 0.05):
            assert {t.id for t in HSC.find_all_tracts(ra=ra, dec=dec)} <= set(tracts)
