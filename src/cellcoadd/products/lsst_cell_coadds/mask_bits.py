"""The bits of a file's masks, which each file numbers in its own way, as those of our schema."""

from __future__ import annotations

__all__ = ["read_masks"]

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from lsst.images import MaskPlane, MaskSchema

from ..mask_planes import mask_schema, standard_name, translated_bits
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
        Bit numbers of the planes by name, for a file that does not say. None: the nine planes of
        lsst.afw that never change; further bits that are set become planes ``BIT09``, ``BIT10``...

    Returns
    -------
    bits : int32 (cells, height, width)
        Bits of the schema.
    schema
        Our planes, and the others of the file.

    Raises
    ------
    UnusableInputError
        If a plane has no bit of its own, or there are too many planes.
    """
    stored = tables.column(CELLS, "mask", shape=shape, rows=rows)
    if stored.dtype == np.int16:
        # Files before 0.7 keep sixteen bits, of which the uppermost is not a sign.
        stored = stored.view(np.uint16)
    bits = stored.astype(np.int32, copy=False)
    named = _read_definitions(tables) if MASKDEF in tables else mask_planes
    if named is None:
        used = int(np.bitwise_or.reduce(bits, axis=None))
        named = {name: bit for bit, name in enumerate(_FIRST_PLANES)}
        named |= {f"BIT{n:02}": n for n in range(len(_FIRST_PLANES), _BITS) if used >> n & 1}
    own: list[MaskPlane | None] = [None] * _BITS
    for name, bit in named.items():
        if not 0 <= bit < _BITS or own[bit] is not None:
            raise tables.refused(
                f"HDU {MASKDEF}: plane {name} must have a bit of its own in 0..{_BITS - 1}, "
                f"got {bit}."
            )
        own[bit] = MaskPlane(standard_name(name), _DESCRIPTION)
    try:
        schema = mask_schema({plane.name: plane.description for plane in own if plane is not None})
    except ValueError as error:
        raise tables.refused(f"HDU {MASKDEF}: {error}") from error
    return translated_bits(bits, MaskSchema(own, dtype=np.int32), schema), schema


def _read_definitions(tables: Tables) -> dict[str, int]:
    names = tables.column(MASKDEF, "MASK_NAME")
    values = tables.column(MASKDEF, "BIT_VALUE", dtype=np.int64)
    return {str(name).strip(): int(value) for name, value in zip(names, values, strict=True)}
