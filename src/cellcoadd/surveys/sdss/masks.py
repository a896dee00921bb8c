"""Masks of SDSS frames: lists of spans, a table each plane, become our planes."""

from __future__ import annotations

__all__ = ["SDSS_PLANES", "read_sdss_mask"]

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from ...errors import UnusableInputError
from ...masks.planes import bits_of, mask_schema
from ..fits_files import open_fits

SDSS_PLANES: Mapping[str, tuple[str, ...]] = {
    "INTERP": ("INTRP", "BAD"),  # bad columns, cosmic rays, bleed trails: no measurement is left
    "SATUR": ("SAT",),
    "NOTCHECKED": ("SUSPECT", "BAD"),  # middles of saturated stars; see `read_sdss_mask` on edges
    "OBJECT": ("DETECTED",),
    "BRIGHTOBJECT": ("DETECTED",),
    "BINOBJECT": ("DETECTED",),  # found in the frame binned 2 x 2
    "CATOBJECT": ("DETECTED",),  # where a catalogue has an object
    "SUBTRACTED": ("DETECTED", "BAD"),  # wings of a bright star were taken out: not the sky's light
    "GHOST": ("CROSSTALK", "BAD"),  # of a bright star, by the electronics
    "CR": ("CR",),  # always INTERP, too
}
"""Our mask planes for those of SDSS.

Whatever makes a pixel unusable has a plane that keeps it out of a coadd by default. A plane that is
not listed becomes BAD.
"""

_PREFIX = "S_MASK_"
_NAMES_HDU = 11
_SPAN_BYTES = 6  # row, first and last column, as big-endian 16-bit integers


def read_sdss_mask(path: Path, *, shape: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Read a mask.

    Parameters
    ----------
    path
        An ``fpM`` file.
    shape
        The number of rows and columns that the frame has.

    Returns
    -------
    bits : int32 (rows, columns)
        In the bits of `masks.planes.mask_schema`.

    Raises
    ------
    UnusableInputError
        If the file is broken, is of frames of another size, does not say what its planes are, or
        has spans that lie outside of the frame.

    Notes
    -----
    ``NOTCHECKED`` are pixels where the survey looked for no objects: the outermost rows and
    columns, whole, whose values are as good as others (EDGE), and the middles of saturated stars.
    """
    schema = mask_schema()
    bits = np.zeros(shape, np.int32)
    with open_fits(path) as hdus:
        stated = (hdus[0].header.get("MASKROWS"), hdus[0].header.get("MASKCOLS"))
        if stated != shape:
            raise UnusableInputError(
                str(path),
                f"it is the mask of {stated[0]} rows and {stated[1]} columns, the frame has "
                f"{shape[0]} and {shape[1]}: it is not this frame's, or cut off.",
            )
        for number, name in _plane_names(hdus, path).items():
            if number + 1 >= len(hdus):
                raise UnusableInputError(
                    str(path),
                    f"it has no HDU {number + 1} for its plane {name}: it is cut off; fetch it "
                    "anew.",
                )
            inside = _inside(_spans(hdus[number + 1], path, name), shape, path, name)
            if inside is None:
                continue
            if name == "NOTCHECKED":
                edge = inside.all(axis=0) | inside.all(axis=1)[:, np.newaxis]
                bits[edge] |= bits_of(schema, ["EDGE"])
                inside &= ~edge
            bits[inside] |= bits_of(schema, SDSS_PLANES.get(name, ("BAD",)))
    return bits


def _plane_names(hdus: fits.HDUList, path: Path) -> dict[int, str]:
    """Return the names of the planes by their numbers, as the file has them."""
    if len(hdus) <= _NAMES_HDU or "attributeName" not in hdus[_NAMES_HDU].columns.names:
        raise UnusableInputError(
            str(path),
            f"it has no table of the names of its planes in HDU {_NAMES_HDU}: it is no fpM file of "
            "SDSS, or cut off.",
        )
    table = hdus[_NAMES_HDU].data
    names = [str(name).strip() for name in table["attributeName"]]
    found = {
        int(value): name.removeprefix(_PREFIX)
        for name, value in zip(names, table["Value"], strict=True)
        if name.startswith(_PREFIX)
    }
    missing = {"INTERP", "SATUR", "CR"} - set(found.values())
    if missing or any(number < 0 for number in found):
        raise UnusableInputError(
            str(path),
            f"its planes {found} must be numbered from 0 on, with INTERP, SATUR and CR among them.",
        )
    return found


def _spans(hdu: fits.BinTableHDU, path: Path, name: str) -> npt.NDArray[np.int64]:
    """Return row, first and last column of all spans of a plane."""
    if hdu.data is None or len(hdu.data) == 0:
        return np.zeros((0, 3), np.int64)
    lists = [np.asarray(one, dtype=np.uint8) for one in hdu.data["s"]]
    counts = hdu.data["nspan"]
    if any(one.size != _SPAN_BYTES * n for one, n in zip(lists, counts, strict=True)):
        raise UnusableInputError(
            str(path), f"the spans of its plane {name} are not as many as nspan says."
        )
    spans = np.concatenate(lists).view(">i2").reshape(-1, 3)
    return spans.astype(np.int64)


def _inside(
    spans: npt.NDArray[np.int64], shape: tuple[int, int], path: Path, name: str
) -> npt.NDArray[np.bool_] | None:
    """Return which pixels are in a span; None: none is."""
    if not len(spans):
        return None
    row, first, last = spans.T
    if not (
        (row >= 0) & (row < shape[0]) & (first >= 0) & (first <= last) & (last < shape[1])
    ).all():
        raise UnusableInputError(
            str(path),
            f"a span of its plane {name} lies outside of the {shape[0]} rows and {shape[1]} "
            "columns of the frame.",
        )
    steps = np.zeros((shape[0], shape[1] + 1), np.int32)
    np.add.at(steps, (row, first), 1)
    np.add.at(steps, (row, last + 1), -1)
    result: npt.NDArray[np.bool_] = np.cumsum(steps[:, :-1], axis=1) > 0
    return result
