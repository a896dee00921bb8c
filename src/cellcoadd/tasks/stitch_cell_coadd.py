"""StitchCellCoaddTask: the inner regions of a cell-based coadd as one image."""

from __future__ import annotations

__all__ = ["StitchCellCoaddConfig", "StitchCellCoaddConnections", "StitchCellCoaddTask"]

import dataclasses

from lsst.pipe.base import (
    InputQuantizedConnection,
    OutputQuantizedConnection,
    PipelineTask,
    PipelineTaskConfig,
    QuantumContext,
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

    def runQuantum(
        self,
        butlerQC: QuantumContext,
        inputRefs: InputQuantizedConnection,
        outputRefs: OutputQuantizedConnection,
    ) -> None:
        """Read the coadd, stitch it, and write that when the coadd is no longer in memory."""
        outputs = self.run(cell_coadd=_packed(butlerQC.get(inputRefs.cell_coadd)))
        butlerQC.put(outputs, outputRefs)

    def run(self, *, cell_coadd: MultipleCellCoadd) -> Struct:
        """Return the coadd as ``stitched``, an `lsst.images.cells.CellCoadd`."""
        return Struct(stitched=cell_coadd.stitch())


def _packed(coadd: MultipleCellCoadd) -> MultipleCellCoadd:
    """Return the coadd with its masked fractions packed: they are more than half of its pixels."""
    stack = coadd.stack
    return MultipleCellCoadd(
        identifiers=coadd.identifiers,
        band=coadd.band,
        patch=coadd.patch,
        cell_border=coadd.grid.border,
        sky_projection=coadd.sky_projection,
        stack=dataclasses.replace(stack, mask_fractions=stack.packed_fractions()),
        inputs=coadd.inputs,
        contributions=coadd.contributions,
        unit=coadd.unit,
    )
