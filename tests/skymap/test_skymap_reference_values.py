"""Sky maps of the Rubin pipelines, value by value (tests/reference_values/skymap)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from lsst.images import Box
from lsst.sphgeom import Box as SkyBox
from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

from cellcoadd.cell_grid import Index2D
from cellcoadd.skymap import (
    Circle,
    DiscreteSkyMap,
    RingsSkyMap,
    SkyMap,
    Tract,
    TractSettings,
    locate,
    named_sky_map,
    overlapping_patches,
    sky_map_names,
)
from cellcoadd.skymap.tangent_plane import directions_from_sky

FOLDER = Path(__file__).parents[1] / "reference_values" / "skymap"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))

ARCSEC_TOLERANCE = 1e-6
"""A few thousand times the rounding of a position in degrees; a pixel is 2e5 times larger."""

PIXEL_TOLERANCE = 1e-8
"""Rounding of a unit vector, 1e-16, is 1e-10 pixels; reference pixels carry the like."""


def read(name: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return values


def build(name: str, config: dict[str, Any]) -> SkyMap:
    settings = TractSettings(
        pixel_scale_arcsec=config["pixelScale"],
        tract_overlap=config["tractOverlap"],
        rotation=config["rotation"],
        cell_inner_size=config["cellInnerDimensions"][0],
        cell_border=config["cellBorder"],
        patch_inner_cells=config["numCellsPerPatchInner"],
        patch_border_cells=config["numCellsInPatchBorder"],
    )
    if config["class"] == "RingsSkyMap":
        return RingsSkyMap(
            name=name,
            num_rings=config["numRings"],
            ra_start=config["raStart"],
            settings=settings,
        )
    columns = (config["raList"], config["decList"], config["radiusList"])
    circles = [Circle(ra=ra, dec=dec, radius=r) for ra, dec, r in zip(*columns, strict=True)]
    return DiscreteSkyMap(name=name, tracts=circles, settings=settings)


@pytest.fixture(scope="module", params=NAMES)
def case(request: pytest.FixtureRequest) -> tuple[SkyMap, dict[str, Any]]:
    values = read(request.param)
    return build(request.param, values["config"]), values


def box_of(values: list[int]) -> Box:
    x_min, y_min, x_max, y_max = values
    return Box.factory[y_min : y_max + 1, x_min : x_max + 1]


def separation(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Greatest distance in arcsec between positions [[ra, dec], ...] in the same order."""
    a, b = (
        directions_from_sky(ra=p[:, 0], dec=p[:, 1]) for p in (np.asarray(one), np.asarray(other))
    )
    chords = np.linalg.norm(a - b, axis=-1)
    return float(np.degrees(chords).max() * 3600)


def assert_same_polygon(polygon: ConvexPolygon, vertices: list[list[float]]) -> None:
    """The vertices agree in the same sense of rotation, whichever comes first."""
    ours = []
    for vector in polygon.getVertices():
        position = LonLat(vector)
        ours.append([position.getLon().asDegrees(), position.getLat().asDegrees()])
    distances = [separation(np.roll(ours, k, axis=0), vertices) for k in range(len(ours))]
    assert len(ours) == len(vertices)
    assert min(distances) < ARCSEC_TOLERANCE


def test_digest_and_number_of_tracts(case: tuple[SkyMap, dict[str, Any]]) -> None:
    """Repositories of both worlds recognise each other's sky maps by the SHA-1."""
    skymap, values = case
    assert skymap.sha1 == values["sha1"]
    assert len(skymap) == values["num_tracts"]


def test_tracts(case: tuple[SkyMap, dict[str, Any]]) -> None:
    """Boxes and counts are exact; positions are good to a millionth of an arcsecond."""
    skymap, values = case
    for expected in values["tracts"]:
        tract = skymap[expected["id"]]
        assert separation([[tract.ra, tract.dec]], [expected["ctr_deg"]]) < ARCSEC_TOLERANCE
        assert tract.bbox == box_of(expected["bbox"])
        assert tract.patch_shape == Index2D(
            x=expected["num_patches"][0], y=expected["num_patches"][1]
        )
        assert tract.settings.patch_border == expected["patch_border"]
        vertices = np.stack([tract.vertices.ra.deg, tract.vertices.dec.deg], axis=-1)
        assert separation(vertices, expected["vertex_list_deg"]) < ARCSEC_TOLERANCE
        assert_same_polygon(tract.region, expected["outer_sky_polygon_deg"])
        inner = expected["inner_sky_region"]
        if inner["type"] == "convex_polygon":
            assert isinstance(tract.inner_region, ConvexPolygon)
            assert_same_polygon(tract.inner_region, inner["vertices_deg"])
        else:
            assert isinstance(tract.inner_region, SkyBox)
            lon, lat = tract.inner_region.getLon(), tract.inner_region.getLat()
            edges = [lon.getA().asDegrees(), lon.getB().asDegrees()]
            edges += [lat.getA().asDegrees(), lat.getB().asDegrees()]
            np.testing.assert_allclose(edges, inner["lon_deg"] + inner["lat_deg"], atol=1e-11)


def test_projection_of_tracts(case: tuple[SkyMap, dict[str, Any]]) -> None:
    """The header of the projection is that of the reference, turned pole included."""
    skymap, values = case
    for expected in values["tracts"][:3] + values["tracts"][-3:]:
        tract = skymap[expected["id"]]
        wcs = tract.sky_projection.as_fits_wcs(tract.bbox)
        assert wcs is not None
        assert list(wcs.wcs.ctype) == expected["wcs"]["ctype"]
        np.testing.assert_allclose(wcs.wcs.crpix, expected["wcs"]["crpix_fits_1based"], atol=1e-8)
        np.testing.assert_allclose(
            wcs.pixel_scale_matrix, expected["wcs"]["cd_deg"], rtol=0, atol=1e-16
        )
        assert separation([wcs.wcs.crval], [expected["wcs"]["crval_deg"]]) < ARCSEC_TOLERANCE
        sky = tract.sky_projection.pixel_to_sky(
            x=np.array([-0.499, tract.bbox.x.max + 0.499]), y=np.array([-0.499, -0.499])
        )
        corners = np.stack([sky.ra.deg, sky.dec.deg], axis=-1)
        assert separation(corners, expected["vertex_list_deg"][:2]) < ARCSEC_TOLERANCE


def test_patches_and_cells(case: tuple[SkyMap, dict[str, Any]]) -> None:
    """Each tract's own numbers hold, also after tracts of other sizes were made."""
    skymap, values = case
    compared = 0
    list(zip(skymap, range(5), strict=False))
    for tract_values in values["tracts"]:
        tract = skymap[tract_values["id"]]
        for expected in tract_values.get("patches", []):
            index = Index2D(x=expected["index"][0], y=expected["index"][1])
            patch = tract.patch(index)
            assert patch == tract.patch(expected["sequential_index"])
            assert (patch.id, patch.index) == (expected["sequential_index"], index)
            assert patch.inner_bbox == box_of(expected["inner_bbox"])
            assert patch.outer_bbox == box_of(expected["outer_bbox"])
            assert patch.grid.shape == Index2D(
                x=expected["num_cells"][0], y=expected["num_cells"][1]
            )
            assert patch.grid.border == expected["cell_border"]
            assert list(patch.grid.inner_cell_shape) == expected["cell_inner_dimensions"]
            assert_same_polygon(patch.region, expected["outer_sky_polygon_deg"])
            assert_same_polygon(patch.inner_region, expected["inner_sky_polygon_deg"])
            for cell_values in expected["cells"]:
                cell = Index2D(x=cell_values["index"][0], y=cell_values["index"][1])
                assert patch.grid.sequential_id(cell) == cell_values["sequential_index"]
                assert patch.grid.inner_bbox_of(cell) == box_of(cell_values["inner_bbox"])
                assert patch.grid.outer_bbox_of(cell) == box_of(cell_values["outer_bbox"])
                assert_same_polygon(patch.cell_region(cell), cell_values["inner_sky_polygon_deg"])
                compared += 1
    assert compared > 50


def test_points(case: tuple[SkyMap, dict[str, Any]]) -> None:
    """300 positions, many of them at the edges of rings, at the poles and around ra = 0."""
    skymap, values = case
    points = values["points"]
    found = locate(skymap, [p["ra"] for p in points], [p["dec"] for p in points])
    assert found.tract.tolist() == [p["tract"] for p in points]
    pixels = np.array([p["pixel"] for p in points])
    np.testing.assert_allclose(found.x, pixels[:, 0], rtol=0, atol=PIXEL_TOLERANCE)
    np.testing.assert_allclose(found.y, pixels[:, 1], rtol=0, atol=PIXEL_TOLERANCE)
    expected = [-1 if p["patch_sequential"] is None else p["patch_sequential"] for p in points]
    assert found.patch.tolist() == expected
    for point in points:
        here = {"ra": point["ra"], "dec": point["dec"]}
        tract = skymap.find_tract(**here)
        assert tract.id == point["tract"]
        if "all_tracts" in point:
            assert [t.id for t in skymap.find_all_tracts(**here)] == point["all_tracts"]
        assert tract.contains(**here) == (point["patch_index"] is not None)
        if point["patch_index"] is not None:
            patch = tract.find_patch(**here)
            assert [patch.index.x, patch.index.y] == point["patch_index"]


def corner_rule(tract: Tract, corners: npt.NDArray[np.float64]) -> list[int]:
    """Upstream's rule: the patches of the pixel box of the corners, grown by the border."""
    x, y = tract.plane.sky_to_pixel(ra=corners[:, 0], dec=corners[:, 1])
    border, size = tract.settings.patch_border, tract.settings.patch_inner_size
    ranges = []
    for values, last in ((x, tract.bbox.x.max), (y, tract.bbox.y.max)):
        low = max(math.floor(values.min() + 0.5) - border, 0)
        high = min(math.ceil(values.max() - 0.5) + border, last)
        ranges.append(range(low // size, high // size + 1) if low <= high else range(0))
    return [tract.patch_shape.x * j + i for i in ranges[0] for j in ranges[1]]


def overlaps_in_plane(tract: Tract, patch_id: int, corners: npt.NDArray[np.float64]) -> bool:
    """The truth by another library (shapely) and the other projection (Starlink AST)."""
    projection = tract.sky_projection
    polygon = shapely.Polygon(projection_pixels(projection, corners))
    box = tract.patch(patch_id).outer_bbox
    outline = shapely.box(box.x.min - 0.5, box.y.min - 0.5, box.x.max + 0.5, box.y.max + 0.5)
    return bool(shapely.intersection(polygon, outline).area > 0)


def projection_pixels(
    projection: Any, corners: npt.NDArray[np.float64]
) -> list[tuple[float, float]]:
    pixels = projection.sky_to_pixel_transform.apply_forward(
        x=np.radians(corners[:, 0]), y=np.radians(corners[:, 1])
    )
    return list(zip(pixels.x, pixels.y, strict=True))


def test_footprints_against_the_corner_rule(case: tuple[SkyMap, dict[str, Any]]) -> None:
    """Where the exact overlap differs from upstream's corner rule, it is right.

    The corner rule takes the box around the corners (too many patches for a polygon that lies
    askew) in the tracts that contain a corner (too few tracts). The twin of the rule above
    reproduces all reference results, so that only these two differences remain to be judged.
    """
    skymap, values = case
    extra = dropped = 0
    for box in values["boxes"]:
        corners = np.array(box["coords_deg"])
        polygon = ConvexPolygon([UnitVector3d(LonLat.fromDegrees(*c)) for c in corners])
        theirs = {(r["tract"], p) for r in box["result"] for p in r["patches"]}
        for result in box["result"]:
            assert corner_rule(skymap[result["tract"]], corners) == result["patches"]
        found = overlapping_patches(skymap, polygon)
        ours = {(tract, patch) for tract, patches in found for patch in patches}
        for tract_id, patch_id in ours ^ theirs:
            truth = overlaps_in_plane(skymap[tract_id], patch_id, corners)
            assert truth == ((tract_id, patch_id) in ours)
        # Within the tracts of the reference, nothing is found that the box of the corners lacks.
        tracts = {result["tract"] for result in box["result"]}
        assert not {(t, p) for t, p in ours if t in tracts} - theirs
        assert tracts <= {t for t, _ in ours}
        extra += len(ours - theirs)
        dropped += len(theirs - ours)
    if isinstance(skymap, RingsSkyMap):
        # Both differences occur in these lists, or the test would show nothing.
        assert extra > 0 or skymap.settings.rotation
        assert dropped > 0


def test_patch_ids_do_not_depend_on_the_tracts_made_before() -> None:
    """Upstream's tracts share one builder, so that patch (1, 1) gets the last tract's id."""
    values = read("discrete_cells")
    skymap = build("discrete_cells", values["config"])
    tracts = list(skymap)
    for fault in values["shared_builder_fault"]["values"]:
        columns = fault["own_num_patches"][0]
        patch = tracts[fault["tract"]].patch(Index2D(x=1, y=1))
        assert patch.id == columns + 1
    assert {f["seq_of_index_1_1"] for f in values["shared_builder_fault"]["values"]} == {4}


@pytest.mark.parametrize("name", sky_map_names())
def test_named_sky_maps_are_those_of_the_reference(name: str) -> None:
    """Equal digests mean equal definitions; the name does not go into them."""
    values = read(name)
    skymap = named_sky_map(name)
    assert skymap.name == name
    assert skymap.sha1 == values["sha1"]
    assert skymap == build("another name", values["config"])
