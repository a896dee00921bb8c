"""A sky map for a pile of images: one tract that holds them all, of cells that fit into them."""

from __future__ import annotations

__all__ = ["cell_sizes_for", "field_sky_map", "sky_map_like"]

import dataclasses
import math

import numpy as np
import numpy.typing as npt
from astropy.wcs import WCS

from .discrete import Circle, DiscreteSkyMap
from .tangent_plane import directions_from_sky, sky_from_directions
from .tract_settings import TractSettings

_CELL, _BORDER = 150, 50  # of the Rubin sky maps
_PATCH_CELLS = 20
_LEAST = 8  # pixels: below, a cell is smaller than a star
_MARGIN = 1.0 + 1e-6
_FAR = 100.0  # pixels from the tangent point at which angles are measured
_SQUARE = 1e-6  # what sides and right angles may be off
_AGREE_PX = 1e-3  # in the corners of the image


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
    settings = _settings(pixel_scale_arcsec, cell_inner_size, cell_border)
    least = pixel_scale_arcsec / 3600.0
    circle = Circle(ra=float(centre_ra), dec=float(centre_dec), radius=max(reach * _MARGIN, least))
    return DiscreteSkyMap(name=name, tracts=[circle], settings=settings)


def sky_map_like(
    wcs: WCS,
    shape: tuple[int, int],
    *,
    cell_inner_size: int = _CELL,
    cell_border: int = _BORDER,
    name: str = "field",
) -> DiscreteSkyMap:
    """Return a sky map of one tract whose pixels are those of an image, and that holds all of it.

    Parameters
    ----------
    wcs
        The image's, of ICRS: a tangent plane (TAN) of square pixels, at any angle.
    shape
        Rows and columns of the image.
    cell_inner_size, cell_border
        Cells, in pixels.
    name
        Name of the sky map.

    Raises
    ------
    ValueError
        If it is no such projection: distorted, mirrored, or of pixels that are not square.
    """
    middle = wcs.wcs.crpix - 1.0
    ra, dec = map(float, wcs.wcs.crval)
    # Lines through the tangent point are great circles: their angles are those of the plane.
    (x_ra, y_ra), (x_dec, y_dec) = wcs.all_pix2world(
        middle[0] + np.array([_FAR, 0.0]), middle[1] + np.array([0.0, _FAR]), 0
    )
    x_angle, scale = _seen_from(ra, dec, x_ra, x_dec)
    y_angle, y_scale = _seen_from(ra, dec, y_ra, y_dec)
    turned = (x_angle - y_angle + math.pi / 2.0) % (2.0 * math.pi)
    if abs(y_scale / scale - 1.0) > _SQUARE or min(turned, 2.0 * math.pi - turned) > _SQUARE:
        raise ValueError("its pixels are not square, or it is mirrored: east must be left of north")
    rows, columns = shape
    corners = [(x, y) for x in (-0.5, columns - 0.5) for y in (-0.5, rows - 0.5)]
    distance = max(math.hypot(x - middle[0], y - middle[1]) for x, y in corners)
    settings = dataclasses.replace(
        _settings(math.degrees(scale) * 3600.0, cell_inner_size, cell_border),
        rotation=math.degrees(y_angle),
    )
    radius = math.degrees(math.atan(distance * scale))
    circle = Circle(ra=ra % 360.0, dec=dec, radius=radius * _MARGIN)
    whole = [float(np.round(position)) for position in middle]
    made = DiscreteSkyMap(
        name=name,
        tracts=[circle],
        settings=settings,
        pixel_shift=(float(middle[0]) - whole[0], float(middle[1]) - whole[1]),
    )
    x, y = (np.array(part) for part in zip(*corners, strict=True))
    found = made[0].plane.sky_to_pixel(
        **dict(zip(("ra", "dec"), wcs.all_pix2world(x, y, 0), strict=True))
    )
    away = [here - there for here, there in zip(found, (x, y), strict=True)]
    miss = max(float(np.abs(shift - np.round(shift[0])).max()) for shift in away)
    if not miss < _AGREE_PX:
        raise ValueError(
            f"its projection, {', '.join(wcs.wcs.ctype)}, is {miss:.3g} pixels off a tangent plane"
        )
    return made


def _seen_from(ra: float, dec: float, to_ra: float, to_dec: float) -> tuple[float, float]:
    """Return position angle and tangent-plane distance per pixel of a point `_FAR` pixels away."""
    away, north = math.radians(to_ra - ra), math.radians(dec)
    there = math.radians(to_dec)
    east = math.cos(there) * math.sin(away)
    up = math.sin(there) * math.cos(north) - math.cos(there) * math.sin(north) * math.cos(away)
    ahead = math.sin(there) * math.sin(north) + math.cos(there) * math.cos(north) * math.cos(away)
    return math.atan2(east, up), math.hypot(east, up) / ahead / _FAR


def _settings(pixel_scale_arcsec: float, inner: int, border: int) -> TractSettings:
    return TractSettings(
        pixel_scale_arcsec=pixel_scale_arcsec,
        cell_inner_size=inner,
        cell_border=border,
        patch_inner_cells=_PATCH_CELLS,
    )
