"""What the task that reports reads of a tract, without a repository."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from astropy.table import Table
from lsst.daf.butler import DataCoordinate, DatasetRef, DatasetType, DimensionUniverse
from lsst.pipe.base import DeferredDatasetRef, NoWorkFound, Struct

from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.report.tract_data import TractData
from cellcoadd.tasks import ReportCellsConfig, ReportCellsTask
from cellcoadd.testing.example_tables import example_cells, example_inputs, example_map
from cellcoadd.testing.images import make_coadd, make_warp, small_patch, small_tract

UNIVERSE = DimensionUniverse()
PATCHES = (16, 24, 17)


class Datasets:
    """Stands in for the middleware: gives what it has, and fails for all else."""

    def __init__(self) -> None:
        self.held: dict[DatasetRef, Any] = {}
        self.written: Any = None

    def hold(self, kind: str, value: Any, *, patch: int | None = None, run: str) -> DatasetRef:
        """Keep a dataset; None is one whose reading fails."""
        where: dict[str, Any] = {"skymap": "small", "tract": 0, "band": "i"}
        if patch is not None:
            where["patch"] = patch
        data_id = DataCoordinate.standardize(where, universe=UNIVERSE)
        ref = DatasetRef(
            DatasetType(kind, data_id.dimensions, "StructuredDataDict"), data_id, run=run
        )
        if value is not None:
            self.held[ref] = value
        return ref

    def get(self, wanted: Any) -> Any:
        if isinstance(wanted, list):
            return [self.get(ref) for ref in wanted]
        if isinstance(wanted, DeferredDatasetRef):
            return SimpleNamespace(get=lambda: self.held[wanted.datasetRef])
        return self.held[wanted]

    def put(self, made: Any, where: Any) -> None:
        self.written = made, where


@pytest.fixture(scope="module")
def coadd() -> MultipleCellCoadd:
    """Of patch 24."""
    return make_coadd(make_warp(small_patch(24)))


@pytest.fixture(scope="module")
def inputs() -> Table:
    """Of three patches."""
    return example_inputs(small_tract(), PATCHES)


def report(datasets: Datasets, cells: Table, inputs: Table, coadd: MultipleCellCoadd) -> Any:
    """Run the task on tables, the coadd of patch 24 and a map; return the data of its page."""
    tables: dict[int, Table] = {n: cells[cells["patch"] == n] for n in PATCHES}
    refs = SimpleNamespace(
        sky_map=datasets.hold("skyMap", {0: small_tract()}, run="skymaps"),
        cell_tables=[
            datasets.hold("deepCoaddCell_table", table, patch=n, run="u/new")
            for n, table in tables.items()
        ],
        input_tables=[
            datasets.hold(
                "deepCoaddCell_inputTable", inputs[inputs["patch"] == n], patch=n, run="u/new"
            )
            for n in PATCHES
        ],
        cell_coadds=[
            DeferredDatasetRef(
                datasets.hold("deepCoaddCell", coadd if n == 24 else None, patch=n, run="u/coadds")
            )
            for n in PATCHES
        ],
        depth_map=datasets.hold(
            "deepCoaddCell_depth_map",
            example_map(example_cells(inputs), "depth", nside=2**18, half_width_arcsec=2.0),
            run="u/new",
        ),
    )
    outputs = SimpleNamespace(report=datasets.hold("deepCoaddCell_report", None, run="u/pages"))
    kind: Any = ReportCellsConfig
    task: Any = ReportCellsTask(config=kind())
    task.run = lambda *, data: Struct(report=data)  # drawing takes seconds
    task.runQuantum(datasets, refs, outputs)
    made, where = datasets.written
    assert where is outputs
    return made.report


def test_of_the_coadds_only_that_with_the_most_cells_is_read(
    inputs: Table, coadd: MultipleCellCoadd
) -> None:
    """A tract can have 81 of them. Tables come in the order of the patches."""
    cells = example_cells(inputs)
    few = (cells["patch"] == 24) | (cells["cell_x"] == 2)
    data: TractData = report(Datasets(), cells[few], inputs, coadd)
    assert data.example is coadd
    assert list(data.maps) == ["depth"]
    assert list(data.outlines) == [16, 17, 24]
    assert data.cells is not None
    assert list(dict.fromkeys(data.cells["patch"])) == [16, 17, 24]
    assert len(data.cells) == few.sum()
    assert data.inputs is not None
    assert len(data.inputs) == len(inputs)


def test_runs_of_the_datasets_are_on_the_page(inputs: Table, coadd: MultipleCellCoadd) -> None:
    """The code looks into the run of the page first, then into those of what it shows."""
    cells = example_cells(inputs)
    cells = cells[(cells["patch"] == 24) | (cells["cell_x"] == 2)]
    made = report(Datasets(), cells, inputs, coadd).provenance
    assert ("deepCoaddCell", "tract 0, patch 24, band i", "u/coadds") in made.runs
    assert ("deepCoaddCell_depth_map", "tract 0, band i", "u/new") in made.runs
    assert len(made.runs) == 3 * len(PATCHES) + 1
    assert "from_config('REPO', collections=['u/pages', 'u/coadds', 'u/new'])" in made.code
    assert made.packages["cellcoadd"]
    (sentence,) = made.left_out
    assert "REPO --collection u/pages --collection u/coadds --collection u/new -o" in sentence


def test_a_tract_without_a_filled_cell_has_no_page(inputs: Table, coadd: MultipleCellCoadd) -> None:
    """Nothing to do is no failure."""
    with pytest.raises(NoWorkFound, match="No cell of tract 0 of small is filled"):
        report(Datasets(), example_cells(inputs)[:0], inputs, coadd)
