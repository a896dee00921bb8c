"""Panels: pixels, or one number a cell, drawn on axes that the caller has laid out.

Figures of the report and the notebooks are put together of these. All panels of one coadd have
the pixels of the tract on their axes, y upwards, so that they can be compared by eye.
"""

from __future__ import annotations

__all__ = [
    "draw_cells",
    "draw_flux",
    "draw_plane",
    "extent_of",
    "label_pixels",
    "outline_cells",
    "values_on_grid",
]

import numpy as np
import numpy.typing as npt
from lsst.images import Box, Image
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from ..products.cell_coadd import MultipleCellCoadd
from .style import VALUES_COLOURS

_FAINTEST, _BRIGHTEST = -3.0, 225.0  # sigma: the stretch is linear in the noise, then softer
_BAR_SIZE = 0.8  # of the height of the axes
_GAP = 0.06  # of the width of the axes: a bar's label does not touch the axes to its right
_TICKS = 4  # numbers of five digits do not touch


def draw_flux(axes: Axes, image: Image) -> None:
    """Draw pixels in units of their noise, bright ends softened; the same contrast for any depth.

    Parameters
    ----------
    axes
        Where; a colour bar is put beside it.
    image
        The pixels; those that are NaN stay white.
    """
    finite = image.array[np.isfinite(image.array)]
    low, middle, high = np.percentile(finite, [15.87, 50.0, 84.13])
    sigma = max(0.5 * (high - low), np.finfo(np.float32).tiny)
    stretched = np.arcsinh(np.clip((image.array - middle) / sigma, _FAINTEST, _BRIGHTEST))
    _draw(axes, stretched, image.bbox, label="asinh(flux per pixel / noise)", colours="gray_r")


def draw_plane(
    axes: Axes,
    plane: Image,
    *,
    label: str,
    limits: tuple[float, float] | None = None,
    colours: str = VALUES_COLOURS,
) -> None:
    """Draw pixels as they are: a variance, a masked fraction, a point-spread function, a residual.

    Parameters
    ----------
    axes
        Where; a colour bar is put beside it.
    plane
        The pixels; those that are not finite stay white.
    label
        What they are, and their unit.
    limits
        Values at the ends of the colours; None: the least and the largest finite value.
    colours
        A colour map of matplotlib.
    """
    pixels = np.ma.masked_invalid(plane.array)
    _draw(axes, pixels, plane.bbox, label=label, limits=limits, colours=colours)


def draw_cells(
    axes: Axes,
    coadd: MultipleCellCoadd,
    values: npt.ArrayLike,
    *,
    label: str,
    limits: tuple[float, float] | None = None,
    colours: str = VALUES_COLOURS,
) -> None:
    """Draw one number a filled cell, each as the square of its inner region.

    Parameters
    ----------
    axes
        Where; a colour bar is put beside it.
    coadd
        Whose cells they are.
    values : float (filled cells,)
        In the order of ``coadd.cells``, as a column of the table of cells is; NaN stays white.
    label, limits, colours
        As for `draw_plane`.

    Raises
    ------
    ValueError
        If there is not one value for each filled cell.
    """
    on_grid = values_on_grid(coadd, values)
    box, grid = coadd.bbox, coadd.grid
    first = grid.index_of(x=box.x.start, y=box.y.start)
    last = grid.index_of(x=box.x.max, y=box.y.max)
    visible = np.ma.masked_invalid(on_grid[first.y : last.y + 1, first.x : last.x + 1])
    _draw(axes, visible, box, label=label, limits=limits, colours=colours)
    outline_cells(axes, coadd, box)


def values_on_grid(coadd: MultipleCellCoadd, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Put one number a filled cell into its place in the patch.

    Parameters
    ----------
    coadd
        Whose cells they are.
    values : float (filled cells,)
        In the order of ``coadd.cells``.

    Returns
    -------
    on_grid : float64 (rows of cells, columns of cells)
        NaN for the cells without input.

    Raises
    ------
    ValueError
        If there is not one value for each filled cell.
    """
    given = np.ma.filled(np.ma.asarray(values, np.float64), np.nan)
    if given.shape != (len(coadd.cells),):
        raise ValueError(
            f"One value for each of the {len(coadd.cells)} filled cells is needed, "
            f"got an array of shape {given.shape}."
        )
    shape = coadd.grid.shape
    result = np.full((shape.y, shape.x), np.nan)
    for index, value in zip(coadd.cells, given, strict=True):
        result[index.y, index.x] = value
    return result


def outline_cells(axes: Axes, coadd: MultipleCellCoadd, box: Box) -> None:
    """Draw the edges of inner regions inside of a box."""
    shape, cells = coadd.grid.inner_cell_shape, coadd.grid.bbox
    # A colour that no panel uses, thin enough not to hide a source.
    for x in range(cells.x.start, cells.x.stop + 1, shape.x):
        if box.x.start < x < box.x.stop:
            axes.axvline(x - 0.5, color="tab:red", linewidth=0.3, alpha=0.5)
    for y in range(cells.y.start, cells.y.stop + 1, shape.y):
        if box.y.start < y < box.y.stop:
            axes.axhline(y - 0.5, color="tab:red", linewidth=0.3, alpha=0.5)


def extent_of(box: Box) -> tuple[float, float, float, float]:
    """Return the edges of a box as `matplotlib.axes.Axes.imshow` takes them."""
    return (box.x.start - 0.5, box.x.stop - 0.5, box.y.start - 0.5, box.y.stop - 0.5)


def label_pixels(axes: Axes) -> None:
    """Label axes as pixels of the tract: whole numbers, few enough not to touch."""
    axes.set_xlabel("x (tract pixels)")
    axes.set_ylabel("y (tract pixels)")
    axes.ticklabel_format(useOffset=False, style="plain")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(_TICKS, integer=True))


def _draw(
    axes: Axes,
    values: npt.NDArray[np.floating],
    box: Box,
    *,
    label: str,
    colours: str,
    limits: tuple[float, float] | None = None,
) -> None:
    low, high = limits or (None, None)
    drawn = axes.imshow(
        values,
        extent=extent_of(box),
        origin="lower",
        cmap=colours,
        vmin=low,
        vmax=high,
    )
    figure = axes.get_figure()
    assert figure is not None, "axes of a figure"
    beyond = high is not None and bool((np.ma.masked_invalid(values) > high).any())
    bar = figure.colorbar(drawn, ax=axes, shrink=_BAR_SIZE, extend="max" if beyond else "neither")
    bar.set_label(label)
    layout = figure.get_layout_engine()
    if isinstance(layout, ConstrainedLayoutEngine):
        layout.set(wspace=_GAP)
    finite = values[np.isfinite(values)]
    if np.array_equal(finite, np.round(finite)):
        bar.locator = MaxNLocator(integer=True)  # there is no half a visit
        bar.update_ticks()
    label_pixels(axes)
