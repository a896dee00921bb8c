"""How many inputs remain if those that are masked more than a threshold are refused.

The functions take numbers only: for each plane, thresholds and the mean fraction of the inputs of
a cell whose masked fraction is below them.
"""

from __future__ import annotations

__all__ = [
    "Curve",
    "draw_threshold_function",
    "draw_threshold_grid",
    "draw_threshold_patches",
]

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from .style import new_figure, styled

type Curve = tuple[npt.ArrayLike, npt.ArrayLike]
"""Thresholds, and the mean fraction of inputs that remain at each."""

_DEFECT_WIDTH = 4  # pixels: the bands of bad columns of Hyper Suprime-Cam
_OUTER_WIDTH = 250  # pixels of a cell of the Rubin sky maps
_COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:purple", "tab:brown", "tab:pink")
_MARKERS = "osD^vP"
_TICKS = (0.001, 0.003, 0.01, 0.03, 0.1)


@styled
def draw_threshold_function(
    planes: Mapping[str, Curve], *, title: str = "", cell_width: int = _OUTER_WIDTH
) -> Figure:
    """Return the fraction of remaining inputs against the threshold, a curve a mask plane.

    Parameters
    ----------
    planes
        A curve for each plane; the names go into the legend.
    title
        Of which cells.
    cell_width
        Pixels of the region that the fractions are of. A column of 4 bad pixels through it is
        4 / cell_width of its pixels, 0.016 for 250, and is marked.

    Notes
    -----
    Thresholds are drawn as logarithms, so that the step can be seen. The technote's text has 0.02 %
    for what is a fraction of 0.016 to 0.02.
    """
    figure = new_figure(width=7.0, height=4.2)
    axes = figure.subplots()
    for number, (plane, curve) in enumerate(planes.items()):
        _draw_curve(axes, curve, number=number, label=plane)
    _finish(axes, cell_width)
    axes.set_xlabel("threshold of the masked fraction of an input")
    axes.set_ylabel("mean fraction of inputs below it")
    axes.set_title(title or "Inputs that remain")
    axes.legend(loc="lower right", title="masked by")
    return figure


@styled
def draw_threshold_grid(
    tracts: Mapping[int, Mapping[str, Curve]],
    *,
    descriptions: Mapping[int, str] | None = None,
    cell_width: int = _OUTER_WIDTH,
) -> Figure:
    """Return the curves of several tracts, a row a tract and a column a mask plane.

    Parameters
    ----------
    tracts
        For each tract a curve for each plane; a plane that a tract lacks stays empty.
    descriptions
        For a tract what is written below its name, such as the number of its cells.
    cell_width
        As for `draw_threshold_function`.

    Notes
    -----
    The technote's rows are means over the cells that its first visit reaches, though the titles
    count all cells.
    """
    planes = list(dict.fromkeys(plane for curves in tracts.values() for plane in curves))
    figure = new_figure(width=3.2 * len(planes) + 0.8, height=2.6 * len(tracts) + 0.8)
    panels = figure.subplots(len(tracts), len(planes), squeeze=False, sharex=True, sharey=True)
    for row, (tract, curves) in zip(panels, tracts.items(), strict=True):
        for number, (axes, plane) in enumerate(zip(row, planes, strict=True)):
            if plane in curves:
                _draw_curve(axes, curves[plane], number=number, label=plane)
            _finish(axes, cell_width, explained=row is panels[0] and number == 0)
        below = (descriptions or {}).get(tract, "")
        row[0].set_ylabel(f"tract {tract}" + (f"\n{below}" if below else ""))
    for axes, plane in zip(panels[0], planes, strict=True):
        axes.set_title(f"masked by {plane}")
    figure.supxlabel("threshold of the masked fraction of an input", fontsize=10)
    figure.supylabel("mean fraction of inputs below it", fontsize=10)
    return figure


@styled
def draw_threshold_patches(
    patches: Mapping[int, Curve],
    filled: Mapping[int, float],
    *,
    title: str = "",
    cell_width: int = _OUTER_WIDTH,
) -> Figure:
    """Return the curve of each patch of a tract, with the percentage of filled cells in it.

    Parameters
    ----------
    patches
        A curve for each patch.
    filled
        The fraction of each patch's cells that have an input.
    title
        Of which tract and plane.
    cell_width
        As for `draw_threshold_function`.
    """
    columns = min(6, max(1, math.ceil(math.sqrt(len(patches)))))
    rows = max(1, math.ceil(len(patches) / columns))
    figure = new_figure(width=2.4 * columns + 0.8, height=1.9 * rows + 0.9)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, (patch, curve) in zip(panels, patches.items(), strict=False):
        label = f"patch {patch}\n{100 * filled[patch]:.1f} % of cells filled"
        _draw_curve(axes, curve, number=0, label=label)
        _finish(axes, cell_width, explained=False)
        axes.legend(loc="lower right", handlelength=0, markerscale=0, fontsize=8)
    for axes in panels[len(patches) :]:
        axes.set_axis_off()
    # Panels above an empty place are the last of their column.
    for axes in panels[max(0, len(patches) - columns) : len(patches)]:
        axes.tick_params(labelbottom=True)
    figure.supxlabel("threshold of the masked fraction of an input", fontsize=10)
    figure.supylabel("mean fraction of inputs below it", fontsize=10)
    figure.suptitle(title)
    return figure


def _draw_curve(axes: Axes, curve: Curve, *, number: int, label: str) -> None:
    thresholds, fractions = (np.asarray(part, np.float64) for part in curve)
    axes.plot(
        thresholds,
        fractions,
        marker=_MARKERS[number % len(_MARKERS)],
        markersize=3.5,
        linewidth=1.0,
        color=_COLOURS[number % len(_COLOURS)],
        label=label,
    )


def _finish(axes: Axes, cell_width: int, *, explained: bool = True) -> None:
    """Draw the line of a bad column, and set what all panels have in common."""
    step = _DEFECT_WIDTH / cell_width
    axes.axvline(step, color="tab:red", alpha=0.6, linewidth=1.0)
    if explained:
        axes.annotate(
            f"{step:.3f} = {_DEFECT_WIDTH}/{cell_width}: bad columns,\n"
            f"{_DEFECT_WIDTH} px wide through a cell of {cell_width} px",
            (step, 0.03),
            xycoords=("data", "axes fraction"),
            xytext=(-4, 0),
            textcoords="offset points",
            ha="right",
            fontsize=7,
            color="tab:red",
        )
    axes.set_xscale("log")
    axes.set_ylim(0.0, 1.05)
    axes.xaxis.set_major_locator(FixedLocator(_TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(alpha=0.3)
