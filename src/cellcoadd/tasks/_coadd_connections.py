"""What every task that makes something of a finished coadd reads: the coadd of a patch."""

from __future__ import annotations

__all__ = ["FinishedCoaddConnections"]

from lsst.pipe.base import PipelineTaskConnections, connectionTypes


class FinishedCoaddConnections(
    PipelineTaskConnections,
    dimensions=("tract", "patch", "band", "skymap"),
    defaultTemplates={"outputCoaddName": "deep", "outputCoaddSuffix": "Cell"},
):
    """Reads a coadd; subclasses add what is made of it, under names that begin with the coadd's."""

    cell_coadd = connectionTypes.Input(
        doc="The coadd with the outer regions of its cells.",
        name="{outputCoaddName}Coadd{outputCoaddSuffix}",
        storageClass="BorderedCellCoadd",
        dimensions=("tract", "patch", "band", "skymap"),
    )
