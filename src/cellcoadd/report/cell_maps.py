"""Maps of the cells of a patch, one square a cell, from the rows of the table of cells.

What is drawn from the table needs no coadd: the axes count cells, x to the right and y upwards.
"""

from __future__ import annotations

__all__ = ["cells_on_grid", "draw_cell_map", "outline_all_cells"]

from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.ticker import MultipleLocator

from ..cell_grid import Index2D
from ..files.column_values import column_values
from .style import VALUES_COLOURS

_TICK_EVERY = 2  # cells


def cells_on_grid(cells: Table, column: str, shape: Index2D) -> npt.NDArray[np.float64]:
    """Put a column of the table of cells into the places of its cells.

    Parameters
    ----------
    cells
        Rows of one patch; needs ``cell_x`` and ``cell_y``.
    column
        Which column.
    shape
        Number of cells of a patch in x and y.

    Returns
    -------
    on_grid : float64 (rows of cells, columns of cells)
        NaN for the cells that have no row.

    Raises
    ------
    ValueError
        If a cell has two rows, as in a table of several patches, or lies outside of the shape.
    """
    x, y = np.asarray(cells["cell_x"], np.int64), np.asarray(cells["cell_y"], np.int64)
    if len(cells) and not (min(x.min(), y.min()) >= 0 and x.max() < shape.x and y.max() < shape.y):
        raise ValueError(
            f"A patch has {shape.x} x {shape.y} cells; the table has cells up to "
            f"x={x.max()}, y={y.max()}."
        )
    if np.unique(shape.x * y + x).size < len(cells):
        raise ValueError("A cell has two rows: a map of cells shows one patch, choose its rows.")
    on_grid = np.full((shape.y, shape.x), np.nan)
    on_grid[y, x] = column_values(cells, column)
    return on_grid


def draw_cell_map(
    axes: Axes,
    on_grid: npt.NDArray[np.float64],
    *,
    label: str,
    **appearance: Any,
) -> None:
    """Draw one number a cell, with the outlines of the inner regions and a colour bar.

    Parameters
    ----------
    axes
        Where; a colour bar is put beside it.
    on_grid : float64 (rows of cells, columns of cells)
        As from `cells_on_grid`; NaN stays white.
    label
        What it is, and its unit.
    **appearance
        Handed to `matplotlib.axes.Axes.imshow`, such as ``norm``.
    """
    height, width = on_grid.shape
    image = axes.imshow(
        np.ma.masked_invalid(on_grid),
        origin="lower",
        extent=(-0.5, width - 0.5, -0.5, height - 0.5),
        interpolation="nearest",
        cmap=VALUES_COLOURS,
        **appearance,
    )
    figure = axes.get_figure()
    assert figure is not None, "axes of a figure"
    figure.colorbar(image, ax=axes, shrink=0.85).set_label(label)
    outline_all_cells(axes, width=width, height=height)
    axes.set_xlabel("x (cells)")
    axes.set_ylabel("y (cells)")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MultipleLocator(_TICK_EVERY))


def outline_all_cells(axes: Axes, *, width: int, height: int) -> None:
    """Draw the edges of the inner regions of all cells, the empty ones too."""
    axes.vlines(np.arange(width + 1) - 0.5, -0.5, height - 0.5, color="black", linewidth=0.3)
    axes.hlines(np.arange(height + 1) - 0.5, -0.5, width - 0.5, color="black", linewidth=0.3)
