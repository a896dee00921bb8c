"""StitchCellCoaddTask: the inner regions of a cell-based coadd as one image."""

from __future__ import annotations

__all__ = ["StitchCellCoaddConfig", "StitchCellCoaddConnections", "StitchCellCoaddTask"]

from lsst.pipe.base import (
    PipelineTask,
    PipelineTaskConfig,
    Struct,
    connectionTypes,
)

from ..products.cell_coadd import MultipleCellCoadd
from ._coadd_connections import FinishedCoaddConnections


class StitchCellCoaddConnections(FinishedCoaddConnections):
    """What the task reads and writes."""

    stitched = connectionTypes.Output(
        doc="Its inner regions as one image.",
        name="{outputCoaddName}Coadd{outputCoaddSuffix}_stitched",
        storageClass="CellCoadd",
        dimensions=("tract", "patch", "band", "skymap"),
    )


class StitchCellCoaddConfig(PipelineTaskConfig, pipelineConnections=StitchCellCoaddConnections):
    """There is nothing to choose."""


class StitchCellCoaddTask(PipelineTask):
    """Put the inner regions of a cell-based coadd together."""

    ConfigClass = StitchCellCoaddConfig
    _DefaultName = "stitchCellCoadd"

    def run(self, *, cell_coadd: MultipleCellCoadd) -> Struct:
        """Return the coadd as ``stitched``, an `lsst.images.cells.CellCoadd`."""
        return Struct(stitched=cell_coadd.stitch())
