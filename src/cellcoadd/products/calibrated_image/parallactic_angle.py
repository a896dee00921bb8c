"""Where a position is in the sky of an observatory: zenith and parallactic angles.

Two ways lead there, by what the files of a survey say: the azimuth, or the hour angle. All angles
are in degrees. The formulas are those of the triangle of pole, zenith and position.
"""

from __future__ import annotations

__all__ = ["parallactic_angle_at_azimuth", "zenith_and_parallactic_angle"]

import math


def parallactic_angle_at_azimuth(*, zenith_angle: float, azimuth: float, latitude: float) -> float:
    """Return the parallactic angle at a place in the sky; positive in the west.

    Parameters
    ----------
    zenith_angle, azimuth
        The place; azimuth from north through east.
    latitude
        Of the observatory.

    Examples
    --------
    >>> round(parallactic_angle_at_azimuth(zenith_angle=40.0, azimuth=270.0, latitude=0.0), 9)
    90.0
    """
    z, a, phi = map(math.radians, (zenith_angle, azimuth, latitude))
    east = -math.cos(phi) * math.sin(a)
    north = math.sin(phi) * math.sin(z) - math.cos(phi) * math.cos(z) * math.cos(a)
    return math.degrees(math.atan2(east, north))


def zenith_and_parallactic_angle(
    *, hour_angle: float, declination: float, latitude: float
) -> tuple[float, float]:
    """Return both angles of a position of which the hour angle is known.

    Parameters
    ----------
    hour_angle
        In degrees, positive in the west.
    declination, latitude
        Of the position, and of the observatory.

    Examples
    --------
    >>> zenith_and_parallactic_angle(hour_angle=30.0, declination=0.0, latitude=0.0)
    (30.0, 90.0)
    """
    h, delta, phi = map(math.radians, (hour_angle, declination, latitude))
    east = math.cos(phi) * math.sin(h)
    north = math.sin(phi) * math.cos(delta) - math.cos(phi) * math.sin(delta) * math.cos(h)
    up = math.sin(phi) * math.sin(delta) + math.cos(phi) * math.cos(delta) * math.cos(h)
    zenith_angle = math.degrees(math.atan2(math.hypot(east, north), up))
    return zenith_angle, math.degrees(math.atan2(east, north))
