"""What went into the cells of a file: CELL, VISIT and VISIT_SUMMARY as our inputs and rows."""

from __future__ import annotations

__all__ = ["read_inputs"]

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
from lsst.images import Box, Polygon

from ...cell_grid import BorderedCellGrid, Index2D
from ...products.cell_coadd.inputs import CoaddInput, RefusalReason, contribution_dtype
from ...products.identifiers import ObservationIdentifiers
from .names import CELL, CELLS, INPUT_COLUMNS, VISIT, VISIT_SUMMARY
from .tables import Tables

type _Detector = tuple[int, int]
"""Visit and detector."""


@dataclasses.dataclass(frozen=True)
class _Visit:
    physical_filter: str
    day_obs: int


@dataclasses.dataclass(frozen=True)
class _Summary:
    """A row of VISIT_SUMMARY: where a detector is, and of which visit if the row says so."""

    footprint: Polygon
    visit: _Visit | None


def read_inputs(
    tables: Tables, *, grid: BorderedCellGrid, filled: Collection[Index2D]
) -> tuple[list[CoaddInput], npt.NDArray[np.void]]:
    """Read the detectors that reach the patch and what they gave to the cells.

    Parameters
    ----------
    tables
        The file.
    grid
        The cells of the patch.
    filled
        The cells that have a row; what CELL says of others is left out.

    Returns
    -------
    inputs
        Sorted. A detector that went into no cell is left out if its filter and night are nowhere.
    contributions
        By cell, then by input; all of them accepted. See `inputs.contribution_dtype`.

    Raises
    ------
    UnusableInputError
        If something is missing, or a cell adds up a visit that is not described.
    """
    columns = {
        name: tables.column(CELL, name, dtype=np.int64)
        for name in ("cell_x", "cell_y", "visit", "detector")
    }
    cells = [Index2D(x=int(x), y=int(y)) for x, y in zip(columns["cell_x"], columns["cell_y"],
                                                         strict=True)]  # fmt: skip
    kept = [row for row, index in enumerate(cells) if index in filled]
    detectors = [(int(columns["visit"][row]), int(columns["detector"][row])) for row in kept]
    uses: dict[_Detector, list[Index2D]] = {}
    for row, detector in zip(kept, detectors, strict=True):
        uses.setdefault(detector, []).append(cells[row])
    inputs = _make_inputs(tables, uses, grid)
    number = {
        (entry.observation.visit, entry.observation.detector): n for n, entry in enumerate(inputs)
    }
    table = np.zeros(len(kept), contribution_dtype())
    for name in table.dtype.names or ():
        if table.dtype[name] == np.float64:
            table[name] = np.nan
    table["cell_x"], table["cell_y"] = columns["cell_x"][kept], columns["cell_y"][kept]
    table["input"] = [number[detector] for detector in detectors]
    table["reason"] = RefusalReason.ACCEPTED
    # Only what covers a cell's centre is ever taken; a shape that is not there is not a good one.
    table["overlaps_center"], table["psf_shape_flag"] = True, True
    if set(INPUT_COLUMNS) & set(tables.columns(CELL)):
        for theirs, ours in INPUT_COLUMNS.items():
            table[ours] = tables.column(CELL, theirs, dtype=table.dtype[ours])[kept]
    order = np.lexsort((table["input"], table["cell_x"], table["cell_y"]))
    return inputs, table[order]


def _make_inputs(
    tables: Tables, uses: dict[_Detector, list[Index2D]], grid: BorderedCellGrid
) -> list[CoaddInput]:
    visits = _read_visits(tables)
    summaries = _read_summaries(tables) if VISIT_SUMMARY in tables else {}
    instrument = tables.card(CELLS, "INSTRUME", str)
    band = tables.card(CELLS, "FILTER", str)
    inputs = []
    for detector in sorted(set(uses) | set(summaries)):
        summary = summaries.get(detector)
        visit = visits.get(detector[0]) or (summary.visit if summary else None)
        if visit is None:
            if detector not in uses:
                continue
            raise tables.refused(
                f"HDU {VISIT} lacks visit {detector[0]}, which a row of HDU {CELL} names."
            )
        inputs.append(
            CoaddInput(
                observation=ObservationIdentifiers(
                    instrument=instrument,
                    visit=detector[0],
                    detector=detector[1],
                    physical_filter=visit.physical_filter,
                    band=band,
                    day_obs=visit.day_obs,
                ),
                footprint=summary.footprint if summary else _box_around(uses[detector], grid),
                mean_variance_njy2=None,
            )
        )
    return inputs


def _read_visits(tables: Tables) -> dict[int, _Visit]:
    numbers = tables.column(VISIT, "visit", dtype=np.int64)
    return dict(zip(map(int, numbers), _read_descriptions(tables, VISIT), strict=True))


def _read_descriptions(tables: Tables, table: str) -> list[_Visit]:
    filters = tables.column(table, "physical_filter")
    nights = tables.column(table, "day_obs", dtype=np.int64)
    return [_Visit(str(name).strip(), int(night)) for name, night in zip(filters, nights,
                                                                         strict=True)]  # fmt: skip


def _read_summaries(tables: Tables) -> dict[_Detector, _Summary]:
    visits = tables.column(VISIT_SUMMARY, "visit", dtype=np.int64)
    detectors = tables.column(VISIT_SUMMARY, "detector", dtype=np.int64)
    columns = tables.columns(VISIT_SUMMARY)
    vertices = tables.column(VISIT_SUMMARY, "polygon_vertices", dtype=float, shape=None)
    if vertices.ndim != 3 or vertices.shape[2] != 2:
        raise tables.refused(
            f"HDU {VISIT_SUMMARY}: a row of polygon_vertices must hold pairs of x and y, "
            f"its shape is {vertices.shape[1:]}."
        )
    counts: Sequence[int | None] = [None] * len(visits)
    if "num_vertices" in columns:
        counts = tables.column(VISIT_SUMMARY, "num_vertices").tolist()
    described: Sequence[_Visit | None] = [None] * len(visits)
    if "day_obs" in columns:
        described = _read_descriptions(tables, VISIT_SUMMARY)
    result = {}
    for visit, detector, outline, count, description in zip(
        visits, detectors, vertices, counts, described, strict=True
    ):
        key = int(visit), int(detector)
        corners = _corners(outline, count)
        if len(corners) < 3 or not np.isfinite(corners).all():
            raise tables.refused(
                f"HDU {VISIT_SUMMARY}: polygon_vertices of visit {visit} detector {detector} are "
                "no polygon."
            )
        polygon = Polygon(x_vertices=corners[:, 0], y_vertices=corners[:, 1])
        result[key] = _Summary(polygon, description)
    return result


def _corners(outline: npt.NDArray[np.float64], count: int | None) -> npt.NDArray[np.float64]:
    """Return the corners of an outline, each once.

    Outlines end with their first corner, and the rest of the row repeats them from the beginning.
    ``count`` includes the last; where it is not given, the first repetition is the end, and an
    outline that does not reach it was cut off.
    """
    end = len(outline) if count is None else count
    again = np.flatnonzero((outline[1:end] == outline[0]).all(axis=1))
    return outline[: again[0] + 1] if len(again) else outline[:end]


def _box_around(cells: Sequence[Index2D], grid: BorderedCellGrid) -> Polygon:
    """Return the box around the inner regions of some cells."""
    boxes = [grid.inner_bbox_of(index) for index in cells]
    y = slice(min(box.y.start for box in boxes), max(box.y.stop for box in boxes))
    x = slice(min(box.x.start for box in boxes), max(box.x.stop for box in boxes))
    return Polygon.from_box(Box.factory[y, x])
