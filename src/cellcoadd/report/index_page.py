"""The page that leads to the reports on several tracts and bands, and compares the tracts."""

from __future__ import annotations

__all__ = ["TractSummary", "make_index_page"]

import dataclasses
import importlib.metadata
from collections.abc import Mapping, Sequence

import numpy as np
from astropy.table import Table

from ..files.column_values import known_values
from .depth_figures import draw_depth_against_inputs
from .page_parts import PageColumn, PageFigure, PageLink, PageSection, PageTable, ReportPage, Value
from .style import png_of
from .threshold_figures import Curve, draw_threshold_grid
from .units import variance_label, variance_unit
from .variance_figures import draw_variance_against_inputs


@dataclasses.dataclass(frozen=True, kw_only=True)
class TractSummary:
    """What the comparison needs to know of a tract in a band.

    Parameters
    ----------
    skymap, tract, band
        Which.
    page
        File name of its report.
    cells
        Its table of cells, each cell once; None if there is none.
    patches
        Number of patches with cells.
    thresholds
        Its threshold function for each mask plane.
    outer_width
        Pixels of a cell's outer region.
    """

    skymap: str
    tract: int
    band: str
    page: str
    cells: Table | None
    patches: int
    thresholds: Mapping[str, Curve]
    outer_width: int


def make_index_page(tracts: Sequence[TractSummary]) -> ReportPage:
    """Return a page with a row for each report, and figures for the tracts of each band."""
    bands = sorted({(entry.skymap, entry.band) for entry in tracts})
    return ReportPage(
        title="Cell-based coadds",
        summary=f"Reports on {len(tracts)} pairs of tract and band.",
        key_numbers=[],
        sections=[
            PageSection(name="tracts", heading="Tracts", tables=[_tract_table(tracts)]),
            *(
                _comparison(
                    skymap,
                    band,
                    [entry for entry in tracts if (entry.skymap, entry.band) == (skymap, band)],
                )
                for skymap, band in bands
            ),
        ],
        footer=f"Made by cellcoadd {importlib.metadata.version('cellcoadd')}.",
    )


def _tract_table(tracts: Sequence[TractSummary]) -> PageTable:
    rows: list[list[Value]] = []
    for entry in tracts:
        name = f"tract {entry.tract}, {entry.band} band"
        row: list[Value] = [PageLink(text=name, target=entry.page), entry.skymap, entry.patches]
        row.append(None if entry.cells is None else len(entry.cells))
        for column in ("visit_count", "variance_median", "depth", "psf_fwhm"):
            row.append(_median(entry.cells, column))
        rows.append(row)
    units = {variance_label(variance_unit(entry.cells)) for entry in tracts} or {"nJy²"}
    return PageTable(
        name="tract-table",
        caption="Reports. Values are medians over the filled cells, each once.",
        columns=[
            PageColumn(name="report"),
            PageColumn(name="sky map"),
            PageColumn(name="patches"),
            PageColumn(name="filled cells"),
            PageColumn(name="visits", digits=1),
            PageColumn(name="variance", unit=" or ".join(sorted(units)), digits=1),
            PageColumn(name="depth", unit="AB mag"),
            PageColumn(name="PSF FWHM", unit="arcsec"),
        ],
        rows=rows,
    )


def _comparison(skymap: str, band: str, tracts: Sequence[TractSummary]) -> PageSection:
    """Return the figures in which the tracts of a band stand side by side."""
    name = f"{band} band" if len({entry.skymap for entry in tracts}) == 1 else band
    figures = []
    for column, draw, what in (
        ("variance_mean", draw_variance_against_inputs, "Mean variance"),
        ("depth", draw_depth_against_inputs, "Depth"),
    ):
        cells = {
            entry.tract: entry.cells
            for entry in tracts
            if entry.cells is not None
            and {column, "visit_count"} <= set(entry.cells.colnames)
            and known_values(entry.cells, column).size
        }
        if len(cells) > 1:
            figures.append(
                PageFigure(
                    name=f"{skymap}-{band}-{column.replace('_', '-')}",
                    png=png_of(draw(cells)),
                    alt=f"{what} of the cells against their number of visits, a panel a tract.",
                    caption=f"{what} of the cells, each once, against the number of visits that "
                    "they add up. The red line is what equal inputs would give.",
                )
            )
    curves = {entry.tract: entry.thresholds for entry in tracts if entry.thresholds}
    if len(curves) > 1:
        figures.append(
            PageFigure(
                name=f"{skymap}-{band}-thresholds",
                png=png_of(
                    draw_threshold_grid(
                        curves,
                        descriptions={entry.tract: _size_of(entry) for entry in tracts},
                        cell_width=tracts[0].outer_width,
                    )
                ),
                alt="Fraction of inputs that remain against the threshold, by tract and plane.",
                caption="Mean part of a cell's inputs whose masked fraction is below the "
                "threshold: a row a tract, a column a mask plane.",
            )
        )
    return PageSection(
        name=f"{skymap}-{band}", heading=f"Tracts side by side, {name}", figures=figures
    )


def _median(cells: Table | None, column: str) -> float | None:
    if cells is None or column not in cells.colnames:
        return None
    known = known_values(cells, column)
    return float(np.median(known)) if known.size else None


def _size_of(entry: TractSummary) -> str:
    cells = "" if entry.cells is None else f", {len(entry.cells):,} cells"
    return f"{entry.patches} patches{cells}"
