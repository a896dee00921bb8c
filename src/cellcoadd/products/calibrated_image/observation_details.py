"""ObservationDetails: when, where and why a visit was taken; what a repository records of it.

Survey readers make it beside the calibrated image; the ingest of a Butler repository consumes it.
Nothing in here changes a pixel of a coadd. All is optional but the identifiers: files of some
surveys say very little.
"""

from __future__ import annotations

__all__ = ["ObservationDetails"]

import dataclasses
import math

from astropy.time import Time

from ..identifiers import ObservationIdentifiers


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
