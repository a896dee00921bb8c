"""Masks of artifacts that the Rubin pipelines wrote with lsst.afw, each in a file of its own.

A file comes in; a mask goes out whose plane CLIPPED says where a visit differs from the others. It
is in pixels of the tract, as the warp that it was made for.
"""

from __future__ import annotations

__all__ = ["read_artifact_mask"]

from pathlib import Path
from typing import Any

from astropy.io import fits
from lsst.images import Box, Mask

from ...errors import UnusableInputError
from ..fits_files import open_fits
from .exposure_file import bbox_of_pixels
from .planes import named_mask

_CLIPPED = "CLIPPED"


def read_artifact_mask(path: Path, *, bbox: Box | None = None) -> Mask:
    """Read a mask of artifacts, such as a ``compare_warp_artifact_mask``.

    Parameters
    ----------
    path
        FITS, as lsst.afw writes a mask, perhaps compressed.
    bbox
        The pixels that are wanted, all of which the mask must have; None: all that it has.

    Returns
    -------
    Mask
        With all planes that cards of the file name.

    Raises
    ------
    UnusableInputError
        If the file is broken, holds no mask of afw or one without a plane CLIPPED, or does not have
        the pixels that are wanted.
    """
    source = str(path)
    with open_fits(path) as hdus:
        hdu = _mask_hdu(hdus, source)
        held = bbox_of_pixels(hdu, source)
        wanted = held if bbox is None else bbox
        if not held.contains(wanted):
            raise UnusableInputError(
                source,
                f"a mask of artifacts must cover all that its visit has of the patch, {wanted}; it "
                f"has {held}: it is of another patch or sky map, or cut out of one.",
            )
        place = wanted.slice_within(held)
        mask = named_mask(hdu.section[place.y, place.x], hdu.header, wanted, source)
    if _CLIPPED not in mask.schema.names:
        raise UnusableInputError(
            source,
            f"a mask of artifacts must have the plane {_CLIPPED}, this one has "
            f"{', '.join(sorted(mask.schema.names))}: it is of another kind. Give the "
            "compare_warp_artifact_mask of the visit.",
        )
    return mask


def _mask_hdu(hdus: fits.HDUList, source: str) -> Any:
    """Find the image whose cards name planes."""
    found = [
        hdu
        for hdu in hdus
        if hdu.is_image
        and len(hdu.shape) == 2
        and any(card.keyword.upper().startswith("MP_") for card in hdu.header.cards)
    ]
    if len(found) != 1:
        raise UnusableInputError(
            source,
            f"one image must have cards MP_... that name the planes of a mask, {len(found)} have: "
            "it is no mask that lsst.afw wrote.",
        )
    return found[0]
