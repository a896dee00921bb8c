"""Tract, patch and cell of many positions at once."""

from __future__ import annotations

__all__ = ["Locations", "locate"]

import dataclasses

import numpy as np
import numpy.typing as npt

from .sky_map import SkyMap
from .tangent_plane import directions_from_sky
from .tract_settings import TractSettings


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Locations:
    """Where positions lie in a sky map; all arrays have the shape of the positions.

    Parameters
    ----------
    tract
        Id of the tract.
    patch
        Id of the patch whose inner box holds the position; -1 if it is off the tract's pixels.
    cell
        Id, in that patch, of the cell whose inner region holds the position; -1 likewise.
    x, y
        Position in the tract's pixels; NaN for more than 90 degrees from its centre.
    primary
        Whether the tract is the one that is responsible for the position, and reaches it. A
        position that several tracts or patches contain is primary in one of them only.
    """

    tract: npt.NDArray[np.int64]
    patch: npt.NDArray[np.int64]
    cell: npt.NDArray[np.int64]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    primary: npt.NDArray[np.bool_]


def locate(
    skymap: SkyMap, ra: npt.ArrayLike, dec: npt.ArrayLike, *, tract: int | None = None
) -> Locations:
    """Find tract, patch and cell of many positions.

    Parameters
    ----------
    skymap
        The sky map.
    ra, dec
        Positions in degrees, of shapes that broadcast.
    tract
        Look in this tract only, as one does for a catalogue that was measured in it; if None, look
        in the tract that is responsible for each position.

    Raises
    ------
    ValueError
        If a position is not on the sky.
    SkyMapError
        If there is no such tract.

    Examples
    --------
    >>> from cellcoadd.skymap import named_sky_map
    >>> found = locate(named_sky_map("hsc_rings_cells_v1"), ra=[150.1, 150.2], dec=[2.2, 2.3])
    >>> found.tract, found.patch, found.cell
    (array([9813, 9813]), array([61, 60]), array([144, 457]))
    >>> found.x
    array([19666.683, 17525.328])
    """
    lon, lat = np.broadcast_arrays(np.asarray(ra, np.float64), np.asarray(dec, np.float64))
    shape, lon, lat = lon.shape, lon.ravel(), lat.ravel()
    responsible = skymap.find_tract_ids(ra=lon, dec=lat)
    tracts = responsible if tract is None else np.full(lon.size, skymap[tract].id)
    x, y = np.empty(lon.size), np.empty(lon.size)
    width, height = np.empty(lon.size, np.int64), np.empty(lon.size, np.int64)

    # One pass over the positions of each tract, found by sorting rather than by comparing all
    # positions with each tract in turn. A million positions on the whole sky are some fifty a
    # tract: what need not know the tract is done for all of them together.
    order = np.argsort(tracts, kind="stable")
    directions = directions_from_sky(ra=lon, dec=lat)
    ids, starts = np.unique(tracts[order], return_index=True)
    for tract_id, where in zip(ids, np.split(order, starts)[1:], strict=True):
        this = skymap[int(tract_id)]
        x[where], y[where] = this.plane.pixels(directions[where])
        width[where], height[where] = this.bbox.x.size, this.bbox.y.size
    patch, cell = _patches_and_cells(skymap.settings, x, y, width, height)
    primary = (tracts == responsible) & (patch >= 0)
    return Locations(
        tract=tracts.reshape(shape),
        patch=patch.reshape(shape),
        cell=cell.reshape(shape),
        x=x.reshape(shape),
        y=y.reshape(shape),
        primary=primary.reshape(shape),
    )


def _patches_and_cells(
    settings: TractSettings,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    width: npt.NDArray[np.int64],
    height: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return ids of patches and cells, -1 for positions off the pixels of tracts of these sizes."""
    with np.errstate(invalid="ignore"):
        off = ~((x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5))
    column = np.floor(np.where(off, 0.0, x) + 0.5).astype(np.int64)
    row = np.floor(np.where(off, 0.0, y) + 0.5).astype(np.int64)
    patch_x, in_patch_x = np.divmod(column, settings.patch_inner_size)
    patch_y, in_patch_y = np.divmod(row, settings.patch_inner_size)
    cell_x = in_patch_x // settings.cell_inner_size + settings.patch_border_cells
    cell_y = in_patch_y // settings.cell_inner_size + settings.patch_border_cells
    cells_in_row = settings.patch_inner_cells + 2 * settings.patch_border_cells
    patch = (width // settings.patch_inner_size) * patch_y + patch_x
    return np.where(off, -1, patch), np.where(off, -1, cells_in_row * cell_y + cell_x)
