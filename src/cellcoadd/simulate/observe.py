"""One detector of one visit: the sky through the optics onto the pixels, with noise and artifacts.

In: the plan of a survey. Out: a `lsst.images.VisitImage` as a calibrated image of a survey would
be, in nJy, with DP2's mask planes.
"""

from __future__ import annotations

__all__ = ["draw_sources", "simulate_visit_detector"]

import functools
import math
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astropy.table import Table
from lsst.images import (
    Box,
    Image,
    Mask,
    MaskSchema,
    VisitImage,
    get_legacy_visit_image_mask_planes,
)

from ..conventions import nanojansky_per_count, round_half_up
from .artifacts import (
    ArtifactSettings,
    amplifier_noise,
    bad_columns,
    cosmic_rays,
    edges,
    halos,
    saturate,
)
from .metadata import (
    background_models,
    correction_fields,
    observation_info,
    summary_statistics,
)
from .optics import PointSpread
from .plan import SurveyPlan
from .pointing import DetectorPointing
from .randomness import Purpose, generator

if TYPE_CHECKING:
    import galsim

type _Floats = npt.NDArray[np.float64]

_LARGEST_GALAXY_STAMP = 121  # pixels; what a galaxy has outside of it is below the noise


def simulate_visit_detector(plan: SurveyPlan, *, visit: int, detector: int) -> VisitImage:
    """Return the image that one detector takes in one visit of a survey.

    Parameters
    ----------
    plan
        The survey.
    visit, detector
        Which of its images.

    Returns
    -------
    `lsst.images.VisitImage`
        Image (float32, nJy), variance (float32, nJy^2: exactly what the noise was drawn with),
        mask, sky projection, point-spread function, observation and summary statistics, stated
        aperture corrections and backgrounds.

    Raises
    ------
    ValueError
        If the survey has no such visit or detector.

    Notes
    -----
    The result depends on the plan, the visit and the detector only, not on what else is simulated.
    """
    conditions = plan.visit(visit)
    camera, box = plan.camera, plan.camera.bbox
    pointing = plan.pointing(visit, detector)
    point_spread = plan.point_spread(visit, detector)

    image = draw_sources(plan.truth, pointing, point_spread)
    mask = Mask(0, schema=_mask_schema(), bbox=box)
    sky_sigma = np.full(camera.width, conditions.sky_sigma)
    if plan.artifacts is not None:
        image, full = saturate(image, plan.artifacts.saturation)
        if plan.artifacts.halo_radius:
            full |= _around_bright_stars(plan, plan.artifacts, pointing, point_spread)
        mask.set("SATURATED", full)
        sky_sigma *= amplifier_noise(
            plan.artifacts, width=camera.width, seed=plan.seed, detector=detector
        )

    variance = np.tile(sky_sigma**2, (camera.height, 1))
    if plan.photon_noise:
        # Poisson: the variance in electrons is their number.
        variance += nanojansky_per_count(conditions.zero_point) * image
    variance = variance.astype(np.float32).astype(np.float64)
    if plan.sky_level:
        image += plan.sky_level * _relative_areas(pointing, box)
    if plan.noise:
        rng = generator(plan.seed, Purpose.SKY_NOISE, visit=visit, detector=detector)
        image += np.sqrt(variance) * rng.standard_normal(image.shape)

    if plan.artifacts is not None:
        hit, flux = cosmic_rays(
            plan.artifacts, shape=image.shape, seed=plan.seed, visit=visit, detector=detector
        )
        bad, offset = bad_columns(
            plan.artifacts, width=camera.width, seed=plan.seed, detector=detector
        )
        image += flux + offset
        mask.set("COSMIC_RAY", hit)
        mask.set("BAD", np.broadcast_to(bad, image.shape))
        mask.set("DETECTION_EDGE", edges(plan.artifacts, shape=image.shape))

    projection = pointing.sky_projection(visit=visit)
    return VisitImage(
        Image(image.astype(np.float32), bbox=box, unit=u.nJy, sky_projection=projection),
        mask=mask,
        variance=Image(variance.astype(np.float32), bbox=box, unit=u.nJy**2),
        obs_info=observation_info(plan, conditions, detector),
        summary_stats=summary_statistics(conditions, pointing, point_spread, variance),
        psf=point_spread.to_lsst(box),
        detector=camera.detector(detector, visit=visit),
        band=plan.band,
        aperture_corrections=correction_fields(conditions, box),
        backgrounds=background_models(conditions, box),
    )


def draw_sources(truth: Table, pointing: DetectorPointing, point_spread: PointSpread) -> _Floats:
    """Return the noiseless image of all sources that reach a detector.

    Parameters
    ----------
    truth
        Sources, see `draw_sky`.
    pointing
        Where the detector looks.
    point_spread
        Its point-spread function.

    Returns
    -------
    image : float64 (rows, columns)
        Flux per pixel in nJy.
    """
    box = pointing.camera.bbox
    image = np.zeros((box.y.size, box.x.size))
    position = pointing.to_pixels(ra=truth["ra"], dec=truth["dec"])
    reach = _LARGEST_GALAXY_STAMP
    near = (
        (np.abs(position.x - 0.5 * (box.x.min + box.x.max)) < 0.5 * box.x.size + reach)
        & (np.abs(position.y - 0.5 * (box.y.min + box.y.max)) < 0.5 * box.y.size + reach)
    )  # fmt: skip
    for index in np.flatnonzero(near):
        x, y = float(position.x[index]), float(position.y[index])
        source = truth[index]
        if source["type"] == "star":
            stamp, stamp_box = point_spread.draw(x=x, y=y)
        else:
            stamp, stamp_box = _draw_galaxy(source, pointing, point_spread, x=x, y=y)
        _add(image, box, float(source["flux_njy"]) * stamp, stamp_box)
    return image


def _around_bright_stars(
    plan: SurveyPlan,
    settings: ArtifactSettings,
    pointing: DetectorPointing,
    point_spread: PointSpread,
) -> npt.NDArray[np.bool_]:
    """Return which pixels are in the halos of stars that fill a pixel, on the detector or off."""
    box = plan.camera.bbox
    stamp, _ = point_spread.draw(x=box.x.min, y=box.y.min)
    truth = plan.truth
    fills = (truth["type"] == "star") & (truth["flux_njy"] * stamp.max() > settings.saturation)
    bright = truth[fills]
    position = pointing.to_pixels(ra=bright["ra"], dec=bright["dec"])
    return halos(
        settings,
        x=position.x - box.x.min,
        y=position.y - box.y.min,
        flux=bright["flux_njy"],
        shape=(box.y.size, box.x.size),
    )


def _draw_galaxy(
    source: Table.Row, pointing: DetectorPointing, point_spread: PointSpread, *, x: float, y: float
) -> tuple[_Floats, Box]:
    """Return the image of a galaxy of unit flux, and its pixels."""
    import galsim

    radius = float(source["half_light_radius"])
    sheared = _sersic(float(source["sersic_index"]), radius).shear(
        g1=float(source["g1"]), g2=float(source["g2"])
    )
    (dudx, dudy), (dvdx, dvdy) = pointing.jacobian(x=x, y=y)
    in_pixels = galsim.JacobianWCS(dudx, dudy, dvdx, dvdy).toImage(sheared)
    profile = galsim.Convolve(in_pixels, point_spread.profile_at(x=x, y=y))

    half_pixels = 6.0 * radius / pointing.camera.pixel_scale + 2.0 * point_spread.fwhm_at(x=x, y=y)
    half = min(math.ceil(half_pixels), _LARGEST_GALAXY_STAMP // 2)
    stamp = galsim.ImageD(2 * half + 1, 2 * half + 1, scale=1.0)
    x_middle, y_middle = round_half_up(x), round_half_up(y)
    stamp.setCenter(x_middle, y_middle)
    # The point-spread function includes the pixel.
    profile.drawImage(stamp, method="no_pixel", center=galsim.PositionD(x, y))
    box = Box.from_shape(stamp.array.shape, start=(y_middle - half, x_middle - half))
    return stamp.array, box


@functools.lru_cache(maxsize=4096)
def _sersic(index: float, half_light_radius: float) -> galsim.GSObject:
    """Return a round galaxy of unit flux: visits see the same galaxies again."""
    import galsim

    if index == 1.0:
        return galsim.Exponential(half_light_radius=half_light_radius)
    return galsim.Sersic(index, half_light_radius=half_light_radius)


def _add(image: _Floats, box: Box, stamp: _Floats, stamp_box: Box) -> None:
    """Add the part of a stamp that is inside of an image."""
    y_low, y_high = max(box.y.start, stamp_box.y.start), min(box.y.stop, stamp_box.y.stop)
    x_low, x_high = max(box.x.start, stamp_box.x.start), min(box.x.stop, stamp_box.x.stop)
    if y_low >= y_high or x_low >= x_high:
        return
    inside = np.s_[
        y_low - box.y.start : y_high - box.y.start, x_low - box.x.start : x_high - box.x.start
    ]
    cut = np.s_[
        y_low - stamp_box.y.start : y_high - stamp_box.y.start,
        x_low - stamp_box.x.start : x_high - stamp_box.x.start,
    ]
    image[inside] += stamp[cut]


def _relative_areas(pointing: DetectorPointing, box: Box) -> _Floats:
    """Return the solid angle of every pixel relative to one on the optical axis."""
    return pointing.relative_pixel_area(
        x=np.arange(box.x.start, box.x.stop)[None, :], y=np.arange(box.y.start, box.y.stop)[:, None]
    )


def _mask_schema() -> MaskSchema:
    """Return the mask planes of DP2's visit images."""
    return MaskSchema(get_legacy_visit_image_mask_planes().values())
