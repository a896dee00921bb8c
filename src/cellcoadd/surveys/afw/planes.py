"""Image, mask and variance of an afw exposure, with our mask planes, ready to be warped."""

from __future__ import annotations

__all__ = ["named_mask", "read_planes"]

import re
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from lsst.images import (
    Bounds,
    Box,
    Image,
    Mask,
    MaskedImage,
    MaskPlane,
    MaskSchema,
    Polygon,
    SkyProjection,
)

from ...errors import UnusableInputError
from ...masks.planes import STANDARD_PLANES, standard_name
from ..rubin.pixels import masked_image_of
from .exposure_file import ExposureFile
from .photo_calib import Calibration

_PLANE = re.compile(r"^MP_(\w+)$")
_BITS = 31


def read_planes(
    exposure: ExposureFile, calibration: Calibration, projection: SkyProjection[Any]
) -> MaskedImage:
    """Read the pixels of an exposure.

    Parameters
    ----------
    exposure
        The open file.
    calibration
        What pixels are multiplied by where their calibration varies.
    projection
        Pixels to sky.

    Returns
    -------
    MaskedImage
        In counts, or in nJy where the calibration varies. Planes of the mask keep their names;
        pixels outside of the valid polygon have NO_DATA; those with a bit that has no name are BAD.

    Raises
    ------
    UnusableInputError
        If the file is cut off, or there are more planes than bits.
    """
    image, variance = (_pixels(exposure, name) for name in ("IMAGE", "VARIANCE"))
    if calibration.field is not None:
        image, variance = image * calibration.field, variance * calibration.field**2
    planes = MaskedImage(
        Image(image, bbox=exposure.bbox),
        mask=_mask(exposure),
        variance=Image(variance, bbox=exposure.bbox),
        sky_projection=projection,
    )
    return masked_image_of(
        image,
        variance,
        planes,
        bounds=_valid(exposure),
        source=exposure.source,
        is_whole=True,
    )


def _pixels(exposure: ExposureFile, name: str) -> npt.NDArray[np.float32]:
    return np.asarray(exposure.planes[name].data).astype(np.float32)


def _mask(exposure: ExposureFile) -> Mask:
    hdu = exposure.planes["MASK"]
    return named_mask(hdu.data, hdu.header, exposure.bbox, exposure.source)


def named_mask(pixels: npt.ArrayLike, header: fits.Header, bbox: Box, source: str) -> Mask:
    """Return a mask by the names that cards give to its bits.

    Parameters
    ----------
    pixels : (rows, columns)
        Its bits, all or some of a file.
    header
        The cards.
    bbox
        Where the pixels are.
    source
        The file, for messages.

    Raises
    ------
    UnusableInputError
        If no card names a bit, two planes share one, or there are more planes than bits.
    """
    bits = np.asarray(pixels)
    if bits.dtype.kind not in "iu":
        # A scale, if only of 1, makes floats of them.
        bits = np.rint(bits).astype(np.int64)
    bits = bits.astype(np.int32)
    names = _names(header, source)
    known = sum(1 << bit for bit in names)
    unnamed = (bits & ~np.int32(known)) != 0
    if unnamed.any():
        bad = next((bit for bit, name in names.items() if name == "BAD"), None)
        if bad is None:
            bad = min(set(range(_BITS)) - set(names), default=None)
            if bad is None:
                raise UnusableInputError(
                    source,
                    f"its mask has a bit without a name, and {_BITS} planes, none of them BAD, so "
                    "that such pixels cannot be flagged: name it by a card MP_....",
                )
            names[bad] = "BAD"
            bits &= np.int32(known)
        bits[unnamed] |= np.int32(1 << bad)
        bits &= np.int32(known | 1 << bad)
    schema = MaskSchema(
        [
            MaskPlane(names[bit], STANDARD_PLANES.get(names[bit], f"{names[bit]} of the image."))
            if bit in names
            else None
            for bit in range(max(names, default=0) + 1)
        ],
        dtype=np.int32,
    )
    return Mask(bits[:, :, np.newaxis], schema=schema, bbox=bbox)


def _names(header: fits.Header, source: str) -> dict[int, str]:
    """Return the names of bits."""
    names: dict[int, str] = {}
    for card in header.cards:
        found = _PLANE.match(card.keyword.upper())
        if found is None:
            continue
        bit, name = card.value, standard_name(found[1])
        if (
            not isinstance(bit, int)
            or not 0 <= bit < _BITS
            or names.get(bit, name) != name
            or any(other == name and number != bit for number, other in names.items())
        ):
            raise UnusableInputError(
                source,
                f"the mask plane {found[1]} must have a bit of its own, 0 to {_BITS - 1}, it has "
                f"{bit}.",
            )
        names[bit] = name
    if not names:
        raise UnusableInputError(
            source, "no card MP_... of its mask says what its bits mean: add them."
        )
    return names


def _valid(exposure: ExposureFile) -> Bounds:
    """Return where the image is valid: its polygon, or all of it."""
    stored = exposure.own("VALID_POLYGON")
    if stored is None:
        return exposure.bbox
    rows = stored.table()
    x, y = (np.asarray(rows.column(f"vertices_{axis}"), dtype=np.float64) for axis in "xy")
    if len(x) < 3 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise UnusableInputError(
            exposure.source, f"its valid polygon must have 3 finite vertices, it has {len(x)}."
        )
    if x[0] == x[-1] and y[0] == y[-1]:
        x, y = x[:-1], y[:-1]
    return Polygon(x_vertices=x, y_vertices=y)
