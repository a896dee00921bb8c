"""Figures of one coadd: the stitched image beside the number of inputs of its cells."""

from __future__ import annotations

__all__ = ["draw_coadd_and_inputs", "input_counts"]

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..cell_grid import Index2D
from ..products.cell_coadd import MultipleCellCoadd
from .input_figures import colour_by_inputs
from .panels import draw_flux, extent_of, label_pixels, outline_cells
from .style import VALUES_COLOURS, new_figure

_PANEL_WIDTH = 5.0  # inches
_HEIGHTS = (3.0, 9.0)  # inches: a row of cells must not be flat, nor a column a tower


def input_counts(coadd: MultipleCellCoadd) -> npt.NDArray[np.int64]:
    """Return the number of visits in every cell of the patch.

    Returns
    -------
    counts : int64 (rows of cells, columns of cells)
        0 for the cells without input.
    """
    shape = coadd.grid.shape
    counts = np.zeros((shape.y, shape.x), np.int64)
    for index, cell in coadd.cells.items():
        counts[index.y, index.x] = cell.visit_count
    return counts


def draw_coadd_and_inputs(coadd: MultipleCellCoadd) -> Figure:
    """Return the stitched image with its cells outlined, beside the inputs of each cell."""
    image = coadd.image
    box = image.bbox
    height = float(np.clip(_PANEL_WIDTH * box.y.size / box.x.size, *_HEIGHTS))
    figure = new_figure(width=2 * _PANEL_WIDTH + 2.5, height=height + 0.8)
    left, right = figure.subplots(1, 2)
    draw_flux(left, image)
    names = coadd.identifiers
    left.set_title(f"Coadd, tract {names.tract}, patch {names.patch}, {coadd.band} band")
    outline_cells(left, coadd, box)

    counts = input_counts(coadd)
    first = coadd.grid.index_of(x=box.x.start, y=box.y.start)
    last = coadd.grid.index_of(x=box.x.max, y=box.y.max)
    visible = counts[first.y : last.y + 1, first.x : last.x + 1]
    drawn = right.imshow(
        np.ma.masked_equal(visible, 0), extent=extent_of(box), origin="lower", cmap=VALUES_COLOURS
    )
    bar = figure.colorbar(drawn, ax=right, shrink=0.8)
    bar.set_label("number of visits")
    colour_by_inputs(right)
    right.set_title("Inputs of each cell")
    _number_cells(right, coadd, visible, first)
    outline_cells(right, coadd, box)
    label_pixels(right)
    return figure


def _number_cells(
    axes: Axes, coadd: MultipleCellCoadd, counts: npt.NDArray[np.int64], first: Index2D
) -> None:
    middle = 0.5 * (counts.max() + 1)
    for (row, column), count in np.ndenumerate(counts):
        if not count:
            continue
        centre = coadd.grid.centre_of(Index2D(x=first.x + column, y=first.y + row))
        axes.text(
            centre.x,
            centre.y,
            str(count),
            ha="center",
            va="center",
            fontsize=7,
            # On the dark half of the colours white.
            color="white" if count < middle else "black",
        )
