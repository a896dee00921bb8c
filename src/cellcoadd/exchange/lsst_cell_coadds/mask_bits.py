"""The bits of a file's masks, which each file numbers in its own way, as those of our schema."""

from __future__ import annotations

__all__ = ["read_masks"]

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from lsst.images import MaskPlane, MaskSchema

from ...masks.planes import mask_schema, standard_name, translated_bits
from .names import CELLS, MASKDEF
from .tables import Tables

_FIRST_PLANES = (
    "BAD", "SAT", "INTRP", "CR", "EDGE", "DETECTED", "DETECTED_NEGATIVE", "SUSPECT", "NO_DATA",
)  # fmt: skip
"""The planes that every mask of lsst.afw begins with, in the order of their bits."""

_BITS = 31  # of a positive int32
_DESCRIPTION = "As a file of lsst.cell_coadds names it."


def read_masks(
    tables: Tables,
    *,
    shape: tuple[int, int],
    rows: npt.NDArray[np.intp],
    mask_planes: Mapping[str, int] | None,
) -> tuple[npt.NDArray[np.int32], MaskSchema]:
    """Read the masks of some cells.

    Parameters
    ----------
    tables
        The file.
    shape
        Height and width of a cell's outer region.
    rows
        The rows of the cells.
    mask_planes
        Bit numbers of planes by name, for a file that does not say, beside the nine planes of
        lsst.afw that never change. Bits that are set and have no name become planes ``BIT09``,
        ``BIT10``...

    Returns
    -------
    bits : int32 (cells, height, width)
        Bits of the schema.
    schema
        Our planes, and the others of the file.

    Raises
    ------
    UnusableInputError
        If a plane of the file has no bit of its own, or there are too many planes.
    ValueError
        If a plane of ``mask_planes`` has no bit of its own, or the file names its planes itself.
    """
    stored = tables.column(CELLS, "mask", shape=shape, rows=rows)
    if stored.dtype == np.int16:
        # Files before 0.7 keep sixteen bits, of which the uppermost is not a sign.
        stored = stored.view(np.uint16)
    bits = stored.astype(np.int32, copy=False)
    if MASKDEF in tables:
        if mask_planes:
            raise ValueError(
                f"mask_planes is for files that do not name their planes; {tables.path} does."
            )
        named = _read_definitions(tables)
    else:
        named = {name: bit for bit, name in enumerate(_FIRST_PLANES)} | dict(mask_planes or {})
    own: list[MaskPlane | None] = [None] * _BITS
    for name, bit in named.items():
        if not 0 <= bit < _BITS or own[bit] is not None:
            rule = f"plane {name} must have a bit of its own in 0..{_BITS - 1}, got {bit}."
            if mask_planes and name in mask_planes:
                raise ValueError(f"mask_planes: {rule}")
            raise tables.refused(f"HDU {MASKDEF}: {rule}")
        own[bit] = MaskPlane(standard_name(name), _DESCRIPTION)
    used = int(np.bitwise_or.reduce(bits, axis=None))
    for bit in range(_BITS):
        if own[bit] is None and used >> bit & 1:
            own[bit] = MaskPlane(f"BIT{bit:02}", "A bit that the file sets and does not name.")
    try:
        schema = mask_schema({plane.name: plane.description for plane in own if plane is not None})
    except ValueError as error:
        raise tables.refused(f"HDU {MASKDEF}: {error}") from error
    return translated_bits(bits, MaskSchema(own, dtype=np.int32), schema), schema


def _read_definitions(tables: Tables) -> dict[str, int]:
    names = tables.column(MASKDEF, "MASK_NAME")
    values = tables.column(MASKDEF, "BIT_VALUE", dtype=np.int64)
    return {str(name).strip(): int(value) for name, value in zip(names, values, strict=True)}
