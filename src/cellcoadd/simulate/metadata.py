"""What a file says about its exposure: observation, summary statistics, corrections, background."""

from __future__ import annotations

__all__ = [
    "background_models",
    "correction_fields",
    "observation_info",
    "summary_statistics",
]

import datetime
import math
from typing import Any

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astro_metadata_translator import ObservationInfo
from astropy.coordinates import AltAz, Angle, EarthLocation, SkyCoord
from astropy.time import Time, TimeDelta
from lsst.images import Background, BackgroundMap, Box, ObservationSummaryStats
from lsst.images.fields import ChebyshevField, Field

from ..conventions import AB_ZERO_POINT_NJY
from .optics import PointSpread
from .plan import Coefficients, SurveyPlan, VisitPlan
from .pointing import DetectorPointing

_CULMINATION_DEG = 20.0  # from the zenith
_WANDERING_DEG = 45.0  # of the hour angle, to both sides of the meridian
_HOUR_ANGLE_STEP_DEG = 2.5  # ten minutes
_MAX_DETECTORS = 1000  # detector_exposure_id = visit * 1000 + detector


def observation_info(plan: SurveyPlan, visit: VisitPlan, detector: int) -> ObservationInfo:
    """Return all that a repository needs to register the instrument, the day and the visit.

    Notes
    -----
    The telescope stands where the field culminates 20 degrees from the zenith, and points to hour
    angles from -45 to 45 degrees one visit after the other, whatever the date.
    """
    night = datetime.datetime.strptime(str(visit.day_obs), "%Y%m%d")
    start = night + datetime.timedelta(hours=6, minutes=10 * visit.sequence)
    begin = Time(start, scale="tai")
    pointing = plan.pointing(visit.visit, detector)
    name = plan.camera.name_of(detector)
    place = _place_in_the_sky(visit, dec=pointing.dec, begin=begin)
    fields: dict[str, Any] = {
        "telescope": "simulated",
        "instrument": plan.camera.instrument,
        "exposure_id": visit.visit,
        "visit_id": visit.visit,
        "exposure_group": str(visit.visit),
        "observation_id": f"{plan.camera.instrument}-{visit.visit:08d}",
        "observation_type": "science",
        "observation_reason": "science",
        "observation_counter": visit.sequence,
        "group_counter_start": visit.sequence,
        "group_counter_end": visit.sequence,
        "observing_day": visit.day_obs,
        "observing_day_offset": TimeDelta(0.0 * u.s),
        "science_program": "simulation",
        "object": plan.field_name,
        "physical_filter": plan.physical_filter,
        "datetime_begin": begin,
        "datetime_end": begin + TimeDelta(visit.exposure_time_s * u.s),
        "exposure_time": visit.exposure_time_s * u.s,
        "exposure_time_requested": visit.exposure_time_s * u.s,
        "dark_time": visit.exposure_time_s * u.s,
        "tracking_radec": SkyCoord(pointing.ra * u.deg, pointing.dec * u.deg, frame="icrs"),
        "location": place.location,
        "altaz_begin": place,
        "boresight_airmass": float(1.0 / np.sin(place.alt)),
        "boresight_rotation_angle": Angle(visit.rotation * u.deg),
        "boresight_rotation_coord": "sky",
        "detector_num": detector,
        "detector_name": name,
        "detector_unique_name": name,
        "detector_serial": f"simulated-{detector:03d}",
        "detector_exposure_id": visit.visit * _MAX_DETECTORS + detector,
        "has_simulated_content": True,
        "can_see_sky": True,
    }
    return ObservationInfo(**fields)


def _place_in_the_sky(visit: VisitPlan, *, dec: float, begin: Time) -> AltAz:
    steps = visit.sequence * _HOUR_ANGLE_STEP_DEG
    hour_angle = steps % (2.0 * _WANDERING_DEG) - _WANDERING_DEG
    latitude = dec - math.copysign(_CULMINATION_DEG, dec)
    # In the frame of the horizon, whose pole is the zenith, from the one of the equator.
    position = SkyCoord(-hour_angle * u.deg, dec * u.deg)
    zenith, pole = SkyCoord(0.0 * u.deg, latitude * u.deg), SkyCoord(0.0 * u.deg, 90.0 * u.deg)
    azimuth = zenith.position_angle(position) - zenith.position_angle(pole)
    return AltAz(
        az=azimuth.wrap_at(360.0 * u.deg),
        alt=90.0 * u.deg - zenith.separation(position),
        obstime=begin,
        location=EarthLocation.from_geodetic(lon=0.0 * u.deg, lat=latitude * u.deg),
    )


def summary_statistics(
    visit: VisitPlan,
    pointing: DetectorPointing,
    point_spread: PointSpread,
    variance: npt.NDArray[np.floating[Any]],
) -> ObservationSummaryStats:
    """Return the statistics on which inputs are selected and by which they are weighted.

    Parameters
    ----------
    visit
        Conditions, and statistics that are stated otherwise than they are.
    pointing
        Where the detector looks.
    point_spread
        Its point-spread function.
    variance
        The variance plane in nJy^2.

    Raises
    ------
    ValueError
        If the visit states a statistic that lsst.images does not know.

    Notes
    -----
    Pixels are in nJy, so ``meanVar`` is in nJy^2 and ``zeroPoint`` 31.4. The function is known
    exactly, so stars do not deviate from it: residuals and scatters are zero.
    """
    camera = pointing.camera
    box = camera.bbox
    x_middle, y_middle = 0.5 * (box.x.min + box.x.max), 0.5 * (box.y.min + box.y.max)
    left, right = box.x.min - 0.5, box.x.max + 0.5
    bottom, top = box.y.min - 0.5, box.y.max + 0.5
    x_edges, y_edges = (left, right, right, left), (bottom, bottom, top, top)
    ra, dec = pointing.to_sky(x=[*x_edges, x_middle], y=[*y_edges, y_middle])
    shape = _Moments(point_spread, x=x_middle, y=y_middle)
    corners = [_Moments(point_spread, x=x, y=y) for x, y in zip(x_edges, y_edges, strict=True)]
    traces = [moments.trace_radius for moments in (shape, *corners)]
    fluxes = [moments.aperture_flux(3.0 * shape.sigma) for moments in (shape, *corners)]
    statistics: dict[str, Any] = {
        "psfSigma": shape.sigma,
        "psfArea": shape.area,
        "psfIxx": shape.xx,
        "psfIyy": shape.yy,
        "psfIxy": shape.xy,
        "ra": float(ra[4]),
        "dec": float(dec[4]),
        "raCorners": tuple(float(value) for value in ra[:4]),
        "decCorners": tuple(float(value) for value in dec[:4]),
        "pixelScale": math.sqrt(abs(np.linalg.det(pointing.jacobian(x=x_middle, y=y_middle)))),
        "expTime": visit.exposure_time_s,
        "zeroPoint": AB_ZERO_POINT_NJY,
        "skyBg": 0.0,
        "skyNoise": visit.sky_sigma,
        "meanVar": float(np.mean(variance, dtype=np.float64)),
        "nPsfStar": 50,
        "psfStarDeltaE1Median": 0.0,
        "psfStarDeltaE2Median": 0.0,
        "psfStarDeltaE1Scatter": 0.0,
        "psfStarDeltaE2Scatter": 0.0,
        "psfStarDeltaSizeMedian": 0.0,
        "psfStarDeltaSizeScatter": 0.0,
        "psfStarScaledDeltaSizeScatter": 0.0,
        "starEMedian": shape.ellipticity,
        "psfTraceRadiusDelta": max(traces) - min(traces),
        "psfApFluxDelta": max(fluxes) - min(fluxes),
        "psfApCorrSigmaScaledDelta": 0.0,
    }
    unknown = set(visit.stated_statistics) - set(ObservationSummaryStats.model_fields)
    if unknown:
        raise ValueError(
            f"Visit {visit.visit}: no summary statistic is called {sorted(unknown)}; the names are "
            "those of lsst.images.ObservationSummaryStats."
        )
    return ObservationSummaryStats(**(statistics | dict(visit.stated_statistics)))


def correction_fields(visit: VisitPlan, box: Box) -> dict[str, Field]:
    """Return the aperture corrections that the file of a detector states."""
    stated = visit.stated_aperture_corrections.items()
    return {name: _polynomial(box, coefficients) for name, coefficients in stated}


def background_models(visit: VisitPlan, box: Box) -> BackgroundMap:
    """Return the models of the background that the file of a detector carries, in nJy."""
    return BackgroundMap(
        [
            Background(name, _polynomial(box, coefficients, unit=u.nJy))
            for name, coefficients in visit.stated_backgrounds.items()
        ],
        subtracted=visit.subtracted_background,
    )


def _polynomial(
    box: Box, coefficients: Coefficients, *, unit: u.UnitBase | None = None
) -> ChebyshevField:
    return ChebyshevField(box, np.array(coefficients, np.float64), unit=unit)


class _Moments:
    """Adaptive second moments of a point-spread function at a position, in pixels."""

    def __init__(self, point_spread: PointSpread, *, x: float, y: float) -> None:
        import galsim

        # The middle of a pixel, so that the stamp is symmetric.
        self._stamp, box = point_spread.draw(x=math.floor(x), y=math.floor(y))
        moments = galsim.hsm.FindAdaptiveMom(galsim.ImageD(self._stamp, scale=1.0))
        self.sigma = float(moments.moments_sigma)
        self.area = 1.0 / float(np.sum(self._stamp**2))
        e1, e2 = float(moments.observed_shape.e1), float(moments.observed_shape.e2)
        self.ellipticity = math.hypot(e1, e2)
        # det = sigma^4 = (trace/2)^2 (1 - e^2)
        half_trace = self.sigma**2 / math.sqrt(1.0 - self.ellipticity**2)
        self.trace_radius = math.sqrt(half_trace)
        self.xx, self.yy = half_trace * (1.0 + e1), half_trace * (1.0 - e1)
        self.xy = half_trace * e2
        half = box.x.size // 2
        offsets = np.arange(-half, half + 1)
        self._radius = np.hypot(offsets[:, None], offsets[None, :])

    def aperture_flux(self, radius: float) -> float:
        """Return the flux in the pixels whose centres are within a radius in pixels."""
        return float(self._stamp[self._radius <= max(2.0, radius)].sum())
