"""Resample one prepared detector onto the part of a patch that it reaches."""

from __future__ import annotations

__all__ = [
    "DetectorProjector",
    "LandedDetector",
    "Placement",
    "ProjectedImage",
    "place_detector",
]

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images import XY, Box, Interval, MaskSchema, Polygon, SkyProjection, TractFrame
from lsst.images.fields import Field
from lsst.images.psfs import PointSpreadFunction

from ..kernels.correlated_variance import multiply_variances, variance_ratios
from ..kernels.positions import mark_blocks, node_indices, source_range
from ..kernels.resample import resample
from ..masks.planes import bits_of
from ..products.calibrated_image import CalibratedImage
from ..products.identifiers import ObservationIdentifiers
from ..products.observing_conditions import UNKNOWN_CONDITIONS, ObservingConditions
from .detector_rows import BLOCK, block_counts
from .positions import TractToDetector
from .prepare import PreparedImage, WantedPixels
from .settings import ResamplingSettings
from .workspace import Workspace

_STRIP = 130  # rows that are resampled, then merged, while they are in the processor's cache


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
    observation, bbox, sky_projection, psf, aperture_corrections, noise_correlation, conditions
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
    noise_correlation: npt.NDArray[np.float64] | None = None
    conditions: ObservingConditions = UNKNOWN_CONDITIONS

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
            noise_correlation=image.noise_correlation,
            conditions=image.conditions,
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


class DetectorProjector:
    """Resamples one detector to where it lands.

    Parameters
    ----------
    whole
        All pixels of the detector.
    placement
        Where it lands.
    settings
        All choices.
    noise_correlation : float64 (n, n), optional
        As in `CalibratedImage`: variances are then those of resampled noise that has it.
    """

    def __init__(
        self,
        whole: Box,
        placement: Placement,
        *,
        settings: ResamplingSettings,
        noise_correlation: npt.NDArray[np.float64] | None = None,
    ) -> None:
        self._whole = whole
        self._region = placement.region
        self._settings = settings
        self._spacing = max(settings.interp_length, 1)
        nodes = placement.transform.nodes(placement.region, spacing=self._spacing)
        self._nodes = XY(x=nodes.x - whole.x.start, y=nodes.y - whole.y.start)
        self._kernel = settings.warping_kernel
        self._ratios = (
            None if noise_correlation is None else variance_ratios(noise_correlation, self._kernel)
        )

    @property
    def wanted(self) -> WantedPixels | None:
        """The pixels of the detector that are needed; None if there are none."""
        shape, y_start = self._whole.shape, self._whole.y.start
        margin = self._kernel.half_width
        columns = source_range(self._nodes.x, shape.x, margin)
        first, stop = source_range(self._nodes.y, shape.y, margin)
        if first == stop or columns[0] == columns[1]:
            return None
        blocks = np.zeros(block_counts(shape), np.bool_)
        mark_blocks(self._nodes.x, self._nodes.y, margin, BLOCK.y, BLOCK.x, blocks)
        if not blocks.any():
            return None
        return WantedPixels(rows=Interval.factory[y_start + first : y_start + stop], blocks=blocks)

    def strips(self, prepared: PreparedImage) -> Iterator[ProjectedImage]:
        """Yield the resampled planes, strip by strip; none if the kernel fits nowhere.

        Parameters
        ----------
        prepared
            The detector, at least the pixels that are `wanted`.

        Notes
        -----
        A strip's arrays are overwritten by the next one: they stay in the processor's cache, and
        the computer need not find memory for them again and again.
        """
        skipped: list[Box] = []
        landed = False
        work = Workspace()
        for strip in self._boxes():
            projected = self._project(prepared, strip, work)
            if not landed and not projected.coverage.any():
                skipped.append(strip)
                continue
            landed = True
            if skipped:
                for earlier in skipped:
                    yield self._project(prepared, earlier, work)
                skipped.clear()
                projected = self._project(prepared, strip, work)
            yield projected

    def _boxes(self) -> Iterator[Box]:
        """Yield the strips of the region; they begin at nodes."""
        x, y = self._region.x, self._region.y
        start = y.start
        while start < y.stop:
            steps = max(_STRIP // self._spacing, 1)
            stop = min((start // self._spacing + steps) * self._spacing, y.stop)
            yield Box.factory[start:stop, x.start : x.stop]
            start = stop

    def _project(self, prepared: PreparedImage, strip: Box, work: Workspace) -> ProjectedImage:
        schema = prepared.schema
        shape = (strip.y.size, strip.x.size)
        result = ProjectedImage(
            schema=schema,
            bbox=strip,
            values=work.array("values", (len(prepared.values), *shape), np.float32),
            variances=work.array("variances", (len(prepared.variances), *shape), np.float32),
            mask=work.array("mask", shape, np.int32),
            fractions=work.array("fractions", (prepared.n_fractions, *shape), np.float32),
            coverage=work.array("coverage", shape, np.bool_),
        )
        first = strip.y.start // self._spacing - self._region.y.start // self._spacing
        rows = len(node_indices(strip.y.start, strip.y.stop, self._spacing))
        resample(
            prepared.values,
            prepared.variances,
            prepared.mask,
            prepared.bad,
            prepared.first_row,
            self._whole.y.size,
            self._nodes.x[first : first + rows],
            self._nodes.y[first : first + rows],
            strip.x.start,
            strip.y.start,
            self._spacing,
            self._kernel.table,
            self._kernel.half_width,
            bits_of(schema, self._settings.grow_full_mask, ignore_missing=True),
            bits_of(schema, ["NO_DATA"]),
            result.values,
            result.variances,
            result.mask,
            result.fractions,
            result.coverage,
        )
        if self._ratios is not None:
            multiply_variances(
                self._nodes.x[first : first + rows],
                self._nodes.y[first : first + rows],
                strip.x.start,
                strip.y.start,
                self._spacing,
                self._ratios,
                result.variances,
            )
        return result


def _pixels_inside(footprint: Polygon, box: Box) -> Box | None:
    """Return the part of a box that an outline can reach."""
    x_start = max(math.floor(footprint.x_vertices.min()) - 1, box.x.start)
    x_stop = min(math.ceil(footprint.x_vertices.max()) + 2, box.x.stop)
    y_start = max(math.floor(footprint.y_vertices.min()) - 1, box.y.start)
    y_stop = min(math.ceil(footprint.y_vertices.max()) + 2, box.y.stop)
    if x_start >= x_stop or y_start >= y_stop:
        return None
    return Box.factory[y_start:y_stop, x_start:x_stop]
