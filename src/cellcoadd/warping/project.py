"""Resample one prepared detector onto the part of a patch that it reaches."""

from __future__ import annotations

__all__ = ["LandedDetector", "Placement", "ProjectedImage", "place_detector", "project_image"]

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images import Box, MaskSchema, Polygon, SkyProjection, TractFrame
from lsst.images.fields import Field
from lsst.images.psfs import PointSpreadFunction

from ..kernels.resample import resample
from ..products.calibrated_image import CalibratedImage
from ..products.identifiers import ObservationIdentifiers
from ..products.mask_planes import bits_of
from .positions import TractToDetector
from .prepare import PreparedImage
from .settings import ResamplingSettings


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Placement:
    """Where a detector lands: the tract's pixels that it can reach, its outline, the transform."""

    region: Box
    footprint: Polygon
    transform: TractToDetector


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LandedDetector:
    """What is known of a detector that has pixels on a patch, without the pixels.

    Parameters
    ----------
    observation, bbox, sky_projection, psf, aperture_corrections
        As in `CalibratedImage`.
    mean_variance_njy2
        Mean variance, of which the weight is the inverse.
    placement
        Where it lands.
    """

    observation: ObservationIdentifiers
    bbox: Box
    sky_projection: SkyProjection[Any]
    psf: PointSpreadFunction
    aperture_corrections: Mapping[str, Field]
    mean_variance_njy2: float
    placement: Placement

    @classmethod
    def from_image(
        cls, image: CalibratedImage, *, placement: Placement, mean_variance_njy2: float
    ) -> LandedDetector:
        """Take what is to be kept of an image."""
        return cls(
            observation=image.observation,
            bbox=image.bbox,
            sky_projection=image.sky_projection,
            psf=image.psf,
            aperture_corrections=image.aperture_corrections,
            mean_variance_njy2=mean_variance_njy2,
            placement=placement,
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ProjectedImage:
    """Planes of one detector on the pixels of a tract.

    Parameters
    ----------
    schema
        Meaning of the mask's bits.
    bbox
        The tract's pixels that the planes cover.
    values, variances, mask
        As in `PreparedImage`, resampled; NaN, +inf and NO_DATA where there are no data.
    fractions : float32 (n_fractions, rows, columns)
        Resampled fraction of bad pixels, 0..1, NaN where there are no data.
    coverage : bool (rows, columns)
        Where the kernel lies inside of the detector, whatever the mask.
    """

    schema: MaskSchema
    bbox: Box
    values: npt.NDArray[np.float32]
    variances: npt.NDArray[np.float32]
    mask: npt.NDArray[np.int32]
    fractions: npt.NDArray[np.float32]
    coverage: npt.NDArray[np.bool_]


def place_detector(
    bbox: Box,
    sky_projection: SkyProjection[Any],
    *,
    box: Box,
    tract: SkyProjection[TractFrame],
    source: str,
) -> Placement | None:
    """Find where a detector lands in a region of a tract; None if it does not.

    Parameters
    ----------
    bbox, sky_projection
        The detector's pixels, and from them to the sky.
    box
        The region.
    tract
        The tract's pixels to the sky.
    source
        What the user knows the detector as.

    Raises
    ------
    UnusableInputError
        If the detector's WCS fails on its own pixels.
    """
    transform = TractToDetector(tract=tract, detector=sky_projection, source=source)
    footprint = transform.footprint(bbox)
    region = _pixels_inside(footprint, box) if footprint is not None else None
    if footprint is None or region is None:
        return None
    return Placement(region=region, footprint=footprint, transform=transform)


def project_image(
    prepared: PreparedImage, placement: Placement, *, settings: ResamplingSettings
) -> ProjectedImage | None:
    """Resample one detector to where it lands; None if its kernel fits nowhere."""
    source = prepared.source
    detector_box = source.bbox
    region, transform = placement.region, placement.transform
    schema = source.masked_image.mask.schema
    shape = (region.y.size, region.x.size)
    spacing = max(settings.interp_length, 1)
    nodes = transform.nodes(region, spacing=spacing)
    result = ProjectedImage(
        schema=schema,
        bbox=region,
        values=np.empty((len(prepared.values), *shape), np.float32),
        variances=np.empty((len(prepared.variances), *shape), np.float32),
        mask=np.empty(shape, np.int32),
        fractions=np.empty((prepared.n_fractions, *shape), np.float32),
        coverage=np.empty(shape, np.bool_),
    )
    resample(
        prepared.values,
        prepared.variances,
        prepared.mask,
        prepared.bad,
        nodes.x - detector_box.x.start,
        nodes.y - detector_box.y.start,
        region.x.start,
        region.y.start,
        spacing,
        bits_of(schema, settings.grow_full_mask, ignore_missing=True),
        bits_of(schema, ["NO_DATA"]),
        result.values,
        result.variances,
        result.mask,
        result.fractions,
        result.coverage,
    )
    return result if result.coverage.any() else None


def _pixels_inside(footprint: Polygon, box: Box) -> Box | None:
    """Return the part of a box that an outline can reach."""
    x_start = max(math.floor(footprint.x_vertices.min()) - 1, box.x.start)
    x_stop = min(math.ceil(footprint.x_vertices.max()) + 2, box.x.stop)
    y_start = max(math.floor(footprint.y_vertices.min()) - 1, box.y.start)
    y_stop = min(math.ceil(footprint.y_vertices.max()) + 2, box.y.stop)
    if x_start >= x_stop or y_start >= y_stop:
        return None
    return Box.factory[y_start:y_stop, x_start:x_stop]
