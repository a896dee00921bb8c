"""make_direct_warp: the stage that turns the images of one visit into a warp on a patch."""

from __future__ import annotations

__all__ = ["DirectWarp", "VisitWarper", "make_direct_warp"]

import dataclasses
import logging
from collections.abc import Iterable, Sequence
from typing import Any

import astropy.units as u
import numpy as np
from lsst.images import Box, Image, Mask, MaskedImage, SkyProjection

from ..errors import UnusableInputError
from ..masks.planes import ALL_PLANES
from ..products.calibrated_image import CalibratedImage
from ..products.flux_units import common_flux_unit
from ..products.identifiers import ObservationIdentifiers, PatchIdentifiers
from ..products.warp import Warp, WarpInput, WarpKernel
from ..skymap import Patch
from .merge import MergedPlanes
from .prepare import prepare_image
from .project import DetectorProjector, LandedDetector, Placement, place_detector
from .select import Refusal, select_images
from .settings import WarpSettings
from .variances import DetectorVariances
from .warped_cells import warp_cells
from .workspace import Workspace

_LOG = logging.getLogger(__name__)

_FEW_DETECTORS = 16  # cover a patch, if each covers more than a sixteenth of it


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DirectWarp:
    """A warp and what is stored beside it.

    Parameters
    ----------
    warp
        Image, mask, variance, inputs, PSF.
    noise_images
        Noise realizations, warped the same way, in the warp's unit.
    noise_variance
        Their variance; None if there are none, or it was not asked for.
    masked_fraction
        Warped fraction of bad pixels, 0..1, NaN without data; None if it was not asked for.
    refused
        Detectors that were left out, and why.
    """

    warp: Warp
    noise_images: tuple[Image, ...]
    noise_variance: Image | None
    masked_fraction: Image | None
    refused: tuple[Refusal, ...]

    @property
    def noise(self) -> tuple[MaskedImage, ...]:
        """Noise realizations with their variance and the mask of the warp.

        Raises
        ------
        ValueError
            If the variance was not asked for.
        """
        if not self.noise_images:
            return ()
        if self.noise_variance is None:
            raise ValueError("The warp was made without the variance of its noise.")
        return tuple(
            MaskedImage(
                image,
                mask=self.warp.mask,
                variance=self.noise_variance,
                sky_projection=self.warp.sky_projection,
            )
            for image in self.noise_images
        )


def make_direct_warp(
    images: Iterable[CalibratedImage],
    patch: Patch,
    *,
    settings: WarpSettings,
    memory: Workspace | None = None,
    with_noise_variance: bool = True,
) -> DirectWarp | None:
    """Resample one visit onto a patch; None if nothing of it lands there.

    Parameters
    ----------
    images
        Detectors of one visit, in any order.
    patch
        The target.
    settings
        All choices.
    memory, with_noise_variance
        As for `VisitWarper`.

    Raises
    ------
    ValueError
        If the images are not of one visit and in one unit, or two are of the same detector.

    Notes
    -----
    A detector that cannot be used is left out, logged and listed with its reason.
    """
    chosen = sorted(images, key=lambda image: image.observation)
    warper = VisitWarper(
        patch, settings=settings, memory=memory, with_noise_variance=with_noise_variance
    )
    for image in chosen:
        warper.add(image)
    return warper.finish()


class VisitWarper:
    """Resamples the detectors of one visit onto a patch, one at a time, and keeps none of them.

    Parameters
    ----------
    patch, settings
        As for `make_direct_warp`.
    memory
        For the planes of detectors and of the warp. Those of one visit are lost when another one
        uses it.
    bbox
        The part of the patch that is wanted, without the border of the settings; None: all of it,
        with the border.
    measured
        Remembers what was measured on detectors, for warps of other parts with the same settings.
    with_noise_variance
        Whether the variance of the noise realizations is wanted, too. A coadd does not need it.
    """

    def __init__(
        self,
        patch: Patch,
        *,
        settings: WarpSettings,
        memory: Workspace | None = None,
        bbox: Box | None = None,
        measured: DetectorVariances | None = None,
        with_noise_variance: bool = True,
    ) -> None:
        self._memory = Workspace() if memory is None else memory
        self._measured = (
            DetectorVariances(settings.interpolation.bad_mask_planes)
            if measured is None
            else measured
        )
        self._patch = patch
        self._settings = settings
        self._with_noise_variance = with_noise_variance
        self._box = patch.outer_bbox.dilated_by(settings.border) if bbox is None else bbox
        self._planes: MergedPlanes | None = None
        self._landed: list[LandedDetector] = []
        self._refused: list[Refusal] = []
        self._last: ObservationIdentifiers | None = None
        self._unit: tuple[str, u.UnitBase] | None = None
        self._absent: set[str] = set(settings.masked_fraction_planes)

    @property
    def refused(self) -> Sequence[Refusal]:
        """Detectors that were left out so far, and why."""
        return self._refused

    def add(self, image: CalibratedImage) -> None:
        """Resample a detector; one that cannot be used is left out, for a reason that is kept.

        Raises
        ------
        ValueError
            If it is not of the visit of the others or in their unit, or does not come after them.
        """
        settings = self._settings
        self._check(image.observation)
        self._check_unit(image)
        if settings.do_select_pre_warp:
            _, refused = select_images([image], settings.select)
            self._refused += refused
            if refused:
                return
        try:
            placement = self._place(image.observation, image.bbox, image.sky_projection)
            if placement is None:
                return
            projector = DetectorProjector(
                image.bbox,
                placement,
                settings=settings.resampling,
                noise_correlation=image.noise_correlation,
            )
            wanted = projector.wanted
            if wanted is None:
                return
            prepared = prepare_image(
                image,
                settings=settings,
                wanted=wanted,
                measured=self._measured,
                memory=self._memory,
                with_noise_variance=self._with_noise_variance,
            )
            mean_variance = self._measured.mean_njy2(image)
        except UnusableInputError as err:
            source = None if err.source == str(image.observation) else err.source
            self._refused.append(
                Refusal(observation=image.observation, reason=err.reason, source=source)
            )
            return
        self._absent -= set(prepared.schema.names)
        landed = False
        for strip in projector.strips(prepared):
            landed = True
            if self._planes is None:
                self._planes = MergedPlanes(
                    strip, expected=self._expected(placement), memory=self._memory
                )
            self._planes.add(len(self._landed), strip)
        if landed:
            self._landed.append(
                LandedDetector.from_image(
                    image, placement=placement, mean_variance_njy2=mean_variance
                )
            )

    def reaches(
        self, observation: ObservationIdentifiers, bbox: Box, sky_projection: SkyProjection[Any]
    ) -> bool:
        """Return whether a detector lands on the patch, so that its pixels need be read.

        Raises
        ------
        UnusableInputError
            If the detector's WCS fails on its own pixels.
        """
        return self._place(observation, bbox, sky_projection) is not None

    def _place(
        self, observation: ObservationIdentifiers, bbox: Box, sky_projection: SkyProjection[Any]
    ) -> Placement | None:
        return place_detector(
            bbox,
            sky_projection,
            box=self._box,
            tract=self._patch.sky_projection,
            source=str(observation),
        )

    def finish(self) -> DirectWarp | None:
        """Return the warp; None if nothing landed on the patch."""
        for refusal in self._refused:
            _LOG.warning("Left out: %s", refusal)
        if self._planes is None:
            return None
        if self._absent:
            _LOG.warning(
                "No pixel is interpolated for %s: no image has such a plane.", sorted(self._absent)
            )
        self._planes.crop()
        assert self._unit is not None, "an image landed"
        return _warp_of(
            self._planes,
            self._landed,
            self._patch,
            unit=self._unit[1],
            refused=self._refused,
            settings=self._settings,
        )

    def _check(self, observation: ObservationIdentifiers) -> None:
        last, self._last = self._last, observation
        if last is None:
            return
        visits = {(entry.instrument, entry.visit, entry.band) for entry in (last, observation)}
        if len(visits) > 1:
            raise ValueError(f"A warp is of one visit, the images are of {sorted(visits)}.")
        if last.detector == observation.detector:
            raise ValueError(f"{observation} is given twice.")
        if last > observation:
            raise ValueError(f"Detectors must be sorted: {observation} comes after {last}.")

    def _check_unit(self, image: CalibratedImage) -> None:
        here = str(image.observation), image.flux_unit
        common_flux_unit([here] if self._unit is None else [self._unit, here])
        self._unit = here

    def _expected(self, first: Placement) -> Box:
        """What the planes will cover: all that is wanted, if the first detector is a large part."""
        if first.region.area * _FEW_DETECTORS >= self._box.area:
            return self._box
        return first.region


def _warp_of(
    planes: MergedPlanes,
    landed: Sequence[LandedDetector],
    patch: Patch,
    *,
    unit: u.UnitBase,
    refused: Sequence[Refusal],
    settings: WarpSettings,
) -> DirectWarp | None:
    if not planes.reach(patch.outer_bbox):
        # All of it lies in the border around the patch, which is there for neighbours' sake only.
        return None
    bbox, schema = planes.bbox, planes.schema
    cells = warp_cells(planes, landed, patch.grid, settings=settings.resampling)
    mask = Mask(planes.mask[:, :, np.newaxis], schema=schema, bbox=bbox)
    projection = patch.sky_projection
    fractions = {
        name: Image(plane, bbox=bbox, sky_projection=projection)
        for name, plane in zip(
            (ALL_PLANES, *settings.masked_fraction_planes), planes.fractions, strict=False
        )
    }
    warp = Warp(
        MaskedImage(
            Image(planes.values[0], bbox=bbox, unit=unit),
            mask=mask,
            variance=Image(planes.variances[0], bbox=bbox, unit=unit**2),
            sky_projection=projection,
        ),
        identifiers=PatchIdentifiers(skymap=patch.skymap, tract=patch.tract, patch=patch.id),
        patch=patch.definition,
        cell_border=patch.grid.border,
        inputs=[
            WarpInput(
                observation=detector.observation,
                bbox=detector.bbox,
                sky_projection=detector.sky_projection,
                footprint=detector.placement.footprint,
                mean_variance_njy2=detector.mean_variance_njy2,
                psf=detector.psf,
                conditions=detector.conditions,
            )
            for detector in landed
        ],
        owner=planes.owner,
        cell_inputs=cells.inputs,
        stamps=cells.stamps,
        kernel=WarpKernel(name=settings.resampling.kernel, star_fwhm=settings.resampling.star_fwhm),
        phase_errors=cells.phase_errors,
        noise_covariances=cells.noise_covariances,
        aperture_corrections=cells.aperture_corrections,
        mask_fractions=fractions,
    )
    of_noise = planes.variances[1] if len(planes.variances) > 1 else None
    return DirectWarp(
        warp=warp,
        noise_images=tuple(
            Image(plane, bbox=bbox, unit=unit, sky_projection=projection)
            for plane in planes.values[1:]
        ),
        noise_variance=None if of_noise is None else Image(of_noise, bbox=bbox, unit=unit**2),
        masked_fraction=fractions.get(ALL_PLANES),
        refused=tuple(refused),
    )
