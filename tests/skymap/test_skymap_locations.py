"""Many positions at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellcoadd.errors import SkyMapError
from cellcoadd.skymap import (
    Circle,
    DiscreteSkyMap,
    RingsSkyMap,
    SkyMap,
    TractSettings,
    locate,
    named_sky_map,
)

SETTINGS = TractSettings(
    pixel_scale_arcsec=10.0,
    tract_overlap=0.1,
    rotation=15.0,
    cell_inner_size=30,
    cell_border=10,
    patch_inner_cells=5,
    patch_border_cells=2,
)
MAPS: list[SkyMap] = [
    RingsSkyMap(name="rings", num_rings=30, ra_start=5.0, settings=SETTINGS),
    DiscreteSkyMap(
        name="fields",
        tracts=[
            Circle(ra=0.0, dec=0.0, radius=60.0),
            Circle(ra=20.0, dec=10.0, radius=30.0),
            Circle(ra=100.0, dec=90.0, radius=20.0),
        ],
        settings=SETTINGS,
    ),
]

positions = st.lists(st.tuples(st.floats(-180, 360), st.floats(-90, 90)), min_size=1, max_size=30)


def one_by_one(skymap: SkyMap, ra: float, dec: float) -> tuple[int, int, int]:
    """Tract, patch and cell by the scalar look-ups and the grid of cells of the patch."""
    tract = skymap.find_tract(ra=ra, dec=dec)
    if not tract.contains(ra=ra, dec=dec):
        return tract.id, -1, -1
    patch = tract.find_patch(ra=ra, dec=dec)
    x, y = tract.plane.sky_to_pixel(ra=ra, dec=dec)
    index = patch.grid.index_of(x=int(np.floor(x + 0.5)), y=int(np.floor(y + 0.5)))
    return tract.id, patch.id, patch.grid.sequential_id(index)


@pytest.mark.parametrize("skymap", MAPS, ids=lambda m: m.name)
@given(where=positions)
@settings(deadline=None, max_examples=40)
def test_all_at_once_is_one_by_one(skymap: SkyMap, where: list[tuple[float, float]]) -> None:
    """The vectorised look-up is a faster way to the same answers, in the same order."""
    ra, dec = np.array(where).T
    found = locate(skymap, ra, dec)
    together = list(zip(found.tract, found.patch, found.cell, strict=True))
    assert together == [one_by_one(skymap, *position) for position in where]
    np.testing.assert_array_equal(found.primary, found.patch >= 0)


def test_centres_of_cells_are_in_their_cells() -> None:
    """Straight from the boxes: the middle of an inner region is in it, if it is the patch's own.

    The cells of the outermost ring belong to the neighbours' inner regions.
    """
    skymap = named_sky_map("hsc_rings_cells_v1")
    tract = skymap[9813]
    patch = tract.patch(50)
    cells = list(patch.grid)
    centres = [patch.grid.inner_bbox_of(cell) for cell in cells]
    sky = tract.sky_projection.pixel_to_sky(
        x=np.array([(b.x.min + b.x.max) / 2 for b in centres]),
        y=np.array([(b.y.min + b.y.max) / 2 for b in centres]),
    )
    found = locate(skymap, sky.ra.deg, sky.dec.deg, tract=9813)
    own = np.array([1 <= cell.x <= 20 and 1 <= cell.y <= 20 for cell in cells])
    np.testing.assert_array_equal(found.patch == 50, own)
    ids = np.array([patch.grid.sequential_id(cell) for cell in cells])
    np.testing.assert_array_equal(found.cell[own], ids[own])
    # Cell (0, 0) is the last but one of patch (5, 3): one before the border of one cell.
    assert (found.patch[0], found.cell[0]) == (3 * 11 + 5, 20 * 22 + 20)


def test_a_given_tract_is_searched_and_primary_tells_whose_the_position_is() -> None:
    """In the overlap of two tracts a source is measured twice, and counts once."""
    skymap = named_sky_map("lsst_cells_v1")
    own = skymap[9813]
    sky = own.sky_projection.pixel_to_sky(
        x=np.array([15000.0, 5.0, -500.0]), y=np.array([15000.0, 15000.0, 15000.0])
    )
    found = locate(skymap, sky.ra.deg, sky.dec.deg, tract=9813)
    assert found.tract.tolist() == [9813, 9813, 9813]
    assert found.primary.tolist() == [True, False, False]
    assert (found.patch >= 0).tolist() == [True, True, False]
    np.testing.assert_allclose(found.x, [15000.0, 5.0, -500.0], rtol=0, atol=1e-6)
    elsewhere = locate(skymap, sky.ra.deg[1], sky.dec.deg[1])
    assert int(elsewhere.tract) == 9814
    assert bool(elsewhere.primary)


def test_shapes_are_kept() -> None:
    """Scalars, images of positions and nothing at all."""
    skymap = MAPS[0]
    assert locate(skymap, 10.0, 10.0).tract.shape == ()
    grid = locate(skymap, np.linspace(0, 300, 4)[:, np.newaxis], np.linspace(-80, 80, 3))
    assert grid.cell.shape == (4, 3)
    assert int(grid.tract[2, 1]) == skymap.find_tract(ra=200.0, dec=0.0).id
    assert locate(skymap, [], []).tract.shape == (0,)


def test_a_tract_that_does_not_exist_is_refused() -> None:
    """Rather than -1 for all positions."""
    with pytest.raises(SkyMapError, match="there is no 99999"):
        locate(MAPS[0], 1.0, 1.0, tract=99999)
