"""The pixels of a Rubin visit image, or of a part of it, with our mask planes.

Arrays and a mask of any make come in; a masked image goes out whose mask is ours.
"""

from __future__ import annotations

__all__ = ["masked_image_of"]

from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images import Bounds, Box, Image, Mask, MaskedImage

from ...errors import UnusableInputError
from ...masks.impossible import flag_impossible
from ...masks.planes import bits_of, plane_array, to_standard_planes, with_standard_names


def masked_image_of(
    image: npt.NDArray[Any],
    variance: npt.NDArray[Any],
    planes: MaskedImage,
    *,
    bounds: Bounds,
    source: str,
    is_whole: bool,
) -> MaskedImage:
    """Return pixels as a calibrated image has them.

    Parameters
    ----------
    image, variance
        Pixels in counts.
    planes
        What the mask and the box are taken from.
    bounds
        Where the image is valid: pixels outside of it have no data.
    source
        What the user knows it as.
    is_whole
        Whether these are all pixels of the image.

    Raises
    ------
    UnusableInputError
        If there are more mask planes than bits.
    """
    bbox = planes.bbox
    mask = _mask(planes.mask, bounds, source=source, is_whole=is_whole)
    return MaskedImage(
        Image(image.astype(np.float32, copy=False), bbox=bbox),
        mask=flag_impossible(image, variance, mask),
        variance=Image(variance.astype(np.float32, copy=False), bbox=bbox),
        sky_projection=planes.sky_projection,
    )


def _mask(theirs: Mask, bounds: Bounds, *, source: str, is_whole: bool) -> Mask:
    try:
        mask = with_standard_names(theirs)
    except ValueError:
        try:
            # All parts of an image need the same planes: only the whole tells which are empty.
            mask = to_standard_planes(theirs, drop_empty=is_whole)
        except ValueError as error:
            raise UnusableInputError(
                source,
                f"its mask has too many planes: {error} Ours are among them; merge or drop some of "
                "its own.",
            ) from error
    if not (isinstance(bounds, Box) and bounds.contains(mask.bbox)):
        mask = mask.copy()  # it may be a view of theirs
        x, y = np.meshgrid(mask.bbox.x.arange, mask.bbox.y.arange)
        outside = ~np.asarray(bounds.contains(x=x, y=y))
        plane_array(mask)[outside] |= bits_of(mask.schema, ["NO_DATA"])
    return mask
