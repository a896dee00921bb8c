"""Maps of the visits' conditions, one beside the other: there are many, and they are small."""

from __future__ import annotations

__all__ = ["draw_visit_maps"]

import math
from collections.abc import Mapping

import healsparse
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..skymap.tangent_plane import TangentPlane, directions_from_sky, sky_from_directions
from .style import VALUES_COLOURS, new_figure, styled

type _Floats = npt.NDArray[np.float64]

_COLUMNS = 3
_PANEL = 4.0, 3.1  # inches
_MARGIN = 0.9  # inches
_RASTER = 200  # pixels of a panel, each way
_TICKS = 3


@styled
def draw_visit_maps(maps: Mapping[str, healsparse.HealSparseMap], *, title: str) -> Figure:
    """Return maps of one tract, north up and east to the left, around the middle of their pixels.

    Parameters
    ----------
    maps
        Maps of visits by name, with the metadata that they are made with; at least one.
    title
        Of which tract.
    """
    rows = math.ceil(len(maps) / _COLUMNS)
    width, height = _PANEL[0] * _COLUMNS, _PANEL[1] * rows + _MARGIN
    figure = new_figure(width=width, height=height)
    # Working out a layout of so many axes would take longer than all else.
    figure.set_layout_engine("none")
    grid = figure.add_gridspec(
        rows, _COLUMNS, wspace=0.42, hspace=0.17,
        left=_MARGIN / width, right=1.0 - 1.2 * _MARGIN / width,
        bottom=0.6 * _MARGIN / height, top=1.0 - 0.8 * _MARGIN / height,
    )  # fmt: skip
    plane, extent = _frame_of(max(maps.values(), key=lambda made: made.n_valid))
    offsets = np.linspace(-extent, extent, _RASTER)
    x, y = np.meshgrid(offsets, offsets)
    ra, dec = sky_from_directions(plane.directions(x=x, y=y))
    panels = grid.subplots(squeeze=False, sharex=True, sharey=True).ravel()
    for axes, (name, made) in zip(panels, maps.items(), strict=False):
        values = made.get_values_pos(ra, dec)
        shown = np.where(values == made.sentinel, np.nan, values)
        _draw(axes, shown, extent, name, made.metadata)
    for axes in panels[len(maps) :]:
        axes.set_axis_off()
    figure.suptitle(title, y=1.0 - 0.1 / height)
    figure.supxlabel("offset to the west (deg)", y=0.05 / height, fontsize=10)
    figure.supylabel("offset to the north (deg)", x=0.1 / width, fontsize=10)
    return figure


def _frame_of(made: healsparse.HealSparseMap) -> tuple[TangentPlane, float]:
    """Return a plane in degrees about the middle of a map's pixels, and how far it reaches."""
    ra, dec = made.valid_pixels_pos(lonlat=True)
    directions = directions_from_sky(ra=ra, dec=dec)
    middle = sky_from_directions(directions.mean(axis=0))
    plane = TangentPlane(
        ra=float(middle[0]), dec=float(middle[1]), pixel_scale=math.radians(1.0), rotation=0.0
    )
    reach = max(float(np.abs(offset).max()) for offset in plane.pixels(directions))
    return plane, 1.05 * reach + 1e-3


def _draw(
    axes: Axes, values: _Floats, extent: float, name: str, metadata: Mapping[str, object]
) -> None:
    offset = 0.0
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, [1.0, 99.0]) if finite.size else (0.0, 1.0)
    label = str(metadata["UNIT"])
    if low > 1e3 and high - low < 1e-2 * low:  # dates: their first digits are all the same
        offset = math.floor(low)
        label = f"{label} - {offset:.0f}"
    drawn = axes.imshow(
        np.ma.masked_invalid(values - offset),
        origin="lower",
        extent=(-extent, extent, -extent, extent),
        interpolation="nearest",
        cmap=VALUES_COLOURS,
        vmin=low - offset,
        vmax=high - offset,
    )
    figure = axes.get_figure()
    assert figure is not None, "axes of a figure"
    figure.colorbar(drawn, cax=axes.inset_axes((1.03, 0.05, 0.05, 0.9)))
    axes.set_title(f"{name} ({label})" if label else name, fontsize=10)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(_TICKS))
