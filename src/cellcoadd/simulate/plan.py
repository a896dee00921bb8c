"""What to observe, with which camera, in which conditions: the plan of a simulated survey."""

from __future__ import annotations

__all__ = ["Coefficients", "SurveyPlan", "VisitPlan"]

import dataclasses
import datetime
import functools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from astropy.table import Table

from .area import touches_area
from .artifacts import ArtifactSettings
from .camera import Camera
from .optics import PointSpread, PsfKind
from .pointing import DetectorPointing, tangent_plane
from .sky import TRUTH_COLUMNS, SkySettings, draw_sky

type Coefficients = Sequence[Sequence[float]]
"""Those of T_p(y) T_q(x), row p and column q, Chebyshev polynomials over a detector's box."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class VisitPlan:
    """One exposure of the whole camera: when, where to, in which conditions.

    Parameters
    ----------
    visit
        Id of the visit, positive.
    day_obs
        The night as a number YYYYMMDD.
    sequence
        Number of the exposure in its night; exposures follow each other every ten minutes.
    exposure_time_s
        Exposure time in seconds, less than ten minutes.
    dither_east, dither_north
        Offset of the optical axis from the survey's centre in arcseconds.
    rotation
        Position angle of the detectors' y axis, east of north, in degrees.
    psf
        ``gaussian`` or ``moffat``.
    seeing
        Full width at half maximum of the point-spread function on the axis in arcseconds.
    psf_beta, psf_g1, psf_g2
        Exponent and shear of a Moffat.
    psf_slope
        Relative growth of a Moffat's width from the axis to the right edge of the camera.
    sky_sigma
        Standard deviation of the sky noise in nJy per pixel.
    zero_point
        AB magnitude of a source of one electron, from which the photon noise of sources follows.
    stated_statistics
        Values for the summary statistics of the file in place of those of the simulation, by their
        names in `lsst.images.ObservationSummaryStats`: to try how inputs are selected.
    stated_aperture_corrections
        What the file says about aperture corrections, by algorithm, for every detector alike.
    stated_backgrounds
        Models of the background that the file carries, by name, in nJy per pixel. The pixels do not
        depend on them.
    subtracted_background
        Name of the one of which the file says that it has been subtracted.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    visit: int
    day_obs: int = 20240827
    sequence: int = 1
    exposure_time_s: float = 200.0
    dither_east: float = 0.0
    dither_north: float = 0.0
    rotation: float = 0.0
    psf: PsfKind = "gaussian"
    seeing: float = 0.65
    psf_beta: float = 3.5
    psf_g1: float = 0.0
    psf_g2: float = 0.0
    psf_slope: float = 0.0
    sky_sigma: float = 25.0
    zero_point: float = 33.3
    stated_statistics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    stated_aperture_corrections: Mapping[str, Coefficients] = dataclasses.field(
        default_factory=dict
    )
    stated_backgrounds: Mapping[str, Coefficients] = dataclasses.field(default_factory=dict)
    subtracted_background: str | None = None

    def __post_init__(self) -> None:
        if self.visit <= 0 or self.sequence < 0:
            raise ValueError(
                f"A visit's id must be positive and its sequence number not negative, got visit "
                f"{self.visit}, sequence {self.sequence}."
            )
        try:
            datetime.datetime.strptime(str(self.day_obs), "%Y%m%d")
        except ValueError:
            raise ValueError(
                f"Visit {self.visit}: day_obs must be a date YYYYMMDD, got {self.day_obs}."
            ) from None
        if self.sequence >= 72:
            raise ValueError(
                f"Visit {self.visit}: a night holds exposures 0..71, got number {self.sequence}."
            )
        if not 0.0 < self.exposure_time_s < 600.0:
            raise ValueError(
                f"Visit {self.visit}: the exposure time must be in 0..600 s, "
                f"got {self.exposure_time_s}."
            )
        if not (self.sky_sigma > 0.0 and self.seeing > 0.0):
            raise ValueError(
                f"Visit {self.visit}: sky noise and seeing must be positive, "
                f"got {self.sky_sigma} nJy and {self.seeing} arcsec."
            )
        names = [*self.stated_backgrounds, None]
        if self.subtracted_background not in names:
            raise ValueError(
                f"Visit {self.visit}: the subtracted background must be one of {names}, "
                f"got {self.subtracted_background!r}."
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class SurveyPlan:
    """All visits of a simulated survey of one field in one filter.

    Parameters
    ----------
    visits
        The exposures, each with its own id.
    camera
        The camera that takes them.
    ra, dec
        Centre of the field in degrees.
    area_arcmin
        Width from east to west and height of the area around the centre that the survey is for:
        detectors that do not touch it are left out, and so are sources that none of the others can
        see. None: all that the camera sees. Images do not depend on it.
    seed
        All that is random follows from it.
    field_name
        What the observer calls the field.
    physical_filter, band
        Name of the filter and of its band.
    sky
        Numbers and kinds of sources; None for an empty sky.
    sources
        The sources themselves, with the columns of `sky.TRUTH_COLUMNS`, in place of drawn ones:
        ``sky`` is not looked at then.
    artifacts
        Defects, saturation and cosmic rays; None for a perfect detector.
    noise
        False leaves out all noise; the variance planes stay as if it were there.
    photon_noise
        Whether the sources add to the noise and to the variance planes.
    sky_level
        Constant surface brightness that is left in the images, in nJy per pixel on the optical
        axis. Calibrated images have none.

    Raises
    ------
    ValueError
        If there is no visit, or two have the same id, given sources lack a column, or the area is
        empty or touched by no detector.
    """

    visits: tuple[VisitPlan, ...]
    camera: Camera = dataclasses.field(default_factory=Camera)
    ra: float = 150.0
    dec: float = 2.2
    area_arcmin: tuple[float, float] | None = None
    seed: int = 1
    field_name: str = "simulated field"
    physical_filter: str = "HSC-I"
    band: str = "i"
    sky: SkySettings | None = dataclasses.field(default_factory=SkySettings)
    sources: Table | None = dataclasses.field(default=None, compare=False)
    artifacts: ArtifactSettings | None = dataclasses.field(default_factory=ArtifactSettings)
    noise: bool = True
    photon_noise: bool = True
    sky_level: float = 0.0

    def __post_init__(self) -> None:
        ids = [visit.visit for visit in self.visits]
        if not ids:
            raise ValueError("A survey needs at least one visit.")
        if len(set(ids)) != len(ids):
            raise ValueError(f"Each visit needs an id of its own, got {ids}.")
        if self.sources is not None:
            missing = sorted(TRUTH_COLUMNS.keys() - set(self.sources.colnames))
            if missing:
                raise ValueError(
                    f"Sources need the columns {list(TRUTH_COLUMNS)}, missing: {missing}."
                )
        if self.seed < 0:
            raise ValueError(f"A seed must not be negative, got {self.seed}.")
        if not (0.0 <= self.ra < 360.0 and -89.0 <= self.dec <= 89.0):
            raise ValueError(
                "The field's centre must have 0 <= ra < 360 and -89 <= dec <= 89 degrees, "
                f"got ({self.ra}, {self.dec})."
            )
        if self.area_arcmin is not None:
            if min(self.area_arcmin) <= 0.0:
                raise ValueError(f"An area must be larger than 0, got {self.area_arcmin} arcmin.")
            if not self.exposures:
                raise ValueError(
                    f"No detector of any visit touches the area of {self.area_arcmin} arcmin: make "
                    "it larger than the gaps between detectors, or move the visits."
                )

    @functools.cached_property
    def exposures(self) -> tuple[tuple[int, int], ...]:
        """Visit and detector of every image, visit by visit, detector by detector."""
        return tuple(
            (visit.visit, detector)
            for visit in self.visits
            for detector in self.camera.detectors
            if self.area_arcmin is None
            or touches_area(
                self.pointing(visit.visit, detector),
                ra=self.ra, dec=self.dec, size_arcmin=self.area_arcmin,
            )
        )  # fmt: skip

    @property
    def radius_arcmin(self) -> float:
        """Radius of a circle around the centre that holds all that the whole camera sees."""
        farthest = max(math.hypot(visit.dither_east, visit.dither_north) for visit in self.visits)
        return (self._on_sky(self.camera.radius) + farthest) / 60.0

    @functools.cached_property
    def truth(self) -> Table:
        """All sources of the field, given or drawn (see `draw_sky`); do not change it."""
        if self.sources is not None:
            return self.sources
        sky = self.sky
        if sky is None:
            sky = SkySettings(stars_per_arcmin2=0.0, galaxies_per_arcmin2=0.0)
        drawn = draw_sky(
            sky, ra=self.ra, dec=self.dec, radius_arcmin=self.radius_arcmin, seed=self.seed
        )
        if self.area_arcmin is None:
            return drawn
        # Drawn for the whole camera and cut, so that the sky is the same for every area.
        diagonal = self._on_sky(math.hypot(self.camera.width, self.camera.height)) / 60.0
        east, north = tangent_plane(ra=drawn["ra"], dec=drawn["dec"], ra0=self.ra, dec0=self.dec)
        farthest = 0.5 * math.hypot(*self.area_arcmin) + diagonal
        return drawn[np.degrees(np.hypot(east, north)) * 60.0 < farthest]

    def _on_sky(self, pixels: float) -> float:
        """Return a length in arcseconds, with some more for distortion and sources outside."""
        return 1.03 * pixels * self.camera.pixel_scale + 10.0

    def visit(self, visit: int) -> VisitPlan:
        """Return the visit of an id."""
        for candidate in self.visits:
            if candidate.visit == visit:
                return candidate
        raise ValueError(
            f"The survey has no visit {visit}, only {[plan.visit for plan in self.visits]}."
        )

    def pointing(self, visit: int, detector: int) -> DetectorPointing:
        """Return where a detector looks in a visit."""
        plan = self.visit(visit)
        dec = self.dec + plan.dither_north / 3600.0
        ra = self.ra + plan.dither_east / 3600.0 / math.cos(math.radians(dec))
        return DetectorPointing(
            camera=self.camera, detector=detector, ra=ra % 360.0, dec=dec, rotation=plan.rotation
        )

    def point_spread(self, visit: int, detector: int) -> PointSpread:
        """Return the point-spread function of a detector in a visit."""
        plan, camera = self.visit(visit), self.camera
        fwhm = plan.seeing / camera.pixel_scale
        half_width = 0.5 * (camera.columns * camera.width + (camera.columns - 1) * camera.gap_x)
        slope = plan.psf_slope / half_width
        # The width is given on the axis, the profile's at the detector's pixel (0, 0).
        at_origin = 1.0 - slope * camera.axis_of(detector).x
        return PointSpread(
            kind=plan.psf,
            fwhm=fwhm * at_origin,
            beta=plan.psf_beta,
            g1=plan.psf_g1,
            g2=plan.psf_g2,
            slope_x=slope / at_origin,
        )
