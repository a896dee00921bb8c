"""Questions to masks, and masks put together, whatever program made them.

Masks of lsst.images come in, with any schema: one or several integers a pixel, planes named as we
do or as Rubin's DP2 does. A plane is found under both its names. What `lsst.images.Mask` does
itself (``get`` one plane, ``set``, ``clear``, ``update`` with planes of the same name) is not
repeated.
"""

from __future__ import annotations

__all__ = ["any_of", "combine_masks"]

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from lsst.images import Mask, MaskSchema

from .planes import (
    DP2_NAMES,
    mask_schema,
    plane_array,
    standard_name,
    to_standard_planes,
    translated_bits,
)


def any_of(
    mask: Mask, planes: str | Iterable[str], *, ignore_missing: bool = False
) -> npt.NDArray[np.bool_]:
    """Return where any of some mask planes is set.

    Parameters
    ----------
    mask
        A mask of lsst.images with any schema.
    planes
        Names of planes, or one name; ``"SAT"`` and ``"SATURATED"`` are the same plane.
    ignore_missing
        Whether planes that the mask does not have count as set nowhere.

    Returns
    -------
    bool (rows, columns)
        One value a pixel, true where any of the planes is set.

    Raises
    ------
    ValueError
        If the mask does not have a plane and ``ignore_missing`` is false.

    Examples
    --------
    A variance plane with the pixels blanked that were bad in some input:

    >>> from cellcoadd.masks.planes import mask_schema
    >>> mask = Mask(0, schema=mask_schema(), shape=(1, 4))
    >>> mask.set("SAT", np.array([[True, False, False, True]]))
    >>> any_of(mask, ["CR", "SATURATED"])
    array([[ True, False, False,  True]])
    >>> np.where(any_of(mask, ["CR", "SATURATED"]), np.nan, [[9.0, 4.0, 4.0, 9.0]])
    array([[nan,  4.,  4., nan]])
    """
    names: list[str] = []
    for plane in [planes] if isinstance(planes, str) else planes:
        found = _names_in(mask.schema, plane)
        if not found and not ignore_missing:
            raise ValueError(
                f"The mask has no plane {plane!r}; there are {sorted(mask.schema.names)}."
            )
        names += found
    result = np.zeros(mask.array.shape[:2], np.bool_)
    for number, bits in enumerate(mask.schema.bitmask(*names)):
        if bits:
            result |= (mask.array[:, :, number] & bits) != 0
    return result


def combine_masks(masks: Iterable[Mask]) -> Mask:
    """Return the OR of masks, plane by plane.

    Parameters
    ----------
    masks
        Masks of lsst.images with any schemas, on the same box.

    Returns
    -------
    Mask
        With our schema: the standard planes, then all others by name. The sky projection is that of
        the first mask that has one.

    Raises
    ------
    ValueError
        If there is no mask, the boxes differ, or the planes are more than 31 in all.

    Examples
    --------
    >>> from lsst.images import MaskPlane
    >>> schema = MaskSchema([MaskPlane("SATURATED", "Saturated."), MaskPlane("STAR", "In a star.")])
    >>> masks = [Mask(0, schema=schema, shape=(1, 3)) for _ in range(2)]
    >>> masks[0].set("SATURATED", np.array([[True, False, False]]))
    >>> masks[1].set("STAR", np.array([[False, True, False]]))
    >>> both = combine_masks(masks)
    >>> both.get("SAT"), both.get("STAR")
    (array([[ True, False, False]]), array([[False,  True, False]]))
    """
    given = [to_standard_planes(mask) for mask in masks]
    if not given:
        raise ValueError("There is no mask to combine.")
    bbox = given[0].bbox
    for mask in given:
        if mask.bbox != bbox:
            raise ValueError(
                f"Masks must be on one box to be combined, got {bbox} and {mask.bbox}: cut them "
                "to what they share."
            )
    schema = mask_schema(
        {name: text for m in given for name, text in m.schema.descriptions.items()}
    )
    projections = [m.sky_projection for m in given if m.sky_projection is not None]
    result = Mask(0, schema=schema, bbox=bbox, sky_projection=next(iter(projections), None))
    bits = plane_array(result)
    for mask in given:
        bits |= translated_bits(plane_array(mask), mask.schema, schema)
    return result


def _names_in(schema: MaskSchema, plane: str) -> list[str]:
    """Return the names under which a schema has a plane: none, one or, by mishap, both."""
    ours = standard_name(plane)
    return [name for name in {ours, DP2_NAMES.get(ours, ours)} if name in schema]
