"""Mask planes: our names, their meaning, and what other programs call them.

Masks are `lsst.images.Mask` with a schema of one 32-bit integer a pixel, so that a kernel sees a
plain two-dimensional array. Names are those of the configuration and of the Rubin pipelines before
DP2 (``SAT``, ``CR``, ``INTRP``); DP2's longer names (``SATURATED``) are recognized on reading.
"""

from __future__ import annotations

__all__ = [
    "ALL_PLANES",
    "DP2_NAMES",
    "STANDARD_PLANES",
    "PlaneSchema",
    "bit_changes",
    "bits_of",
    "mask_schema",
    "plane_array",
    "standard_name",
    "to_standard_planes",
    "translated_bits",
    "with_standard_names",
]

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images import Mask, MaskPlane, MaskPlaneBit, MaskSchema

from ..errors import MissingPlaneError

ALL_PLANES = "rejected"
"""Key of the masked fraction of all bad planes together, as in `lsst.images.cells.CellCoadd`."""

STANDARD_PLANES: Mapping[str, str] = {
    "BAD": "Bad pixel of the detector.",
    "SAT": "Saturated, or a bleed trail of a saturated pixel.",
    "INTRP": "The value was interpolated from the pixels around.",
    "CR": "Hit by a cosmic ray.",
    "EDGE": "Too near an edge for detection.",
    "DETECTED": "Part of a detected source.",
    "DETECTED_NEGATIVE": "Part of a detected source of negative flux.",
    "SUSPECT": "Near saturation.",
    "NO_DATA": "No data.",
    "CROSSTALK": "Affected by crosstalk.",
    "NOT_DEBLENDED": "Part of a source that was not deblended.",
    "STREAK": "Crossed by a satellite or another streak.",
    "UNMASKEDNAN": "Not finite although no other plane says why.",
    "CLIPPED": "Rejected as an artifact by comparing visits.",
    "REJECTED": "Some input was left out here because of its mask.",
    "INEXACT_PSF": "The inputs of this pixel are not all those of its cell's PSF.",
    "VIGNETTED": "Vignetted by the optics.",
}
"""Planes of every mask that we make, with their meaning; `mask_schema` has them in this order."""

DP2_NAMES: Mapping[str, str] = {
    "SAT": "SATURATED",
    "INTRP": "INTERPOLATED",
    "CR": "COSMIC_RAY",
    "EDGE": "DETECTION_EDGE",
    "UNMASKEDNAN": "UNMASKED_NAN",
}
"""What Rubin's DP2 calls the planes that it renamed."""

_FROM_DP2 = {dp2: ours for ours, dp2 in DP2_NAMES.items()}
_MAX_PLANES = 31  # bits of a positive int32


def standard_name(plane: str) -> str:
    """Return our name of a mask plane: that of DP2 translated, any other as it is.

    Examples
    --------
    >>> standard_name("SATURATED"), standard_name("CR"), standard_name("MY_PLANE")
    ('SAT', 'CR', 'MY_PLANE')
    """
    return _FROM_DP2.get(plane, plane)


class PlaneSchema(MaskSchema):
    """A schema whose planes answer to our names and to those of DP2.

    ``mask.get("SAT")`` and ``mask.get("SATURATED")`` are the same plane, whichever of the two names
    the mask has.

    Examples
    --------
    >>> schema = mask_schema()
    >>> schema.bit("SATURATED") == schema.bit("SAT")
    True
    """

    def bit(self, plane: str) -> MaskPlaneBit:
        """Return where a plane is.

        Raises
        ------
        MissingPlaneError
            If there is no such plane; it lists those there are.
        """
        return super().bit(self._name_here(plane))

    def bitmask(self, *planes: str) -> npt.NDArray[Any]:
        """Return the bits of some planes.

        Raises
        ------
        MissingPlaneError
            If there is no such plane; it lists those there are.
        """
        bits: npt.NDArray[Any] = super().bitmask(*map(self._name_here, planes))
        return bits

    def _name_here(self, plane: str) -> str:
        ours = standard_name(plane)
        for name in (plane, ours, DP2_NAMES.get(ours, ours)):
            if name in self.names:
                return name
        raise MissingPlaneError(
            f"The mask has no plane {plane!r}; there are {', '.join(self.names)}."
        )


def mask_schema(extra: Mapping[str, str] | None = None) -> PlaneSchema:
    """Return the schema of our masks: the standard planes, then any others sorted by name.

    Parameters
    ----------
    extra
        Names and meanings of further planes.

    Raises
    ------
    ValueError
        If there are more than 31 planes in all.
    """
    planes = dict(STANDARD_PLANES)
    for name in sorted(set(extra or {}) - set(planes)):
        planes[name] = (extra or {})[name]
    if len(planes) > _MAX_PLANES:
        raise ValueError(
            f"A mask holds at most {_MAX_PLANES} planes, got {len(planes)}: {list(planes)}."
        )
    return PlaneSchema([MaskPlane(name, text) for name, text in planes.items()], dtype=np.int32)


def with_standard_names(mask: Mask) -> Mask:
    """Return a view of a mask of one 32-bit integer a pixel, with our names of its planes.

    Bits stay where they are; the standard planes that it lacks get bits that are free.

    Raises
    ------
    ValueError
        If the mask is of another make, two planes have one name of ours, or there are not enough
        bits.
    """
    planes = [
        None if plane is None else MaskPlane(standard_name(plane.name), plane.description)
        for plane in mask.schema
    ]
    named = [plane.name for plane in planes if plane is not None]
    names = set(named)
    if len(names) < len(named):
        raise ValueError(f"Two planes have the same name: {sorted(named)}.")
    lacking = [MaskPlane(n, text) for n, text in STANDARD_PLANES.items() if n not in names]
    if len(planes) + len(lacking) > _MAX_PLANES:
        raise ValueError(f"There are no bits for {[plane.name for plane in lacking]}.")
    schema = PlaneSchema([*planes, *lacking], dtype=np.int32)
    return Mask(plane_array(mask)[:, :, np.newaxis], schema=schema, bbox=mask.bbox)


def to_standard_planes(mask: Mask, *, drop_empty: bool = False) -> Mask:
    """Return a copy of a mask with our schema, DP2's names translated, other planes kept.

    Parameters
    ----------
    mask
        Of any make.
    drop_empty
        Whether other planes that no pixel has end here, if there is no room for all planes.

    Raises
    ------
    ValueError
        If there are more than 31 planes.
    """
    planes = [plane for plane in mask.schema if plane is not None]
    if (
        drop_empty
        and len({*STANDARD_PLANES, *(standard_name(p.name) for p in planes)}) > _MAX_PLANES
    ):
        planes = [
            plane
            for plane in planes
            if standard_name(plane.name) in STANDARD_PLANES or mask.get(plane.name).any()
        ]
    schema = mask_schema({standard_name(plane.name): plane.description for plane in planes})
    result = Mask(0, schema=schema, bbox=mask.bbox, sky_projection=mask.sky_projection)
    bits = plane_array(result)
    for number, table in enumerate(_digit_tables(mask.schema, schema)):
        if table.any():
            digits = _digit_of_pixels(mask, number)
            if digits is not None:
                bits |= table[digits]
    return result


def _digit_of_pixels(mask: Mask, number: int) -> npt.NDArray[Any] | None:
    """Return 8 bits of every pixel, of larger integers 16, the lowest first; None if all are 0."""
    integers = mask.array
    if integers.itemsize == 1:
        return integers[:, :, number].view(np.uint8)
    if number % 2 and integers.shape[2] == 1 and 0 <= integers.min() <= integers.max() < 1 << 16:
        return None
    return integers.astype("<i4", copy=False).view("<u2")[:, :, number]


def _digit_tables(theirs: MaskSchema, ours: MaskSchema) -> list[npt.NDArray[np.int32]]:
    """For each digit of a pixel's bits, what its values are in our bits.

    A mask is translated digit by digit: plane by plane takes as many times as long as there are
    planes in a digit.
    """
    tables = _byte_tables(theirs, ours)
    if np.dtype(theirs.dtype).itemsize == 1:
        return tables
    pairs = zip(tables[0::2], tables[1::2], strict=True)
    return [(low | high[:, np.newaxis]).ravel() for low, high in pairs]


def _byte_tables(theirs: MaskSchema, ours: MaskSchema) -> list[npt.NDArray[np.int32]]:
    """For each byte of a pixel's bits, what its 256 values are in our bits."""
    size = np.dtype(theirs.dtype).itemsize
    tables = [np.zeros(256, np.int32) for _ in range(size * theirs.mask_size)]
    values = np.arange(256)
    for plane in theirs:
        if plane is None or standard_name(plane.name) not in ours:
            continue
        bit = theirs.bit(plane.name)
        byte, place = divmod((int(bit.mask) & (256**size - 1)).bit_length() - 1, 8)
        selected = (values >> place & 1) != 0
        tables[bit.index * size + byte][selected] |= bits_of(ours, [standard_name(plane.name)])
    return tables


def translated_bits(
    bits: npt.NDArray[np.int32], own: MaskSchema, target: MaskSchema
) -> npt.NDArray[np.int32]:
    """Return the pixels of a mask in the bits of another schema of ours.

    Planes that the target does not have end here. The result is a copy.
    """
    kept, changed, new = bit_changes(own, target)
    result = bits & np.int32(kept)
    for mine, theirs in zip(changed, new, strict=True):
        result[(bits & mine) != 0] |= theirs
    return result


def bit_changes(
    own: MaskSchema, target: MaskSchema
) -> tuple[int, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return what becomes of the bits of one schema of ours in another one.

    Returns
    -------
    kept
        Bits that stay.
    changed, new : int32 (n,)
        Single bits that change their place, and that place. All others end.
    """
    kept, changed = 0, {}
    for plane in own:
        if plane is None or plane.name not in target:
            continue
        mine, theirs = bits_of(own, [plane.name]), bits_of(target, [plane.name])
        if mine == theirs:
            kept |= mine
        else:
            changed[mine] = theirs
    return kept, np.array(list(changed), np.int32), np.array(list(changed.values()), np.int32)


def bits_of(schema: MaskSchema, planes: Iterable[str], *, ignore_missing: bool = False) -> int:
    """Return the OR of the bits of some planes.

    Raises
    ------
    ValueError
        If a plane is not in the schema and ``ignore_missing`` is false.
    """
    bits = 0
    for plane in planes:
        if plane in schema:
            bits |= int(schema.bit(plane).mask)
        elif not ignore_missing:
            raise ValueError(
                f"No mask plane is called {plane!r}; there are {sorted(schema.names)}."
            )
    return bits


def plane_array(mask: Mask) -> npt.NDArray[np.int32]:
    """Return the pixels of one of our masks as a two-dimensional view."""
    if mask.array.dtype != np.int32 or mask.array.shape[2] != 1:
        raise ValueError("Not a mask of ours: translate it with to_standard_planes() first.")
    view: npt.NDArray[np.int32] = mask.array[:, :, 0]
    return view
