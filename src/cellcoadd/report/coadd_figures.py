"""Figures of one coadd: the stitched image beside the number of inputs of its cells."""

from __future__ import annotations

__all__ = ["draw_coadd_and_inputs", "input_counts"]

import numpy as np
import numpy.typing as npt
from lsst.images import Box
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from ..cell_grid import Index2D
from ..products.cell_coadd import MultipleCellCoadd
from .style import INPUTS_COLOURS, new_figure

_FAINTEST, _BRIGHTEST = -3.0, 225.0  # sigma: the stretch is linear in the noise, then softer
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
    stitched = coadd.stitch()
    box = stitched.bbox
    height = float(np.clip(_PANEL_WIDTH * box.y.size / box.x.size, *_HEIGHTS))
    figure = new_figure(width=2 * _PANEL_WIDTH + 2.5, height=height + 0.8)
    left, right = figure.subplots(1, 2)
    image = stitched.image.array.copy()
    for missing in stitched.bounds.missing_boxes():
        place = missing.slice_within(box)
        image[place.y, place.x] = np.nan
    shown = left.imshow(_stretched(image), extent=_extent(box), origin="lower", cmap="gray_r")
    bar = figure.colorbar(shown, ax=left, shrink=0.8)
    bar.set_label("asinh(flux per pixel / noise)")
    names = coadd.identifiers
    left.set_title(f"Coadd, tract {names.tract}, patch {names.patch}, {coadd.band} band")
    _outline_cells(left, coadd, box)
    _label_pixels(left)

    counts = input_counts(coadd)
    first = coadd.grid.index_of(x=box.x.start, y=box.y.start)
    last = coadd.grid.index_of(x=box.x.max, y=box.y.max)
    visible = counts[first.y : last.y + 1, first.x : last.x + 1]
    edges = np.arange(0.5, counts.max() + 1.5)
    drawn = right.imshow(
        np.ma.masked_equal(visible, 0),
        extent=_extent(box),
        origin="lower",
        cmap=INPUTS_COLOURS,
        norm=BoundaryNorm(edges, 256),
    )
    bar = figure.colorbar(drawn, ax=right, shrink=0.8, ticks=range(1, int(counts.max()) + 1))
    bar.set_label("number of visits")
    right.set_title("Inputs of each cell")
    _number_cells(right, coadd, visible, first)
    _outline_cells(right, coadd, box)
    _label_pixels(right)
    return figure


def _stretched(image: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """The image in units of its noise, bright ends softened; contrast the same for any depth."""
    finite = image[np.isfinite(image)]
    low, middle, high = np.percentile(finite, [15.87, 50.0, 84.13])
    sigma = max(0.5 * (high - low), np.finfo(np.float32).tiny)
    stretched: npt.NDArray[np.floating] = np.arcsinh(
        np.clip((image - middle) / sigma, _FAINTEST, _BRIGHTEST)
    )
    return stretched


def _extent(box: Box) -> tuple[float, float, float, float]:
    return (box.x.start - 0.5, box.x.stop - 0.5, box.y.start - 0.5, box.y.stop - 0.5)


def _outline_cells(axes: Axes, coadd: MultipleCellCoadd, box: Box) -> None:
    shape = coadd.grid.inner_cell_shape
    # A colour that neither image uses, thin enough not to hide a source.
    for x in range(box.x.start + shape.x, box.x.stop, shape.x):
        axes.axvline(x - 0.5, color="tab:red", linewidth=0.3, alpha=0.5)
    for y in range(box.y.start + shape.y, box.y.stop, shape.y):
        axes.axhline(y - 0.5, color="tab:red", linewidth=0.3, alpha=0.5)


def _number_cells(
    axes: Axes, coadd: MultipleCellCoadd, counts: npt.NDArray[np.int64], first: Index2D
) -> None:
    middle = 0.5 * (counts.max() + 1)
    for (row, column), count in np.ndenumerate(counts):
        centre = coadd.grid.centre_of(Index2D(x=first.x + column, y=first.y + row))
        axes.text(
            centre.x,
            centre.y,
            str(count),
            ha="center",
            va="center",
            fontsize=7,
            # On the dark half of the colours white; cells without input are left blank.
            color="white" if 0 < count < middle else "black",
        )


def _label_pixels(axes: Axes) -> None:
    axes.set_xlabel("x (tract pixels)")
    axes.set_ylabel("y (tract pixels)")
    axes.ticklabel_format(useOffset=False, style="plain")
