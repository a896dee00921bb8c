"""TabulateCellsTask: what is measured of the cells of a coadd, and what went into each of them."""

from __future__ import annotations

__all__ = ["TabulateCellsConfig", "TabulateCellsConnections", "TabulateCellsTask"]

from lsst.pipe.base import (
    PipelineTask,
    PipelineTaskConfig,
    Struct,
    connectionTypes,
)

from ..analysis.cell_table import tabulate_cells
from ..analysis.input_table import tabulate_inputs
from ..products.cell_coadd import MultipleCellCoadd
from ._coadd_connections import FinishedCoaddConnections


class TabulateCellsConnections(FinishedCoaddConnections):
    """What the task reads and writes."""

    cell_table = connectionTypes.Output(
        doc="One row a filled cell; the columns are those of `CELL_COLUMNS`.",
        name="{outputCoaddName}Coadd{outputCoaddSuffix}_table",
        storageClass="ArrowAstropy",
        dimensions=("tract", "patch", "band", "skymap"),
    )
    input_table = connectionTypes.Output(
        doc="One row a (cell, visit, detector) that touch, refused ones with the reason; the "
        "columns are those of `INPUT_COLUMNS`.",
        name="{outputCoaddName}Coadd{outputCoaddSuffix}_inputTable",
        storageClass="ArrowAstropy",
        dimensions=("tract", "patch", "band", "skymap"),
    )


class TabulateCellsConfig(PipelineTaskConfig, pipelineConnections=TabulateCellsConnections):
    """There is nothing to choose."""


class TabulateCellsTask(PipelineTask):
    """Measure the cells of a coadd, and list their inputs."""

    ConfigClass = TabulateCellsConfig
    _DefaultName = "tabulateCells"

    def run(self, *, cell_coadd: MultipleCellCoadd) -> Struct:
        """Return ``cell_table`` and ``input_table``, each an `astropy.table.Table`."""
        return Struct(
            cell_table=tabulate_cells(cell_coadd), input_table=tabulate_inputs(cell_coadd)
        )
