"""make_direct_warp: the stage that turns the images of one visit into a warp on a patch."""

from __future__ import annotations

__all__ = ["DirectWarp", "make_direct_warp"]

import dataclasses
import itertools
import logging
from collections.abc import Iterable, Sequence

import astropy.units as u
import numpy as np
import numpy.typing as npt
from lsst.images import YX, Box, Image, Mask, MaskedImage

from ..cell_grid import shared_box
from ..errors import UnusableInputError
from ..products.calibrated_image import CalibratedImage
from ..products.identifiers import ObservationIdentifiers, PatchIdentifiers
from ..products.mask_planes import ALL_PLANES
from ..products.warp import CELL_INPUT_DTYPE, NO_OWNER, Warp, WarpInput
from ..skymap import Patch
from .aperture_corrections import corrections_of_detectors
from .merge import MergedPlanes
from .prepare import prepare_image
from .project import ProjectedImage, place_image, project_image
from .select import Refusal, select_images
from .settings import WarpSettings
from .warped_psf import warp_psf

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
    cell_inputs, stamps, corrections = _cells_of(planes, projected, patch, settings=settings)
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
        cell_inputs=cell_inputs,
        stamps=stamps,
        aperture_corrections=corrections,
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


def _cells_of(
    planes: MergedPlanes, projected: list[ProjectedImage], patch: Patch, *, settings: WarpSettings
) -> tuple[npt.NDArray[np.void], npt.NDArray[np.float32], dict[str, npt.NDArray[np.float64]]]:
    """What each detector covers of each cell, its PSF and corrections at centres that it covers.

    Where a PSF cannot be drawn there is no stamp, and there are no aperture corrections.
    """
    rows: list[tuple[int, int, int, int, int, bool, int]] = []
    centres: list[list[YX[int]]] = [[] for _ in projected]
    grid = patch.grid
    for index in grid.overlapping(planes.bbox):
        n_outer = _owners_in(planes, grid.outer_bbox_of(index), len(projected))
        n_inner = _owners_in(planes, grid.inner_bbox_of(index), len(projected))
        centre = grid.centre_of(index)
        at_centre = planes.owner_at(x=centre.x, y=centre.y)
        for number in np.nonzero(n_outer)[0]:
            central = bool(number == at_centre)
            stamp = len(centres[number]) if central else -1
            if central:
                centres[number].append(centre)
            rows.append(
                (int(number), index.x, index.y, n_outer[number], n_inner[number], central, stamp)
            )
    cell_inputs = np.array(rows, dtype=CELL_INPUT_DTYPE)
    stamps, firsts = _join_stamps(
        [
            warp_psf(
                image.prepared.source.psf,
                transform=image.transform,
                centres=centres[number],
                settings=settings.resampling,
            )
            for number, image in enumerate(projected)
        ]
    )
    has_stamp = cell_inputs["stamp"] >= 0
    cell_inputs["stamp"][has_stamp] += firsts[cell_inputs["input"][has_stamp]]
    drawn = np.isfinite(stamps).all(axis=(1, 2))
    numbers = np.where(drawn, np.cumsum(drawn) - 1, -1)
    cell_inputs["stamp"][has_stamp] = numbers[cell_inputs["stamp"][has_stamp]]
    corrections = corrections_of_detectors(projected, centres)
    drawn_only = {name: values[drawn] for name, values in corrections.items()}
    return cell_inputs, stamps[drawn], drawn_only


def _owners_in(planes: MergedPlanes, box: Box, count: int) -> npt.NDArray[np.int64]:
    """Number of pixels of a box that come from each detector."""
    shared = shared_box(box, planes.bbox)
    if shared is None:
        return np.zeros(count, np.int64)
    place = shared.slice_within(planes.bbox)
    counts = np.bincount(planes.owner[place.y, place.x].ravel(), minlength=NO_OWNER + 1)
    return counts[:count].astype(np.int64)


def _join_stamps(
    parts: list[npt.NDArray[np.float32]],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Stamps of all detectors in one array, padded with zeros to one size; first row of each."""
    size = max(part.shape[1] for part in parts)
    padded = [np.pad(part, ((0, 0), *[((size - part.shape[1]) // 2,) * 2] * 2)) for part in parts]
    firsts = np.cumsum([0, *(len(part) for part in parts[:-1])]).astype(np.int32)
    return np.concatenate(padded), firsts
