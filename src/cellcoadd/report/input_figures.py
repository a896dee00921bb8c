"""How many visits the cells add up: their histogram, and where in a patch."""

from __future__ import annotations

__all__ = ["colour_by_inputs", "draw_input_histogram", "draw_input_map"]

import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator

from ..cell_grid import Index2D
from .cell_maps import cells_on_grid, draw_cell_map
from .style import new_figure, styled

_NUMBERED_BARS = 20  # more of them would touch
_COLOURS = 256  # of a colour map


@styled
def draw_input_histogram(cells: Table, *, title: str = "") -> Figure:
    """Return the histogram of the number of visits in the cells.

    Parameters
    ----------
    cells
        One row a filled cell, each cell once; needs ``visit_count``.
    title
        Of which cells.

    Notes
    -----
    The technote's bars begin at the integers; these stand centred on them.
    """
    counts = np.asarray(cells["visit_count"], np.int64)
    number = np.bincount(counts)[1:]
    visits = np.arange(1, number.size + 1)
    figure = new_figure(width=max(5.0, min(0.45 * number.size, 10.0)), height=3.6)
    axes = figure.subplots()
    bars = axes.bar(visits, number, width=0.9, color="tab:blue")
    if number.size <= _NUMBERED_BARS:
        axes.bar_label(bars, fontsize=8)
        axes.margins(y=0.1)
    axes.xaxis.set_major_locator(
        MultipleLocator(1) if number.size <= _NUMBERED_BARS else MaxNLocator(10, integer=True)
    )
    axes.set_xlabel("number of visits in a cell")
    axes.set_ylabel("number of cells")
    axes.set_title(title or "Inputs of the cells")
    return figure


@styled
def draw_input_map(cells: Table, shape: Index2D, *, title: str = "") -> Figure:
    """Return the number of visits in each cell of a patch, with the outlines of the inner regions.

    Parameters
    ----------
    cells
        Rows of one patch; needs ``cell_x``, ``cell_y`` and ``visit_count``.
    shape
        Number of cells of a patch in x and y.
    title
        Which patch.

    Notes
    -----
    A cell without input is white; in the technote's map it has the colour of the number 0.
    """
    figure = new_figure(width=6.2, height=5.2)
    axes = figure.subplots()
    on_grid = cells_on_grid(cells, "visit_count", shape)
    draw_cell_map(axes, on_grid, label="number of visits")
    colour_by_inputs(axes)
    axes.set_title(title or "Inputs of each cell")
    return figure


def colour_by_inputs(axes: Axes) -> None:
    """Give each number of visits on a map of cells a colour of its own, and a whole number."""
    (image,) = axes.images
    most = int(np.ma.filled(np.ma.asarray(image.get_array()), 1).max())
    # Beyond the number of colours, several numbers share one.
    step = -(-most // _COLOURS)
    image.set_norm(BoundaryNorm(np.arange(0.5, most + step + 0.5, step), _COLOURS))
    assert image.colorbar is not None, "drawn with the map"
    # Between 1 and 1 there is nothing to place ticks in.
    image.colorbar.set_ticks(MaxNLocator(10, integer=True).tick_values(1, max(most, 2)))
