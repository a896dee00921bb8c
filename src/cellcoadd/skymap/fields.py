"""A sky map for a pile of images: one tract that holds them all, of cells that fit into them."""

from __future__ import annotations

__all__ = ["cell_sizes_for", "field_sky_map"]

import math

import numpy as np
import numpy.typing as npt

from .discrete import Circle, DiscreteSkyMap
from .tangent_plane import directions_from_sky, sky_from_directions
from .tract_settings import TractSettings

_CELL, _BORDER = 150, 50  # of the Rubin sky maps
_PATCH_CELLS = 20
_LEAST = 8  # pixels: below, a cell is smaller than a star
_MARGIN = 1.0 + 1e-6


def cell_sizes_for(side: float) -> tuple[int, int]:
    """Return inner size and border, in pixels, of cells of which several fit into an image.

    Parameters
    ----------
    side
        The shorter side of the smallest image, in pixels of the target.

    Returns
    -------
    inner, border
        150 and 50 as in the Rubin sky maps where a whole cell takes at most half of the side; else
        smaller ones of the same proportions.
    """
    whole = min(_CELL + 2 * _BORDER, side / 2.0)
    inner = max(int(whole * _CELL / (_CELL + 2 * _BORDER)), _LEAST)
    return inner, max(inner * _BORDER // _CELL, 1)


def field_sky_map(
    *,
    ra: npt.ArrayLike,
    dec: npt.ArrayLike,
    pixel_scale_arcsec: float,
    cell_inner_size: int = _CELL,
    cell_border: int = _BORDER,
    name: str = "field",
) -> DiscreteSkyMap:
    """Return a sky map of one tract, a tangent plane, that holds all of some positions.

    Parameters
    ----------
    ra, dec
        The positions in degrees, such as the corners of images; at least one.
    pixel_scale_arcsec
        Size of the pixels of the tract.
    cell_inner_size, cell_border
        Cells, in pixels; a patch has 20 x 20 of them, and one more on each side.
    name
        Name of the sky map.

    Raises
    ------
    ValueError
        If there is no position, or they are further apart than a tangent plane reaches.
    """
    directions = directions_from_sky(ra=ra, dec=dec).reshape(-1, 3)
    if not len(directions):
        raise ValueError("A field needs at least one position.")
    middle = directions.mean(axis=0)
    length = float(np.linalg.norm(middle))
    if length < 0.1:
        raise ValueError("The positions lie all around the sky: that is no field.")
    middle /= length
    reach = math.degrees(float(np.arccos(np.clip(directions @ middle, -1.0, 1.0)).max()))
    if reach > 45.0:
        raise ValueError(f"A field reaches 45 degrees at most from its middle, got {reach:.1f}.")
    centre_ra, centre_dec = sky_from_directions(middle)
    settings = TractSettings(
        pixel_scale_arcsec=pixel_scale_arcsec,
        cell_inner_size=cell_inner_size,
        cell_border=cell_border,
        patch_inner_cells=_PATCH_CELLS,
    )
    least = pixel_scale_arcsec / 3600.0
    circle = Circle(ra=float(centre_ra), dec=float(centre_dec), radius=max(reach * _MARGIN, least))
    return DiscreteSkyMap(name=name, tracts=[circle], settings=settings)
