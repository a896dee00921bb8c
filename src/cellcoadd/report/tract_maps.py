"""Maps of a tract on the sky, with the outlines of its patches."""

from __future__ import annotations

__all__ = ["draw_tract_map"]

from collections.abc import Mapping

import healsparse
import numpy as np
import numpy.typing as npt
import skyproj
from lsst.sphgeom import ConvexPolygon, LonLat
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from .style import VALUES_COLOURS, new_figure, styled

_MARGIN = 0.03  # of the extent, around what is drawn
_MAP_WIDTH, _BELOW, _ABOVE = 4.3, 0.6, 0.95  # inches: the map, its labels, its labels and title
_LINES = 5  # of the grid, each way: their numbers do not touch
_POLE, _HALF_TURN = 90.0, 180.0  # degrees
_PIXELS_ACROSS = 900  # raster of the map; a cell of a tract of 11 patches has four of them


@styled
def draw_tract_map(
    values: healsparse.HealSparseMap,
    *,
    label: str,
    title: str = "",
    outlines: Mapping[int, ConvexPolygon] | None = None,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Return a map on the sky in the gnomonic projection, east to the left.

    Parameters
    ----------
    values
        The map, of numbers.
    label
        What they are, and their unit.
    title
        Of which tract.
    outlines
        Regions of the patches by their ids; a patch's id is written in its middle.
    limits
        Values at the ends of the colours; None: percentiles 1 and 99 of the map's values.

    Raises
    ------
    ValueError
        If the map has no value and there are no outlines: it is nowhere.

    Notes
    -----
    The projection's centre follows from what is drawn; the technote's maps stand off-centre, and
    only that of the inputs has the outlines.
    """
    corners = {patch: _corners(region) for patch, region in (outlines or {}).items()}
    pixels = values.valid_pixels
    lon, lat = values.valid_pixels_pos(lonlat=True) if pixels.size else (np.empty(0), np.empty(0))
    lon = np.concatenate([lon, *(corner[0] for corner in corners.values())])
    lat = np.concatenate([lat, *(corner[1] for corner in corners.values())])
    if not lon.size:
        raise ValueError("The map has no value, and no outline says where it should be.")
    lon_0, lat_0, extent, aspect = _frame_of(lon, lat)
    height = float(np.clip(_MAP_WIDTH * aspect, 2.0, 8.0)) + _BELOW + _ABOVE
    figure = new_figure(width=6.6, height=height)
    # skyproj lays its axes out itself; this leaves room for its labels and the colour bar.
    grid = figure.add_gridspec(
        1, 1, left=0.13, right=0.89, bottom=_BELOW / height, top=1 - _ABOVE / height
    )
    sky = skyproj.GnomonicSkyproj(
        ax=figure.add_subplot(grid[0]),
        lon_0=lon_0,
        lat_0=lat_0,
        extent=extent,
        n_grid_lon=_LINES,
        n_grid_lat=_LINES,
    )
    if pixels.size:
        low, high = limits or np.percentile(values[pixels], [1.0, 99.0])
        sky.draw_hspmap(
            values,
            zoom=False,
            lon_range=extent[:2],
            lat_range=extent[2:],
            xsize=_PIXELS_ACROSS,
            vmin=float(low),
            vmax=float(high),
            cmap=VALUES_COLOURS,
        )
        sky.draw_colorbar(label=label, fontsize=10, fraction=0.06, pad=0.03)
    for patch, (patch_lon, patch_lat) in corners.items():
        sky.draw_polygon(patch_lon, patch_lat, edgecolor="tab:red", alpha=0.6, linewidth=0.8)
        middle = LonLat((outlines or {})[patch].getCentroid())
        sky.ax.text(
            middle.getLon().asDegrees(),
            middle.getLat().asDegrees(),
            str(patch),
            fontsize=8,
            ha="center",
            va="center",
            path_effects=[withStroke(linewidth=2.0, foreground="white")],
        )
    sky.ax.set_xlabel("right ascension (deg)", fontsize=10)
    sky.ax.set_ylabel("declination (deg)", fontsize=10)
    figure.suptitle(title)
    return figure


def _frame_of(
    lon: npt.NDArray[np.float64], lat: npt.NDArray[np.float64]
) -> tuple[float, float, list[float], float]:
    """Return the centre of a map of some positions, its extent in degrees, and its shape.

    Around a pole there is no middle right ascension: the pole is the centre, and all right
    ascensions are on the map.
    """
    lon_0 = _middle_longitude(lon)
    lon = lon_0 + (lon - lon_0 + 180.0) % 360.0 - 180.0
    low, high = _widened(lat)
    if max(-low, high) >= _POLE or np.ptp(lon) > _HALF_TURN:
        pole = np.copysign(_POLE, lat.mean())
        reach = min(_POLE, float(np.abs(pole - lat).max()) * (1.0 + _MARGIN))
        return 0.0, float(pole), [-180.0, 180.0, *sorted((pole, pole - np.sign(pole) * reach))], 1.0
    lat_0 = 0.5 * float(lat.min() + lat.max())
    extent = [*_widened(lon), low, high]
    aspect = (extent[3] - extent[2]) / ((extent[1] - extent[0]) * np.cos(np.radians(lat_0)))
    return lon_0, lat_0, extent, float(aspect)


def _corners(
    region: ConvexPolygon,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Right ascensions and declinations of the corners in degrees."""
    points = [LonLat(vertex) for vertex in region.getVertices()]
    return (
        np.array([point.getLon().asDegrees() for point in points]) % 360.0,
        np.array([point.getLat().asDegrees() for point in points]),
    )


def _middle_longitude(lon: npt.NDArray[np.float64]) -> float:
    """The middle of the range of longitudes, also across 0."""
    near = lon[0] + (lon - lon[0] + 180.0) % 360.0 - 180.0
    return 0.5 * float(near.min() + near.max())


def _widened(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = _MARGIN * (high - low) or _MARGIN
    return low - margin, high + margin
