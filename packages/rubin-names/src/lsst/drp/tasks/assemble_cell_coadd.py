"""AssembleCellCoaddTask of cellcoadd where the Rubin pipelines have theirs."""

from cellcoadd_rubin_names import refuse_beside_rubin

refuse_beside_rubin(__name__)

from cellcoadd.tasks.assemble_cell_coadd import (  # noqa: E402
    AssembleCellCoaddConfig,
    AssembleCellCoaddTask,
)

__all__ = ["AssembleCellCoaddConfig", "AssembleCellCoaddTask"]
