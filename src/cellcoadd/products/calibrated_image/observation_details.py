"""ObservationDetails: when, where and why a visit was taken; what a repository records of it.

Survey readers make it beside the calibrated image; the ingest of a Butler repository consumes it,
and the image takes its `ObservingConditions` from it. Nothing in here changes a pixel of a coadd.
All is optional but the identifiers: files of some surveys say very little.
"""

from __future__ import annotations

__all__ = ["ObservationDetails"]

import dataclasses
import math

from astropy.time import Time

from ..identifiers import ObservationIdentifiers
from ..observing_conditions import ObservingConditions
from .parallactic_angle import parallactic_angle_at_azimuth, zenith_and_parallactic_angle


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ObservationDetails:
    """What is known of one exposure beside its pixels. None: the files do not say.

    Parameters
    ----------
    identifiers
        Which detector of which visit.
    name
        The observatory's name of the exposure, such as ``ct4m20170522t005532``.
    begin, end
        When the shutter opened and closed, in TAI.
    exposure_time_s
        Exposure time in seconds.
    ra_deg, dec_deg
        Boresight in degrees, ICRS.
    rotation_deg
        Angle on the sky of the camera's y axis, east of north, in degrees.
    airmass, zenith_angle_deg, azimuth_deg
        Where the telescope pointed; angles in degrees.
    hour_angle_deg
        The same by the hour angle in degrees, positive in the west.
    latitude_deg
        Of the observatory, in degrees.
    target
        What was pointed at, as the observer called it.
    science_program
        The observing program or proposal.
    observation_type
        The kind of exposure, such as ``science``.
    observation_reason
        Why it was taken.
    sequence_number
        Number of the exposure in its night.

    Raises
    ------
    ValueError
        If the exposure ends before it begins, or a number is not finite.
    """

    identifiers: ObservationIdentifiers
    name: str | None = None
    begin: Time | None = None
    end: Time | None = None
    exposure_time_s: float | None = None
    ra_deg: float | None = None
    dec_deg: float | None = None
    rotation_deg: float | None = None
    airmass: float | None = None
    zenith_angle_deg: float | None = None
    azimuth_deg: float | None = None
    hour_angle_deg: float | None = None
    latitude_deg: float | None = None
    target: str | None = None
    science_program: str | None = None
    observation_type: str | None = None
    observation_reason: str | None = None
    sequence_number: int | None = None

    def __post_init__(self) -> None:
        if self.begin is not None and self.end is not None and self.end < self.begin:
            raise ValueError(
                f"{self.identifiers}: the exposure ends ({self.end.isot}) before it begins "
                f"({self.begin.isot})."
            )
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(
                    f"{self.identifiers}: {field.name} must be finite or None, got {value}."
                )

    def conditions(
        self,
        *,
        sky_background_njy: float | None = None,
        sky_noise_njy: float | None = None,
        dec_deg: float | None = None,
    ) -> ObservingConditions:
        """Return what warps and coadds keep of it.

        Parameters
        ----------
        sky_background_njy, sky_noise_njy
            As in `ObservingConditions`; NaN is as good as None.
        dec_deg
            Declination of the image, for which there is an hour angle; None: that of the boresight.

        Notes
        -----
        What cannot be, such as a position below the horizon, is as good as not stated. Without
        zenith and hour angle, the zenith angle is that of the airmass: airmass = sec z.
        """
        zenith, parallactic = self._angles(self.dec_deg if dec_deg is None else dec_deg)
        return ObservingConditions(
            exposure_time_s=self.exposure_time_s,
            epoch_mjd=self._epoch_mjd,
            airmass=self.airmass if self.airmass is not None and self.airmass >= 1.0 else None,
            zenith_angle_deg=zenith,
            parallactic_angle_deg=parallactic,
            sky_background_njy=_finite(sky_background_njy),
            sky_noise_njy=_finite(sky_noise_njy),
        )

    def _angles(self, dec_deg: float | None) -> tuple[float | None, float | None]:
        """Zenith and parallactic angle."""
        zenith, azimuth, latitude = self.zenith_angle_deg, self.azimuth_deg, self.latitude_deg
        if latitude is not None and abs(latitude) > 90.0:
            latitude = None
        by_hour_angle: tuple[float | None, float | None] = (None, None)
        if self.hour_angle_deg is not None and dec_deg is not None and latitude is not None:
            by_hour_angle = zenith_and_parallactic_angle(
                hour_angle=self.hour_angle_deg, declination=dec_deg, latitude=latitude
            )
        if zenith is None:
            zenith = by_hour_angle[0]
        if zenith is None and self.airmass is not None and self.airmass >= 1.0:
            zenith = math.degrees(math.acos(1.0 / self.airmass))
        if zenith is None or not 0.0 <= zenith < 90.0:
            return None, None
        if azimuth is None or latitude is None:
            return zenith, by_hour_angle[1]
        return zenith, parallactic_angle_at_azimuth(
            zenith_angle=zenith, azimuth=azimuth, latitude=latitude
        )

    @property
    def _epoch_mjd(self) -> float | None:
        if self.begin is None or self.end is None:
            return None
        return float((self.begin + 0.5 * (self.end - self.begin)).tai.mjd)


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
