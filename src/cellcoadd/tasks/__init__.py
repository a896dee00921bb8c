"""The stages joined to the Butler: one PipelineTask a file. They translate, call, translate."""

from __future__ import annotations

__all__ = [
    "AssembleCellCoaddConfig",
    "AssembleCellCoaddTask",
    "MakeDirectWarpConfig",
    "MakeDirectWarpTask",
    "MapCellsConfig",
    "MapCellsTask",
    "ReportCellsConfig",
    "ReportCellsTask",
    "StitchCellCoaddConfig",
    "StitchCellCoaddTask",
    "TabulateCellsConfig",
    "TabulateCellsTask",
]

from ._log_filters import install_log_filters
from .assemble_cell_coadd import AssembleCellCoaddConfig, AssembleCellCoaddTask
from .make_direct_warp import MakeDirectWarpConfig, MakeDirectWarpTask
from .map_cells import MapCellsConfig, MapCellsTask
from .report_cells import ReportCellsConfig, ReportCellsTask
from .stitch_cell_coadd import StitchCellCoaddConfig, StitchCellCoaddTask
from .tabulate_cells import TabulateCellsConfig, TabulateCellsTask

install_log_filters()
