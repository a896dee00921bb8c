"""The masked fractions of a patch in five panels: image, inputs, and what masks cost."""

from __future__ import annotations

__all__ = ["draw_mask_fractions"]

import numpy as np
import numpy.typing as npt
from astropy.table import Table
from lsst.images import Box
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..cell_grid import Index2D
from ..files.column_values import column_values
from ..products.cell_coadd import MultipleCellCoadd
from .input_figures import colour_by_inputs
from .panels import draw_cells, draw_flux, outline_cells
from .style import new_figure, styled

_WIDTH, _HEIGHT = 13.0, 7.4  # inches
_LARGEST_RATIO = 1.5  # of the sides of a panel
_PLACES = {  # rows and columns of a grid of 2 x 6
    "image": (0, slice(1, 3)),
    "visit_count": (0, slice(3, 5)),
    "masked_fraction": (1, slice(0, 2)),
    "input_fraction_0.1": (1, slice(2, 4)),
    "input_fraction_0.05": (1, slice(4, 6)),
}
_TITLES = {
    "visit_count": "Inputs of each cell",
    "masked_fraction": "Masked fraction of the coadd",
    "input_fraction_0.1": "Inputs masked by less than 10 %",
    "input_fraction_0.05": "Inputs masked by less than 5 %",
}
_LABELS = {
    "visit_count": "number of visits",
    "masked_fraction": "weighted mean masked fraction",
    "input_fraction_0.1": "fraction of the inputs",
    "input_fraction_0.05": "fraction of the inputs",
}


@styled
def draw_mask_fractions(coadd: MultipleCellCoadd, cells: Table) -> Figure:
    """Return image, inputs, masked fraction, and the inputs that remain at 10 % and at 5 %.

    Parameters
    ----------
    coadd
        The patch.
    cells
        Its table of cells, in any order; needs ``cell_x``, ``cell_y``, ``visit_count``,
        ``masked_fraction``, ``input_fraction_0.1`` and ``input_fraction_0.05``.

    Raises
    ------
    ValueError
        If the table does not have one row for each filled cell.

    Notes
    -----
    Rows find their cells by index; the technote's took them in the order of another list. The
    masked fraction has a scale of its own: on the technote's, 0 to 1, all cells are black.
    """
    figure = new_figure(width=_WIDTH, height=_HEIGHT)
    grid = figure.add_gridspec(2, 6)
    for name, place in _PLACES.items():
        axes = figure.add_subplot(grid[place])
        if name == "image":
            draw_flux(axes, coadd.image)
            outline_cells(axes, coadd, coadd.bbox)
            names = coadd.identifiers
            axes.set_title(f"Tract {names.tract}, patch {names.patch}, {coadd.band} band")
            _leave_room(axes, coadd.bbox)
            continue
        draw_cells(
            axes,
            coadd,
            _in_order_of_cells(cells, name, coadd),
            label=_LABELS[name],
            limits=(0.0, 1.0) if name.startswith("input_fraction") else None,
        )
        axes.set_title(_TITLES[name])
        _leave_room(axes, coadd.bbox)
        if name == "visit_count":
            colour_by_inputs(axes)
        if place[1].start > 1:  # the panel to its left has the same y
            axes.set_ylabel("")
            axes.tick_params(labelleft=False)
    return figure


def _leave_room(axes: Axes, box: Box) -> None:
    """Leave room beside a narrow or flat coadd: a panel of no width has no place for its axes."""
    least = max(box.y.size, box.x.size) / _LARGEST_RATIO
    for side, set_limits in ((box.x, axes.set_xlim), (box.y, axes.set_ylim)):
        margin = 0.5 * max(least - side.size, 0.0) + 0.5
        set_limits(side.min - margin, side.max + margin)


def _in_order_of_cells(
    cells: Table, column: str, coadd: MultipleCellCoadd
) -> npt.NDArray[np.float64]:
    """Return a column in the order of the coadd's cells."""
    rows = {
        Index2D(x=int(x), y=int(y)): row
        for row, (x, y) in enumerate(zip(cells["cell_x"], cells["cell_y"], strict=True))
    }
    if len(rows) != len(cells) or rows.keys() != set(coadd.cells):
        raise ValueError(
            f"The table of cells has {len(cells)} rows of {len(rows)} cells; {coadd.identifiers} "
            f"has {len(coadd.cells)} filled cells: it is not this patch's table."
        )
    return column_values(cells, column)[[rows[index] for index in coadd.cells]]
