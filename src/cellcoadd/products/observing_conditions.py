"""ObservingConditions: what an exposure was taken under, as numbers that travel with the products.

Survey readers make them; warps and coadds keep them for each input, and maps are made of them. No
pixel depends on them.
"""

from __future__ import annotations

__all__ = ["UNKNOWN_CONDITIONS", "ObservingConditions"]

import dataclasses
import math


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObservingConditions:
    """When and through which air a detector was exposed. None: its files do not say.

    Parameters
    ----------
    exposure_time_s
        Exposure time in seconds.
    epoch_mjd
        Middle of the exposure, a modified Julian date in TAI.
    airmass
        As the files state it.
    zenith_angle_deg
        Distance from the zenith, 0 to 90 degrees.
    parallactic_angle_deg
        Angle at the position from north (of date) to the zenith, positive through east; it is
        positive west of the meridian.
    sky_background_njy, sky_noise_njy
        Level of the sky in a pixel of the detector before it was subtracted, and its standard
        deviation; in nJy, or in the unit of what is made of the image.

    Raises
    ------
    ValueError
        If a number is not finite, or the zenith angle is not that of a position in the sky.
    """

    exposure_time_s: float | None = None
    epoch_mjd: float | None = None
    airmass: float | None = None
    zenith_angle_deg: float | None = None
    parallactic_angle_deg: float | None = None
    sky_background_njy: float | None = None
    sky_noise_njy: float | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{field.name} must be finite or None, got {value}.")
        if self.zenith_angle_deg is not None and not 0.0 <= self.zenith_angle_deg < 90.0:
            raise ValueError(
                f"zenith_angle_deg must be in 0..90 or None, got {self.zenith_angle_deg}."
            )

    @property
    def is_known(self) -> bool:
        """Whether anything is."""
        return self != UNKNOWN_CONDITIONS


UNKNOWN_CONDITIONS = ObservingConditions()
"""Those of which nothing is known."""
