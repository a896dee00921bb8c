"""What each cell takes of three visits, and what it refuses."""

from __future__ import annotations

__all__ = ["draw_cell_selection"]

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch as Swatch

from cellcoadd.cell_grid import Index2D
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_coadd.inputs import RefusalReason
from cellcoadd.recipes import coadd_images
from cellcoadd.report.style import new_figure

from .example import WARP_SETTINGS, example_images, example_patch
from .style import GREEN, ORANGE, PURPLE, SKY, draw_box, label_pixels

_LARGEST_MASKED_PART = 0.03  # so that bad columns are enough to refuse

_COLOURS = {
    RefusalReason.ACCEPTED: SKY,
    RefusalReason.OVERLAP: ORANGE,
    RefusalReason.MASKED: PURPLE,
}
_LABELS = {
    SKY: "accepted",
    ORANGE: "refused: does not cover the outer region",
    PURPLE: "refused: masked",
    GREEN: "masked like all others of the cell: used",
}


def draw_cell_selection() -> Figure:
    """Draw the detectors of each visit over the cells, with the decisions, and their sum."""
    coadd = coadd_images(
        example_images(), example_patch(), warp_settings=WARP_SETTINGS,
        coadd_settings=CoaddSettings(max_maskfrac=_LARGEST_MASKED_PART),
    )  # fmt: skip
    assert coadd is not None, "cells are covered"
    figure = new_figure(width=11.0, height=3.5)
    panels = figure.subplots(1, 4, sharex=True, sharey=True)
    visits = sorted({entry.observation.visit for entry in coadd.inputs})
    for axes, visit in zip(panels[:3], visits, strict=True):
        _draw_visit(axes, coadd, visit)
    _draw_counts(panels[3], coadd)
    for axes in panels:
        outer = coadd.grid.outer_bbox_of(Index2D(x=6, y=5))
        draw_box(axes, outer, fill=False, edgecolor="black", linestyle=":")
        axes.set_aspect("equal")
        label_pixels(axes, inner=False)
    first = coadd.grid.inner_bbox_of(Index2D(x=4, y=4))
    last = coadd.grid.inner_bbox_of(Index2D(x=10, y=10))
    panels[0].set_xlim(first.x.start - 0.5, last.x.stop - 0.5)
    panels[0].set_ylim(first.y.start - 0.5, last.y.stop - 0.5)
    figure.legend(
        handles=[Swatch(color=colour, label=label) for colour, label in _LABELS.items()]
        + [
            Swatch(fill=False, edgecolor="black", label="detector"),
            Swatch(fill=False, edgecolor="black", linestyle=":", label="an outer region"),
        ],
        loc="outside lower center", ncols=6, fontsize=8,
    )  # fmt: skip
    return figure


def _draw_visit(axes: Axes, coadd: MultipleCellCoadd, visit: int) -> None:
    """A visit's detectors, and the inner regions of the cells that they touch."""
    mine = [entry.observation.visit == visit for entry in coadd.inputs]
    for row in coadd.contributions:
        if mine[int(row["input"])]:
            colour = _COLOURS[RefusalReason(row["reason"])]
            if colour == SKY and 1.0 - row["unmasked_fraction"] > _LARGEST_MASKED_PART:
                colour = GREEN
            box = coadd.grid.inner_bbox_of(Index2D(x=int(row["cell_x"]), y=int(row["cell_y"])))
            draw_box(axes, box, facecolor=colour, edgecolor="white")
    for entry in coadd.inputs:
        if entry.observation.visit == visit:
            outline = entry.footprint
            axes.fill(outline.x_vertices, outline.y_vertices, fill=False, edgecolor="black")
    axes.set_title(f"Visit {visit}")


def _draw_counts(axes: Axes, coadd: MultipleCellCoadd) -> None:
    for index in coadd.grid:
        draw_box(axes, coadd.grid.inner_bbox_of(index), fill=False, edgecolor="0.85")
    shades = colormaps["Blues"]
    for index, cell in coadd.cells.items():
        count, centre = cell.visit_count, coadd.grid.centre_of(index)
        colour = shades(0.2 * count)
        draw_box(axes, coadd.grid.inner_bbox_of(index), facecolor=colour, edgecolor="white")
        axes.text(centre.x, centre.y, str(count), ha="center", va="center", fontsize=9)
    axes.set_title("Inputs of the coadd")
