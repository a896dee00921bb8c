"""The sources of a simulated field follow the stated densities and ranges."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table

from cellcoadd.simulate import SkySettings, draw_sky


@pytest.fixture(scope="module")
def field() -> Table:
    settings = SkySettings(stars_per_arcmin2=3.0, galaxies_per_arcmin2=5.0)
    return draw_sky(settings, ra=0.01, dec=60.0, radius_arcmin=10.0, seed=11)


def test_sources_fill_the_circle_evenly(field: Table) -> None:
    """Half of the area is inside of 1/sqrt(2) of the radius; 2513 draws scatter by 1 per cent."""
    centre = SkyCoord(0.01 * u.deg, 60.0 * u.deg)
    distance = SkyCoord(field["ra"], field["dec"]).separation(centre).to_value(u.arcmin)
    assert distance.max() <= 10.0
    assert np.mean(distance < 10.0 / np.sqrt(2.0)) == pytest.approx(0.5, abs=0.05)
    east = np.mod(np.asarray(field["ra"]) - 0.01 + 180.0, 360.0) > 180.0
    assert np.mean(east) == pytest.approx(0.5, abs=0.05)


def test_numbers_and_ranges_are_as_stated(field: Table) -> None:
    """The area is 100 pi square arcminutes."""
    stars, galaxies = (field[field["type"] == kind] for kind in ("star", "galaxy"))
    assert (len(stars), len(galaxies)) == (942, 1571)
    np.testing.assert_array_equal(field["id"], np.arange(1, 2514))
    magnitudes = 31.4 - 2.5 * np.log10(np.asarray(stars["flux_njy"]))
    assert magnitudes.min() >= 16.0
    assert magnitudes.max() <= 23.5
    # With counts growing as 10^(0.2 m) the median is where half of 10^(0.2*23.5) is reached.
    low, high = 10**3.2, 10**4.7
    assert np.median(magnitudes) == pytest.approx(5.0 * np.log10(0.5 * (low + high)), abs=0.25)
    assert not np.any(stars["half_light_radius"])
    radii = np.asarray(galaxies["half_light_radius"])
    assert radii.min() >= 0.25
    assert radii.max() <= 1.0
    shear = np.hypot(galaxies["g1"], galaxies["g2"])
    assert shear.max() <= 0.6 + 1e-12
    assert np.std(galaxies["g1"]) == pytest.approx(0.2, rel=0.1)


def test_an_empty_sky_has_all_columns() -> None:
    """Readers of a truth table need not treat it apart."""
    empty = SkySettings(stars_per_arcmin2=0.0, galaxies_per_arcmin2=0.0)
    table = draw_sky(empty, ra=1.0, dec=2.0, radius_arcmin=1.0, seed=1)
    assert len(table) == 0
    assert "half_light_radius" in table.colnames


def test_more_stars_leave_the_galaxies_as_they_are() -> None:
    """Each kind has random numbers of its own."""
    few, many = (
        draw_sky(SkySettings(stars_per_arcmin2=density), ra=1.0, dec=2.0, radius_arcmin=2.0, seed=1)
        for density in (1.0, 9.0)
    )
    galaxies = [table[table["type"] == "galaxy"] for table in (few, many)]
    np.testing.assert_array_equal(galaxies[0]["ra"], galaxies[1]["ra"])
    np.testing.assert_array_equal(galaxies[0]["g2"], galaxies[1]["g2"])


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("stars_per_arcmin2", -1.0),
        ("star_magnitudes", (20.0, 18.0)),
        ("half_light_radii", (0.0, 1.0)),
    ],
)
def test_impossible_settings_are_refused(setting: str, value: object) -> None:
    """The message names the setting."""
    with pytest.raises(ValueError, match=f"(?i){setting.replace('_', '.')}"):
        SkySettings(**{setting: value})  # type: ignore[arg-type]
