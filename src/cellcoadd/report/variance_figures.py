"""The variance of the cells: where in a patch, and against the number of inputs."""

from __future__ import annotations

__all__ = ["draw_variance_against_inputs", "draw_variance_map"]

from collections.abc import Mapping

import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..cell_grid import Index2D
from ..files.column_values import column_values
from .bimodality import is_bimodal
from .by_inputs import JITTER_SEED, InputColumns, draw_columns, group_by_inputs
from .cell_maps import cells_on_grid, draw_cell_map
from .style import new_figure, styled
from .units import variance_label, variance_unit

_PANEL_WIDTH, _HEIGHT = 5.2, 4.2  # inches
_STEPS = (1.0, 2.0, 5.0)  # of the numbers on a logarithmic scale, in each power of ten
_PLAIN = FuncFormatter(lambda value, _: f"{value:g}")


@styled
def draw_variance_map(cells: Table, shape: Index2D, *, title: str = "") -> Figure:
    """Return the mean and the median variance of each cell of a patch, on one logarithmic scale.

    Parameters
    ----------
    cells
        Rows of one patch; needs ``cell_x``, ``cell_y``, ``variance_mean``, ``variance_median``.
    shape
        Number of cells of a patch in x and y.
    title
        Which patch.

    Notes
    -----
    The two panels of the technote show the mean twice, and each with colours of its own.
    """
    figure = new_figure(width=11.0, height=4.7)
    panels = figure.subplots(1, 2)
    grids = {name: cells_on_grid(cells, f"variance_{name}", shape) for name in ("mean", "median")}
    finite = np.concatenate([grid[np.isfinite(grid)] for grid in grids.values()])
    norm = LogNorm(finite.min(), finite.max()) if finite.size else None
    unit = variance_label(variance_unit(cells), mathtext=True)
    for axes, (name, on_grid) in zip(panels, grids.items(), strict=True):
        draw_cell_map(axes, on_grid, label=f"{name} variance ({unit})", norm=norm)
        bar = axes.images[0].colorbar
        assert bar is not None, "drawn with the map"
        bar.ax.yaxis.set_major_locator(LogLocator(subs=_STEPS))
        bar.ax.yaxis.set_major_formatter(_PLAIN)
        bar.ax.yaxis.set_minor_formatter(NullFormatter())
        axes.set_title(f"{name.capitalize()} variance of the inner region")
    figure.suptitle(title)
    return figure


@styled
def draw_variance_against_inputs(tracts: Mapping[int, Table], *, seed: int = JITTER_SEED) -> Figure:
    """Return the mean variance of the cells against the number of visits, a panel a tract.

    Parameters
    ----------
    tracts
        For each tract one row a filled cell, each cell once; needs ``visit_count`` and
        ``variance_mean``.
    seed
        Of the places of points across a column, which mean nothing.

    Notes
    -----
    Equal inputs give the median of one visit over N, which is drawn. Numbers of visits whose cells
    fall into two groups (`is_bimodal`) are named: there, mean and median describe no cell.
    """
    figure = new_figure(width=max(6.5, _PANEL_WIDTH * len(tracts)), height=_HEIGHT)
    panels = figure.subplots(1, len(tracts), squeeze=False, sharey=True)[0]
    for axes, (tract, cells) in zip(panels, tracts.items(), strict=True):
        columns = group_by_inputs(cells["visit_count"], column_values(cells, "variance_mean"))
        draw_columns(axes, columns, seed=seed)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=_STEPS))
        axes.yaxis.set_major_formatter(_PLAIN)
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_title(f"Tract {tract}: {len(cells):,} cells")
        if columns.inputs.size:
            _draw_expectation(axes, columns)
            _name_bimodal(axes, columns)
        axes.legend(loc="upper right")
    units = {variance_label(variance_unit(cells), mathtext=True) for cells in tracts.values()}
    panels[0].set_ylabel(f"mean variance of a cell ({' or '.join(sorted(units))})")
    return figure


def _draw_expectation(axes: Axes, columns: InputColumns) -> None:
    first, start = int(columns.inputs[0]), float(columns.median[0])
    inputs = np.arange(first, columns.inputs[-1] + 1)
    axes.plot(
        inputs,
        start * first / inputs,
        "-",
        color="tab:red",
        label=f"1/N from the median at N = {first}",
    )


def _name_bimodal(axes: Axes, columns: InputColumns) -> None:
    two = [
        str(inputs)
        for inputs, values in zip(columns.inputs, columns.values, strict=True)
        if is_bimodal(values)
    ]
    if two:
        axes.text(
            0.03,
            0.04,
            f"cells in separate groups (bimodal) at N = {', '.join(two)}",
            transform=axes.transAxes,
            fontsize=9,
        )
