"""Rings sky maps: laws of the tiling, and values that the specification states."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lsst.sphgeom import Angle, Circle, LonLat, UnitVector3d

from cellcoadd.cell_grid import Index2D
from cellcoadd.errors import SkyMapError
from cellcoadd.skymap import RingsSkyMap, TractSettings, locate, named_sky_map

HSC = named_sky_map("hsc_rings_cells_v1")
COARSE = RingsSkyMap(
    name="coarse",
    num_rings=11,
    ra_start=33.0,
    settings=TractSettings(pixel_scale_arcsec=20.0, tract_overlap=0.5, patch_inner_cells=4),
)

COARSE_CENTRES = SkyCoord(
    ra=[tract.ra for tract in COARSE], dec=[tract.dec for tract in COARSE], unit="deg"
)

ras = st.floats(0.0, 360.0, exclude_max=True)
decs = st.floats(-90.0, 90.0)


@given(ra=ras, dec=decs)
@settings(deadline=None)
def test_each_position_is_in_one_inner_region_only(ra: float, dec: float) -> None:
    """Inner regions tile the sky, and the one that holds a position is that of find_tract.

    Edges belong to two of these closed regions, so positions on an edge are left out.
    """
    vector = UnitVector3d(LonLat.fromDegrees(ra, dec))
    around = Circle(vector, Angle(1e-9))
    holding = [t for t in COARSE if t.inner_region.contains(vector)]
    assume(all(t.inner_region.contains(around) for t in holding))
    assert [t.id for t in holding] == [COARSE.find_tract(ra=ra, dec=dec).id]


@given(ra=ras, dec=decs)
@settings(deadline=None)
def test_all_tracts_are_those_whose_pixels_hold_the_position(ra: float, dec: float) -> None:
    """The quick choice of candidates must not lose a tract: compare with a search of all."""
    sky = SkyCoord(ra=ra, dec=dec, unit="deg")
    expected = []
    # A gnomonic projection also has an image of what is behind it; tracts reach 17 degrees.
    for i in np.flatnonzero(COARSE_CENTRES.separation(sky).deg < 40):
        tract = COARSE[int(i)]
        pixel = tract.sky_projection.sky_to_pixel(sky)
        if tract.bbox.contains(x=math.floor(pixel.x + 0.5), y=math.floor(pixel.y + 0.5)):
            expected.append(tract.id)
    assert [t.id for t in COARSE.find_all_tracts(ra=ra, dec=dec)] == expected


def test_number_of_tracts_by_hand() -> None:
    """Two rings of 60 degrees, centred 30 degrees north and south of the equator.

    Both touch the equator, where 2 pi / (pi / 3) = 6 tracts fit; one more is added.
    """
    skymap = RingsSkyMap(
        name="two",
        num_rings=2,
        settings=TractSettings(pixel_scale_arcsec=600.0, patch_inner_cells=1),
    )
    assert len(skymap) == 1 + 7 + 7 + 1
    assert [round(tract.dec, 9) for tract in skymap] == [-90.0] + 7 * [-30.0] + 7 * [30.0] + [90.0]
    assert skymap[8].ra == 0.0
    assert skymap[9].ra == pytest.approx(360.0 / 7)
    assert skymap.find_tract(ra=359.0, dec=1.0).id == 8
    assert skymap.find_tract(ra=334.0, dec=1.0).id == 14


def test_tract_9813_by_the_specification() -> None:
    """The tract of the COSMOS field, in which the technote's coadds were made."""
    tract = HSC[9813]
    assert (round(tract.ra, 6), round(tract.dec, 6)) == (150.247934, 2.231405)
    assert tract.patch_shape == Index2D(x=11, y=11)
    assert (tract.bbox.x.size, tract.bbox.y.size) == (33000, 33000)
    assert (tract.plane.x, tract.plane.y) == (16499, 16499)
    patch = tract.patch(50)
    assert patch.index == Index2D(x=6, y=4)
    assert patch.inner_bbox.x.size == 3000
    assert patch.outer_bbox.x.size == 3400
    centre = patch.grid.inner_bbox_of(Index2D(x=0, y=0))
    assert (centre.x.min + centre.x.max, centre.y.min + centre.y.max) == (2 * 17924.5, 2 * 11924.5)
    positions = {
        (0.0, 0.0): (151.0180218631, 1.4613660181),
        (17924.5, 11924.5): (150.1813697634, 2.0179279192),
        (18074.5, 11924.5): (150.1743654788, 2.0179276178),
    }
    for (x, y), (ra, dec) in positions.items():
        sky = patch.sky_projection.pixel_to_sky(x=x, y=y)
        np.testing.assert_allclose([sky.ra.deg, sky.dec.deg], [ra, dec], rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("tract_id", "ra", "dec"), [(9615, 216.296296, 0.743802), (9697, 337.777778, 0.743802)]
)
def test_centres_by_the_specification(tract_id: int, ra: float, dec: float) -> None:
    """Rounded to 6 decimals in the specification."""
    tract = HSC[tract_id]
    assert (round(tract.ra, 6), round(tract.dec, 6)) == (ra, dec)


def test_poles_belong_to_the_caps() -> None:
    """At a pole the right ascension has no meaning, and must not matter."""
    for ra in (0.0, 123.0, 359.9):
        assert HSC.find_tract(ra=ra, dec=-90.0).id == 0
        assert HSC.find_tract(ra=ra, dec=90.0).id == len(HSC) - 1 == 18937


@pytest.mark.parametrize("turns", [-360.0, 360.0])
def test_right_ascension_is_periodic(turns: float) -> None:
    """Catalogues have right ascensions of -180..180 as well as of 0..360."""
    assert HSC.find_tract(ra=150.0 + turns, dec=2.0) == HSC.find_tract(ra=150.0, dec=2.0)


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 90.1), (math.nan, 0.0), (0.0, math.nan)])
def test_what_is_not_on_the_sky_is_refused(ra: float, dec: float) -> None:
    """A NaN that became tract 0 in silence would put a star at the south pole."""
    with pytest.raises(ValueError, match=r"-90\.\.90 degrees"):
        HSC.find_tract(ra=ra, dec=dec)
    with pytest.raises(ValueError, match=r"-90\.\.90 degrees"):
        HSC.find_all_tracts(ra=ra, dec=dec)
    with pytest.raises(ValueError, match=r"-90\.\.90 degrees"):
        locate(HSC, [10.0, ra], [10.0, dec])


@pytest.mark.parametrize("tract_id", [-1, 18938])
def test_missing_tracts_are_refused(tract_id: int) -> None:
    """The message tells which ids there are."""
    with pytest.raises(SkyMapError, match=r"'hsc_rings_cells_v1' has the tracts 0\.\.18937"):
        HSC[tract_id]


def test_copies_are_equal_and_names_do_not_count() -> None:
    """Processes pass sky maps on; two names of one map are one map."""
    twin = copy.deepcopy(COARSE)
    renamed = RingsSkyMap(name="other", num_rings=11, ra_start=33.0, settings=COARSE.settings)
    assert twin == COARSE == renamed
    assert twin.name == "coarse"
    assert len({twin, COARSE, renamed}) == 1
    assert HSC != COARSE
    assert repr(COARSE) == f"<RingsSkyMap 'coarse': {len(COARSE)} tracts>"


@pytest.mark.parametrize(
    ("rings", "start", "message"),
    [
        (0, 0.0, "num_rings must be in 1..100000, got 0"),
        (3, math.inf, "ra_start must be finite, got inf"),
    ],
)
def test_wrong_rings_are_refused(rings: int, start: float, message: str) -> None:
    """The message states the rule and the value."""
    with pytest.raises(ValueError, match=message):
        RingsSkyMap(
            name="x",
            num_rings=rings,
            ra_start=start,
            settings=TractSettings(pixel_scale_arcsec=1.0),
        )
