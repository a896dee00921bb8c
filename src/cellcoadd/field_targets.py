"""The tangent plane onto which a pile of images is coadded: found for them, or like an image."""

from __future__ import annotations

__all__ = ["corners_of", "field_target", "target_like"]

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from lsst.images import Box

from .errors import UnusableInputError
from .files.fits_wcs import icrs_wcs
from .image_files import ImageFile
from .skymap import SkyMap
from .skymap.fields import cell_sizes_for, field_sky_map, sky_map_like
from .surveys._base import pixel_scale_arcsec
from .surveys.fits_files import open_fits


def field_target(
    images: Sequence[ImageFile],
    *,
    pixel_scale: float | None = None,
    centre: tuple[float, float] | None = None,
    size_arcmin: float | None = None,
    cell_size: int | None = None,
    cell_border: int | None = None,
) -> SkyMap:
    """Return a tangent plane for some images, of one tract.

    Parameters
    ----------
    images
        The images; at least one.
    pixel_scale
        Pixels of the target in arcsec; None: the median of the images'.
    centre
        Right ascension and declination in degrees; None: the middle of the images.
    size_arcmin
        Side of the field; None: all of the images. Both of these or none.
    cell_size, cell_border
        Inner size and border of cells in pixels; None: as the images let them be.

    Raises
    ------
    ValueError
        If one of ``centre`` and ``size_arcmin`` is missing, or a value is out of range.
    """
    if (centre is None) != (size_arcmin is None):
        raise ValueError("A centre needs a size, and a size a centre.")
    scales = _scales(images)
    scale = statistics.median(scales) if pixel_scale is None else pixel_scale
    if not scale > 0:
        raise ValueError(f"The scale of pixels must be positive, got {scale} arcsec.")
    inner, border = cell_sizes_for(min(_sides(images, scales, scale)))
    if centre is not None and size_arcmin is not None:
        half = size_arcmin / 120.0
        ra: npt.NDArray[np.float64] = np.full(2, centre[0])
        dec: npt.NDArray[np.float64] = np.array([centre[1] - half, centre[1] + half])
    else:
        corners = [corners_of(image) for image in images]
        ra, dec = (np.concatenate([c[axis] for c in corners]) for axis in (0, 1))
    return field_sky_map(
        ra=ra,
        dec=dec,
        pixel_scale_arcsec=scale,
        cell_inner_size=inner if cell_size is None else cell_size,
        cell_border=border if cell_border is None else cell_border,
    )


def target_like(
    image: Path,
    images: Sequence[ImageFile],
    *,
    cell_size: int | None = None,
    cell_border: int | None = None,
) -> SkyMap:
    """Return a tangent plane with the pixels of an image, of one tract that holds all of it.

    Parameters
    ----------
    image
        A FITS image; the first one in the file, or that of an address such as ``ref.fits[1]``.
    images
        The images to coadd; at least one.
    cell_size, cell_border
        As for `field_target`.

    Raises
    ------
    UnusableInputError
        If it cannot be read, or its pixels are no tangent plane.
    """
    with open_fits(image) as hdus:
        found = [hdu for hdu in hdus if hdu.is_image and len(hdu.shape) == 2]
        if not found:
            raise UnusableInputError(str(image), "it holds no image of two axes.")
        header, shape = found[0].header.copy(), (int(found[0].shape[0]), int(found[0].shape[1]))
    wcs = icrs_wcs(header, bbox=Box.from_shape(shape), source=str(image))
    scale_arcsec = 3600.0 * math.sqrt(abs(float(np.linalg.det(wcs.pixel_scale_matrix))))
    inner, border = cell_sizes_for(min(_sides(images, _scales(images), scale_arcsec)))
    try:
        return sky_map_like(
            wcs,
            shape,
            cell_inner_size=inner if cell_size is None else cell_size,
            cell_border=border if cell_border is None else cell_border,
        )
    except ValueError as error:
        raise UnusableInputError(
            str(image), f"coadds cannot have its pixels: {error}. --center, --size and --scale do."
        ) from error


def _scales(images: Sequence[ImageFile]) -> list[float]:
    """Return the size of the pixels of each image in arcsec."""
    return [pixel_scale_arcsec(i.header.sky_projection, i.header.bbox) for i in images]


def _sides(
    images: Sequence[ImageFile], scales: Sequence[float], scale_arcsec: float
) -> list[float]:
    """Return the shorter side of each image in pixels of the target."""
    return [
        own / scale_arcsec * min(i.header.bbox.x.size, i.header.bbox.y.size)
        for i, own in zip(images, scales, strict=True)
    ]


def corners_of(image: ImageFile) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return right ascensions and declinations (4,) in degrees of the corners of an image."""
    bbox = image.header.bbox
    left, right = bbox.x.min - 0.5, bbox.x.max + 0.5
    low, high = bbox.y.min - 0.5, bbox.y.max + 0.5
    sky = image.header.sky_projection.pixel_to_sky(
        x=np.array([left, right, right, left]), y=np.array([low, low, high, high])
    )
    return sky.icrs.ra.deg, sky.icrs.dec.deg
