"""The input map of a coadd: which images went into it where, as a HealSparse map of bits.

A coadd comes in, a map goes out that needs no knowledge of tracts, patches and cells to be read:
a position on the sky gives a row of bits, one a detector of a visit, and the map's metadata say
which. Keys of the metadata are those of the Rubin pipelines' input maps.
"""

from __future__ import annotations

__all__ = ["NSIDE_COVERAGE", "NSIDE_SPARSE", "make_input_map"]

from typing import Any

import astropy.units as u
import healsparse
import hpgeom
import numpy as np
import numpy.typing as npt
from astropy.coordinates import SkyCoord
from lsst.images import Box

from ..products.cell_coadd import MultipleCellCoadd
from ..products.cell_coadd.inputs import RefusalReason
from ..skymap.healsparse_maps import empty_map

NSIDE_SPARSE = 32768
"""Default resolution of a map: pixels of 6.4 arcsec, some 15 in a cell of 150 x 0.168 arcsec."""

NSIDE_COVERAGE = 256
"""Default resolution of a map's index: a patch reaches one to four of its pixels."""

_BITS_PER_FIELD = 8  # of healsparse's wide masks


def make_input_map(
    coadd: MultipleCellCoadd,
    *,
    nside_sparse: int = NSIDE_SPARSE,
    nside_coverage: int = NSIDE_COVERAGE,
) -> healsparse.HealSparseMap:
    """Map the inputs of a coadd on the sky.

    Parameters
    ----------
    coadd
        The coadd.
    nside_sparse
        HEALPix resolution of the map, a power of two.
    nside_coverage
        Resolution of its index of what is there, a power of two.

    Returns
    -------
    input_map
        A wide mask in nested order, ICRS. A pixel belongs to the one cell that has its centre in
        its inner region, and has the bits of the inputs that this cell adds up. Pixels elsewhere,
        and of cells without input, are not in the map. Bits follow the order of ``coadd.inputs``,
        without those that no cell took. The metadata have for bit 12

        ``B0012VIS``, ``B0012CCD``
            visit and detector,
        ``B0012WT``
            its weight, nJy^-2,
        ``B0012INS``, ``B0012FIL``
            instrument and physical filter.

    Raises
    ------
    ValueError
        If a resolution is not possible.
    """
    rows = coadd.contributions
    accepted = rows[rows["reason"] == RefusalReason.ACCEPTED]
    used, first, bit_of_row = np.unique(accepted["input"], return_index=True, return_inverse=True)
    result = empty_map(
        nside_sparse=nside_sparse,
        nside_coverage=nside_coverage,
        dtype=healsparse.WIDE_MASK,
        wide_mask_maxbits=len(used),
        metadata=_metadata(coadd, used, accepted["weight"][first]),
    )
    fields = np.zeros((len(coadd.grid), result.wide_mask_width), np.uint8)
    cell_of_row = coadd.grid.shape.x * accepted["cell_y"].astype(np.int64) + accepted["cell_x"]
    field, bit = np.divmod(bit_of_row, _BITS_PER_FIELD)
    np.bitwise_or.at(fields, (cell_of_row, field), np.left_shift(1, bit).astype(np.uint8))
    pixels, cells = _pixels_and_cells(coadd, nside_sparse)
    values = fields[cells]
    covered = values.any(axis=1)
    # Each pixel comes once. "replace" would check that with an array as long as the range of their
    # numbers, which is half the sky where a patch lies on the seam of two base pixels.
    result.update_values_pix(pixels[covered], values[covered], operation="or")
    return result


def _metadata(
    coadd: MultipleCellCoadd, used: npt.NDArray[np.int32], weights: npt.NDArray[np.float64]
) -> dict[str, Any]:
    """What each bit is; an input has one weight in all cells."""
    metadata: dict[str, Any] = {}
    for bit, (number, weight) in enumerate(zip(used, weights, strict=True)):
        observation = coadd.inputs[number].observation
        metadata[f"B{bit:04d}CCD"] = observation.detector
        metadata[f"B{bit:04d}VIS"] = observation.visit
        metadata[f"B{bit:04d}WT"] = float(weight)
        metadata[f"B{bit:04d}INS"] = observation.instrument
        metadata[f"B{bit:04d}FIL"] = observation.physical_filter
    return metadata


def _pixels_and_cells(
    coadd: MultipleCellCoadd, nside: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """HEALPix pixels with their centres in inner regions, and the sequential id of each's cell."""
    pixels = _pixels_near(coadd, coadd.bbox, nside)
    if pixels.size == 0:  # the map's pixels are larger than the cells; AST refuses to do nothing
        return pixels, pixels
    ra, dec = hpgeom.pixel_to_angle(nside, pixels)
    at = coadd.sky_projection.sky_to_pixel(SkyCoord(ra=ra * u.deg, dec=dec * u.deg))
    grid, shape = coadd.grid, coadd.grid.inner_cell_shape
    # In whole tract pixels, so that a centre on the line between two cells is in one of them, and
    # in the same one whichever of two overlapping patches is asked.
    x = (np.floor(np.asarray(at.x) + 0.5).astype(np.int64) - grid.bbox.x.start) // shape.x
    y = (np.floor(np.asarray(at.y) + 0.5).astype(np.int64) - grid.bbox.y.start) // shape.y
    inside = (x >= 0) & (x < grid.shape.x) & (y >= 0) & (y < grid.shape.y)
    return pixels[inside], grid.shape.x * y[inside] + x[inside]


def _pixels_near(coadd: MultipleCellCoadd, box: Box, nside: int) -> npt.NDArray[np.int64]:
    """HEALPix pixels with their centres in a box of the tract or up to a pixel outside of it."""
    # The margin is for rounding; sides of a box are great circles, as the projection is gnomonic.
    low_x, high_x = box.x.start - 1.5, box.x.stop + 0.5
    low_y, high_y = box.y.start - 1.5, box.y.stop + 0.5
    corners = coadd.sky_projection.pixel_to_sky(
        x=np.array([low_x, high_x, high_x, low_x]), y=np.array([low_y, low_y, high_y, high_y])
    )
    pixels: npt.NDArray[np.int64] = hpgeom.query_polygon(nside, corners.ra.deg, corners.dec.deg)
    return pixels
