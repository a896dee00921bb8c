"""A warp as it is compared with others: on the pixels of a strip, with the same PSF as they."""

from __future__ import annotations

__all__ = ["VisitPlanes", "matched_planes", "plain_planes"]

import dataclasses
from collections.abc import Collection, Iterable

import numpy as np
import numpy.typing as npt
from lsst.images import Box
from scipy import ndimage

from ..cell_grid import Index2D, shared_box
from ..conventions import FWHM_PER_SIGMA
from ..masks.planes import bits_of, plane_array
from ..products.warp import Warp
from .psf_matching import REACH, match_tile
from .tiles import TileGrid

_UNKNOWN = ("BAD", "SAT", "CR")  # planes that leave no value, unless it was interpolated
_AROUND = 4  # pixels to all sides in which interpolated ones are counted ...
_FEW = 12  # ... and how many of these 81 leave a pixel its own: a column of one, a hit
_EDGE = 2.4  # standard deviations of the common PSF: nearer to missing pixels nothing is compared


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class VisitPlanes:
    """A visit on the pixels of a strip.

    Parameters
    ----------
    image, variance : float32 (rows, columns)
        NaN where it cannot be compared.
    evidence : bool (rows, columns)
        Whether none of the planes that make a pixel doubtful is set, and it is not made of
        interpolated ones.
    weights
        The weight of the visit in each tile that it has a part of.
    too_wide
        Number of tiles where the visit's PSF is too wide for the common one.
    """

    image: npt.NDArray[np.float32]
    variance: npt.NDArray[np.float32]
    evidence: npt.NDArray[np.bool_]
    weights: dict[Index2D, float]
    too_wide: int = 0

    def part(self, y: slice, x: slice) -> VisitPlanes:
        """Return views of some of its pixels."""
        return dataclasses.replace(
            self, image=self.image[y, x], variance=self.variance[y, x], evidence=self.evidence[y, x]
        )


def matched_planes(
    warp: Warp,
    tiles: TileGrid,
    wanted: Collection[Index2D],
    *,
    bbox: Box,
    fwhm: float,
    doubtful: Iterable[str],
) -> VisitPlanes:
    """Return a visit convolved to the common PSF.

    Parameters
    ----------
    warp
        The visit, with at least the pixels around the tiles.
    tiles, wanted
        The patch, and the tiles to make.
    bbox
        Their pixels.
    fwhm
        Width of the common PSF in pixels.
    doubtful
        Mask planes that make a pixel doubtful.
    """
    around = bbox.dilated_by(REACH)
    image, variance, missing = _pixels(warp, around, within=tiles.bbox)
    margin = int(_EDGE * fwhm / FWHM_PER_SIGMA + 0.5)
    result = VisitPlanes(
        image=np.full(tuple(bbox.shape), np.nan, np.float32),
        variance=np.full(tuple(bbox.shape), np.nan, np.float32),
        evidence=_without(warp, bbox, doubtful),
        weights={},
    )
    interpolated = ~_without(warp, around, ["INTRP"], outside=True)
    rows, too_wide = _central_rows(warp), 0
    for index in wanted:
        row = _row_near(rows, index)
        box = tiles.box_of(index)
        block = box.dilated_by(REACH).slice_within(around)
        place = box.slice_within(bbox)
        lost = missing[block.y, block.x]
        if row is None or lost[REACH:-REACH, REACH:-REACH].all():
            continue
        stamp = int(row["stamp"])
        matched = match_tile(
            image[block.y, block.x],
            warp.stamps[stamp],
            warp.noise_covariances[stamp],
            fwhm=fwhm,
        )
        if matched is None:
            too_wide += 1
            continue
        inside = variance[block.y, block.x][REACH:-REACH, REACH:-REACH]
        result.image[place.y, place.x] = matched.image
        result.variance[place.y, place.x] = np.float32(matched.gain) * inside
        if lost.any():
            grown = ndimage.maximum_filter(lost, size=2 * margin + 1)[REACH:-REACH, REACH:-REACH]
            result.image[place.y, place.x][grown] = np.nan
        made_up = interpolated[block.y, block.x]
        if made_up.any():
            result.evidence[place.y, place.x] &= ~_many_around(made_up)[REACH:-REACH, REACH:-REACH]
        result.weights[index] = warp.inputs[int(row["input"])].weight
    return dataclasses.replace(result, too_wide=too_wide)


def plain_planes(warp: Warp, *, bbox: Box, within: Box, doubtful: Iterable[str]) -> VisitPlanes:
    """Return a visit as it is.

    Parameters
    ----------
    warp
        The visit, with at least these pixels.
    bbox
        The pixels that are wanted.
    within
        Pixels beyond this box count as missing.
    doubtful
        Mask planes that make a pixel doubtful.
    """
    image, variance, missing = _pixels(warp, bbox, within=within)
    image[missing] = np.nan
    return VisitPlanes(
        image=image,
        variance=variance,
        evidence=_without(warp, bbox, (*doubtful, "INTRP")),
        weights={},
    )


def _pixels(
    warp: Warp, bbox: Box, *, within: Box
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Image and variance in a box, 0 where they are missing, and where that is."""
    shape = tuple(bbox.shape)
    image, variance = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    missing = np.ones(shape, np.bool_)
    shared = shared_box(bbox, within)
    shared = None if shared is None else shared_box(shared, warp.bbox)
    if shared is None:
        return image, variance, missing
    here, there = shared.slice_within(bbox), shared.slice_within(warp.bbox)
    mask, schema = plane_array(warp.mask)[there.y, there.x], warp.mask.schema
    image[here.y, here.x] = warp.image.array[there.y, there.x]
    variance[here.y, here.x] = warp.variance.array[there.y, there.x]
    lost = ((mask & bits_of(schema, _UNKNOWN)) != 0) & ((mask & bits_of(schema, ["INTRP"])) == 0)
    lost |= (mask & bits_of(schema, ["NO_DATA"])) != 0
    lost |= ~(np.isfinite(image[here.y, here.x]) & np.isfinite(variance[here.y, here.x]))
    missing[here.y, here.x] = lost
    image[missing] = variance[missing] = 0.0
    return image, variance, missing


def _without(
    warp: Warp, bbox: Box, planes: Iterable[str], *, outside: bool = False
) -> npt.NDArray[np.bool_]:
    """Where in a box none of some planes is set; what counts beyond the warp is said."""
    result = np.full(tuple(bbox.shape), outside)
    shared = shared_box(bbox, warp.bbox)
    if shared is not None:
        here, there = shared.slice_within(bbox), shared.slice_within(warp.bbox)
        bits = bits_of(warp.mask.schema, planes)
        result[here.y, here.x] = (plane_array(warp.mask)[there.y, there.x] & bits) == 0
    return result


def _many_around(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Where so many pixels around are flagged that they are what a pixel is after a convolution.

    Where pixels were interpolated over more than one column, their noise is that of the few pixels
    beside them, and no longer averages out.
    """
    counts = flags.astype(np.uint8)
    for axis in (0, 1):
        padded = np.pad(counts, [(_AROUND, _AROUND) if axis == n else (0, 0) for n in (0, 1)])
        length = counts.shape[axis]
        counts = np.zeros_like(counts)
        for step in range(2 * _AROUND + 1):
            window = slice(step, step + length)
            counts += padded[window] if axis == 0 else padded[:, window]
    return counts > _FEW


def _central_rows(warp: Warp) -> dict[Index2D, npt.NDArray[np.void]]:
    """The row of the detector that each cell's PSF is of."""
    rows = warp.cell_inputs[warp.cell_inputs["stamp"] >= 0]
    return {Index2D(x=int(row["cell_x"]), y=int(row["cell_y"])): row for row in rows}


def _row_near(
    rows: dict[Index2D, npt.NDArray[np.void]], index: Index2D
) -> npt.NDArray[np.void] | None:
    """That of the cell or, where the visit ends within it, of a neighbour in its row.

    Cells of other rows may be unknown where a warp is read in parts.
    """
    for x in (index.x, index.x - 1, index.x + 1):
        if (row := rows.get(Index2D(x=x, y=index.y))) is not None:
            return row
    return None
