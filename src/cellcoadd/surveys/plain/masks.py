"""The mask of an image by the definition of its camera: bits or codes, and what the pixels say."""

from __future__ import annotations

__all__ = ["read_mask_bits"]

import numpy as np
import numpy.typing as npt

from ...errors import UnusableInputError
from ...masks.planes import bits_of, mask_schema
from ..processing import pipeline_version
from .definition import MaskMeaning, PlainMask
from .noise import read_plane_pixels
from .values import Headers

_SCHEMA = mask_schema()
_BITS = 63


def read_mask_bits(
    mask: PlainMask | None, headers: Headers, shape: tuple[int, ...]
) -> npt.NDArray[np.int32]:
    """Return the bits of our planes for each pixel of an image.

    Parameters
    ----------
    mask
        Where the mask is and what its values mean; None: there is none.
    headers
        Those of the image.
    shape
        Rows and columns of the image.

    Raises
    ------
    UnusableInputError
        If the mask is missing, broken, or has values that are no whole numbers; or if their meaning
        depends on a version that the header does not state.
    """
    bits: npt.NDArray[np.int32] = np.zeros(shape, np.int32)
    if mask is None:
        return bits
    pixels = read_plane_pixels(mask.plane, headers, shape=shape)
    meaning = _meaning(mask, headers)
    values = np.nan_to_num(pixels, nan=-1.0, posinf=-1.0, neginf=-1.0).astype(np.int64)
    if not (values == pixels).all() or values.min() < 0:
        raise UnusableInputError(
            str(mask.plane.file_of(headers.path)),
            f"a mask must be of whole numbers that are not negative, it has {pixels.dtype} from "
            f"{pixels.min()} to {pixels.max()}.",
        )
    if not meaning.are_bits:
        for code in np.unique(values):
            bits[values == code] |= _planes(meaning, int(code))
        return bits
    present = int(np.bitwise_or.reduce(values, axis=None))
    for bit in (1 << i for i in range(_BITS) if present & (1 << i)):
        bits[(values & bit) != 0] |= _planes(meaning, bit)
    return bits


def _meaning(mask: PlainMask, headers: Headers) -> MaskMeaning:
    if mask.earlier is None:
        return mask.meaning
    stated = headers.get(mask.earlier.keyword)
    version = None if stated is None else pipeline_version(str(stated))
    if version is None:
        raise UnusableInputError(
            str(headers.path),
            f"its {mask.earlier.keyword} is {stated!r}: what its mask means depends on it, so it "
            "must be a version such as 'V4.8.2'.",
        )
    return mask.earlier.meaning if version < mask.earlier.version else mask.meaning


def _planes(meaning: MaskMeaning, number: int) -> int:
    if number == 0 or number in meaning.harmless:
        return 0
    return int(bits_of(_SCHEMA, meaning.planes.get(number, ("BAD",))))
