"""The depth of the cells: where in a patch, and against the number of inputs."""

from __future__ import annotations

__all__ = ["draw_depth_against_inputs", "draw_depth_map"]

from collections.abc import Mapping

import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..cell_grid import Index2D
from ..files.column_values import column_values
from .by_inputs import JITTER_SEED, InputColumns, draw_columns, group_by_inputs
from .cell_maps import cells_on_grid, draw_cell_map
from .style import new_figure, styled

_PANEL_WIDTH, _HEIGHT = 5.2, 4.2  # inches


@styled
def draw_depth_map(cells: Table, shape: Index2D, *, title: str = "") -> Figure:
    """Return the depth of each cell of a patch.

    Parameters
    ----------
    cells
        Rows of one patch; needs ``cell_x``, ``cell_y`` and ``depth``.
    shape
        Number of cells of a patch in x and y.
    title
        Which patch.

    Notes
    -----
    The technote's depths are 1.5949 mag too deep: zero point 27 for pixels in nJy, and the weight
    of a pixel times the number of pixels.
    """
    figure = new_figure(width=6.2, height=5.2)
    axes = figure.subplots()
    draw_cell_map(axes, cells_on_grid(cells, "depth", shape), label="depth, 5 sigma PSF (AB mag)")
    axes.set_title(title or "Depth of each cell")
    return figure


@styled
def draw_depth_against_inputs(tracts: Mapping[int, Table], *, seed: int = JITTER_SEED) -> Figure:
    """Return the depth of the cells against the number of visits, a panel a tract.

    Parameters
    ----------
    tracts
        For each tract one row a filled cell, each cell once; needs ``visit_count`` and ``depth``.
    seed
        Of the places of points across a column, which mean nothing.

    Notes
    -----
    Equal inputs deepen the median of one visit by 1.25 log10 N, which is drawn. The technote calls
    mean and median both "mean", and lets the line begin at the mean.
    """
    figure = new_figure(width=max(6.5, _PANEL_WIDTH * len(tracts)), height=_HEIGHT)
    panels = figure.subplots(1, len(tracts), squeeze=False, sharey=True)[0]
    for axes, (tract, cells) in zip(panels, tracts.items(), strict=True):
        columns = group_by_inputs(cells["visit_count"], column_values(cells, "depth"))
        draw_columns(axes, columns, seed=seed)
        if columns.inputs.size:
            _draw_expectation(axes, columns)
        axes.set_title(f"Tract {tract}: {len(cells):,} cells")
        axes.legend(loc="lower right")
    panels[0].set_ylabel("depth of a cell, 5 sigma PSF (AB mag)")
    return figure


def _draw_expectation(axes: Axes, columns: InputColumns) -> None:
    first, start = int(columns.inputs[0]), float(columns.median[0])
    inputs = np.arange(first, columns.inputs[-1] + 1)
    ratio = "N" if first == 1 else f"(N/{first})"
    axes.plot(
        inputs,
        start + 1.25 * np.log10(inputs / first),
        "-",
        color="tab:red",
        label=f"+1.25 log$_{{10}}$ {ratio} from the median at N = {first}",
    )
