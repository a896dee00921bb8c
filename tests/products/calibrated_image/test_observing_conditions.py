"""What travels with images, and the angles that it is made of."""

from __future__ import annotations

import math
from typing import Any

import astropy.units as u
import pytest
from astropy.coordinates import AltAz, EarthLocation, HADec, SkyCoord
from astropy.time import Time
from astropy.utils import iers

from cellcoadd.products.calibrated_image.observation_details import ObservationDetails
from cellcoadd.products.calibrated_image.parallactic_angle import (
    parallactic_angle_at_azimuth,
    zenith_and_parallactic_angle,
)
from cellcoadd.products.identifiers import ObservationIdentifiers
from cellcoadd.products.observing_conditions import UNKNOWN_CONDITIONS, ObservingConditions

CERRO_PACHON = EarthLocation.from_geodetic(lon=-70.7494, lat=-30.2446, height=2663.0)
IDENTIFIERS = ObservationIdentifiers(
    instrument="Cam", visit=7, detector=3, physical_filter="g 1", band="g", day_obs=20240229
)


def details(**values: Any) -> ObservationDetails:
    return ObservationDetails(identifiers=IDENTIFIERS, **values)


@pytest.mark.parametrize(
    ("time", "ra", "dec"),
    [
        ("2024-11-08T05:11:30", 53.33, -28.07),  # near the zenith
        ("2024-11-08T00:40:00", 53.33, -28.07),  # far in the east
        ("2024-11-08T08:20:00", 9.45, -44.0),  # in the west, south of the zenith
        ("2024-11-08T03:00:00", 37.9, 7.0),  # in the north
    ],
)
def test_refraction_is_that_of_astropy_s_sky(time: str, ra: float, dec: float) -> None:
    """By azimuth and by hour angle; astropy finds the zenith by position angles on the sphere."""
    with iers.conf.set_temp("auto_download", value=False):
        when = {"obstime": Time(time), "location": CERRO_PACHON}
        place = SkyCoord(ra, dec, unit="deg")
        above, by_hours = place.transform_to(AltAz(**when)), place.transform_to(HADec(**when))
    # Hour angles grow to the west.
    here = SkyCoord(-by_hours.ha, by_hours.dec)
    zenith = SkyCoord(0.0 * u.deg, CERRO_PACHON.lat)
    q, z = here.position_angle(zenith).rad, here.separation(zenith).rad
    expected = [
        math.tan(z) * math.sin(q),
        math.tan(z) * math.cos(q),
        math.tan(z) ** 2 * math.cos(2.0 * q),
        math.tan(z) ** 2 * math.sin(2.0 * q),
    ]
    latitude = float(CERRO_PACHON.lat.deg)
    z_here = 90.0 - float(above.alt.deg)
    by_azimuth = parallactic_angle_at_azimuth(
        zenith_angle=z_here, azimuth=float(above.az.deg), latitude=latitude
    )
    by_hour_angle = zenith_and_parallactic_angle(
        hour_angle=float(by_hours.ha.deg), declination=float(by_hours.dec.deg), latitude=latitude
    )
    for pair in ((z_here, by_azimuth), by_hour_angle):
        z, q = map(math.radians, pair)
        shift, shape = math.tan(z), math.tan(z) ** 2
        found = [shift * math.sin(q), shift * math.cos(q)]
        found += [shape * math.cos(2.0 * q), shape * math.sin(2.0 * q)]
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_the_epoch_is_the_middle_of_the_exposure_in_tai() -> None:
    """UTC is 37 s behind."""
    begin = Time(60000.0, format="mjd", scale="utc")
    made = details(begin=begin, end=begin + 50 * u.s, exposure_time_s=50.0).conditions()
    assert made.epoch_mjd == pytest.approx(60000.0 + (37.0 + 25.0) / 86400.0, abs=1e-9)
    assert made.exposure_time_s == 50.0


@pytest.mark.parametrize(
    ("known", "zenith", "parallactic"),
    [
        ({"airmass": 2.0}, 60.0, None),
        ({"airmass": 2.0, "zenith_angle_deg": 59.0}, 59.0, None),
        ({"zenith_angle_deg": 40.0, "azimuth_deg": 270.0, "latitude_deg": 0.0}, 40.0, 90.0),
        ({"hour_angle_deg": 30.0, "dec_deg": 0.0, "latitude_deg": 0.0}, 30.0, 90.0),
        ({"airmass": 2.0, "azimuth_deg": 270.0, "latitude_deg": 123.0}, 60.0, None),
        ({"airmass": 0.9}, None, None),
        ({"zenith_angle_deg": 95.0}, None, None),
        ({"hour_angle_deg": 180.0, "dec_deg": 0.0, "latitude_deg": 0.0}, None, None),
    ],
)
def test_angles_come_from_what_is_known(
    known: dict[str, float], zenith: float | None, parallactic: float | None
) -> None:
    """What cannot be is as good as not stated."""
    made = details(**known).conditions()
    assert made.zenith_angle_deg == (None if zenith is None else pytest.approx(zenith))
    assert made.parallactic_angle_deg == (
        None if parallactic is None else pytest.approx(parallactic)
    )


def test_nothing_is_guessed() -> None:
    """NaN of a survey stands for a number that it did not measure."""
    assert details().conditions(sky_background_njy=math.nan) == UNKNOWN_CONDITIONS
    assert not UNKNOWN_CONDITIONS.is_known
    with pytest.raises(ValueError, match="airmass must be finite"):
        ObservingConditions(airmass=math.inf)
    with pytest.raises(ValueError, match="zenith_angle_deg must be in"):
        ObservingConditions(zenith_angle_deg=90.0)
