"""Sky maps of chosen fields."""

from __future__ import annotations

import math

import pytest

from cellcoadd.cell_grid import Index2D
from cellcoadd.skymap import Circle, DiscreteSkyMap, TractSettings, locate

SETTINGS = TractSettings(pixel_scale_arcsec=1.0, cell_inner_size=60, cell_border=20)
WIDE = Circle(ra=10.0, dec=0.0, radius=2.0)
NARROW = Circle(ra=13.0, dec=0.0, radius=0.2)


@pytest.fixture(scope="module")
def skymap() -> DiscreteSkyMap:
    return DiscreteSkyMap(name="fields", tracts=[WIDE, NARROW], settings=SETTINGS)


def test_a_tract_holds_its_circle(skymap: DiscreteSkyMap) -> None:
    """13 patches of 1200 pixels hold tan(2 deg) = 7203 pixels on each side, 12 do not."""
    tract = skymap[0]
    assert tract.patch_shape == Index2D(x=13, y=13)
    assert skymap[1].patch_shape == Index2D(x=2, y=2)
    assert skymap.max_patch_shape == Index2D(x=13, y=13)
    for ra, dec in [(8.001, 0.0), (11.999, 0.0), (10.0, 1.999), (10.0, -1.999), (11.4, 1.4)]:
        assert tract.contains(ra=ra, dec=dec)


def test_the_nearest_of_the_tracts_that_contain_a_position_is_responsible(
    skymap: DiscreteSkyMap,
) -> None:
    """At ra 11.8 the narrow tract's centre is the nearer one, but it does not reach there."""
    assert skymap.find_tract(ra=11.8, dec=0.0).id == 0
    assert skymap.find_tract(ra=12.9, dec=0.1).id == 1
    assert locate(skymap, [11.8, 12.9], [0.0, 0.1]).primary.tolist() == [True, True]


def test_far_away_the_nearest_centre_counts_and_nothing_is_found(skymap: DiscreteSkyMap) -> None:
    """There is always an answer to find_tract, but no patch where there is no pixel."""
    assert skymap.find_tract(ra=12.5, dec=1.5).id == 1
    assert skymap.find_tract(ra=200.0, dec=0.0).id == 0
    assert skymap.find_tract(ra=185.0, dec=0.0).id == 1
    assert skymap.find_all_tracts(ra=200.0, dec=0.0) == []
    found = locate(skymap, 200.0, 0.0)
    assert (int(found.patch), int(found.cell), bool(found.primary)) == (-1, -1, False)
    assert math.isnan(float(found.x))


def test_right_ascensions_beyond_a_turn_mean_the_same_place() -> None:
    """The definition keeps what was written (it goes into the digest), the tract is the same."""
    one = DiscreteSkyMap(name="x", tracts=[Circle(ra=-5.0, dec=3.0, radius=1.0)], settings=SETTINGS)
    assert one[0].ra == 355.0
    assert one.circles[0].ra == -5.0


@pytest.mark.parametrize(
    ("circle", "message"),
    [
        ({"ra": math.nan, "dec": 0.0, "radius": 1.0}, "ra must be finite"),
        ({"ra": 0.0, "dec": 91.0, "radius": 1.0}, "dec must be in -90..90 degrees, got 91.0"),
        ({"ra": 0.0, "dec": 0.0, "radius": 0.0}, "radius must be in 0..90 degrees, got 0.0"),
    ],
)
def test_wrong_circles_are_refused(circle: dict[str, float], message: str) -> None:
    """The message states the rule and the value."""
    with pytest.raises(ValueError, match=message):
        Circle(**circle)


def test_a_tract_must_stay_within_its_hemisphere() -> None:
    """No tangent plane shows what is 90 degrees away."""
    with pytest.raises(ValueError, match=r"must add up to 0\.\.90 degrees, got 89\.0 and 2\.0"):
        DiscreteSkyMap(
            name="x",
            tracts=[Circle(ra=0.0, dec=0.0, radius=89.0)],
            settings=TractSettings(pixel_scale_arcsec=60.0, tract_overlap=2.0),
        )


def test_a_map_without_tracts_is_refused() -> None:
    """It could answer no question."""
    with pytest.raises(ValueError, match="tracts must not be empty"):
        DiscreteSkyMap(name="x", tracts=[], settings=SETTINGS)
