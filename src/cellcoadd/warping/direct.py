"""make_direct_warp: the stage that turns the images of one visit into a warp on a patch."""

from __future__ import annotations

__all__ = ["DirectWarp", "make_direct_warp"]

import dataclasses
import itertools
import logging
from collections.abc import Iterable, Sequence

import astropy.units as u
import numpy as np
from lsst.images import Image, Mask, MaskedImage

from ..errors import UnusableInputError
from ..products.calibrated_image import CalibratedImage
from ..products.identifiers import ObservationIdentifiers, PatchIdentifiers
from ..products.mask_planes import ALL_PLANES
from ..products.warp import Warp, WarpInput
from ..skymap import Patch
from .merge import MergedPlanes
from .prepare import prepare_image
from .project import ProjectedImage, place_image, project_image
from .select import Refusal, select_images
from .settings import WarpSettings
from .warped_cells import warp_cells

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DirectWarp:
    """A warp and what is stored beside it.

    Parameters
    ----------
    warp
        Image, mask, variance, inputs, PSF.
    noise
        Noise realizations, warped the same way.
    masked_fraction
        Warped fraction of bad pixels, 0..1, NaN without data; None if it was not asked for.
    refused
        Detectors that were left out, and why.
    """

    warp: Warp
    noise: tuple[MaskedImage, ...]
    masked_fraction: Image | None
    refused: tuple[Refusal, ...]


def make_direct_warp(
    images: Iterable[CalibratedImage], patch: Patch, *, settings: WarpSettings
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

    Raises
    ------
    ValueError
        If the images are not of one visit, or two are of the same detector.

    Notes
    -----
    A detector that cannot be used is left out, logged and listed with its reason.
    """
    chosen = sorted(images, key=lambda image: image.observation)
    _check_visit([image.observation for image in chosen])
    refused: list[Refusal] = []
    if settings.do_select_pre_warp:
        chosen, refused = select_images(chosen, settings.select)
    _warn_of_unknown_planes(chosen, settings)
    box = patch.outer_bbox.dilated_by(settings.border)
    projected: list[ProjectedImage] = []
    for image in chosen:
        try:
            placement = place_image(image, box=box, tract=patch.sky_projection)
            if placement is None:
                continue
            prepared = prepare_image(image, settings=settings)
            result = project_image(prepared, placement, settings=settings.resampling)
        except UnusableInputError as err:
            refused.append(Refusal(observation=image.observation, reason=err.reason))
        else:
            if result is not None:
                projected.append(result)
    for refusal in refused:
        _LOG.warning("Left out: %s", refusal)
    if not projected:
        return None
    return _merge(projected, patch, refused=refused, settings=settings)


def _warn_of_unknown_planes(images: Sequence[CalibratedImage], settings: WarpSettings) -> None:
    """A plane that only some detectors have is common; one that none has is likely misspelt."""
    schemas = [image.masked_image.mask.schema for image in images]
    unknown = [
        plane
        for plane in settings.masked_fraction_planes
        if schemas and not any(plane in schema for schema in schemas)
    ]
    if unknown:
        _LOG.warning("No pixel is interpolated for %s: no image has such a plane.", unknown)


def _check_visit(observations: Sequence[ObservationIdentifiers]) -> None:
    visits = {(entry.instrument, entry.visit, entry.band) for entry in observations}
    if len(visits) > 1:
        raise ValueError(f"A warp is of one visit, the images are of {sorted(visits)}.")
    for first, second in itertools.pairwise(observations):
        if first.detector == second.detector:
            raise ValueError(f"{first} is given twice.")


def _merge(
    projected: list[ProjectedImage],
    patch: Patch,
    *,
    refused: list[Refusal],
    settings: WarpSettings,
) -> DirectWarp | None:
    planes = MergedPlanes.from_detectors(projected)
    if not planes.reach(patch.outer_bbox):
        # All of it lies in the border around the patch, which is there for neighbours' sake only.
        return None
    bbox, schema = planes.bbox, planes.schema
    cells = warp_cells(planes, projected, patch.grid, settings=settings.resampling)
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
            Image(planes.values[0], bbox=bbox, unit=u.nJy),
            mask=mask,
            variance=Image(planes.variances[0], bbox=bbox, unit=u.nJy**2),
            sky_projection=projection,
        ),
        identifiers=PatchIdentifiers(skymap=patch.skymap, tract=patch.tract, patch=patch.id),
        patch=patch.definition,
        cell_border=patch.grid.border,
        inputs=[
            WarpInput(
                observation=image.prepared.source.observation,
                bbox=image.prepared.source.masked_image.bbox,
                sky_projection=image.prepared.source.sky_projection,
                footprint=image.footprint,
                mean_variance_njy2=image.prepared.mean_variance_njy2,
                psf=image.prepared.source.psf,
            )
            for image in projected
        ],
        owner=planes.owner,
        cell_inputs=cells.inputs,
        stamps=cells.stamps,
        noise_covariances=cells.noise_covariances,
        aperture_corrections=cells.aperture_corrections,
        mask_fractions=fractions,
    )
    noise = tuple(
        MaskedImage(
            Image(planes.values[1 + n], bbox=bbox, unit=u.nJy),
            mask=mask,
            variance=Image(planes.variances[1], bbox=bbox, unit=u.nJy**2),
            sky_projection=projection,
        )
        for n in range(settings.number_of_noise_realizations)
    )
    return DirectWarp(
        warp=warp,
        noise=noise,
        masked_fraction=fractions.get(ALL_PLANES),
        refused=tuple(refused),
    )
