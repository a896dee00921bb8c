"""The stages joined to the Butler: one PipelineTask a file. They translate, call, translate.

A task and its configuration are loaded when they are asked for: a process that warps needs neither
matplotlib nor what the other tasks are made of.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import _storage_classes as _storage_classes
from ._log_filters import install_log_filters

if TYPE_CHECKING:
    from .assemble_cell_coadd import AssembleCellCoaddConfig as AssembleCellCoaddConfig
    from .assemble_cell_coadd import AssembleCellCoaddTask as AssembleCellCoaddTask
    from .find_artifacts import FindArtifactsConfig as FindArtifactsConfig
    from .find_artifacts import FindArtifactsTask as FindArtifactsTask
    from .make_direct_warp import MakeDirectWarpConfig as MakeDirectWarpConfig
    from .make_direct_warp import MakeDirectWarpTask as MakeDirectWarpTask
    from .map_cells import MapCellsConfig as MapCellsConfig
    from .map_cells import MapCellsTask as MapCellsTask
    from .map_visits import MapVisitsConfig as MapVisitsConfig
    from .map_visits import MapVisitsTask as MapVisitsTask
    from .report_cells import ReportCellsConfig as ReportCellsConfig
    from .report_cells import ReportCellsTask as ReportCellsTask
    from .stitch_cell_coadd import StitchCellCoaddConfig as StitchCellCoaddConfig
    from .stitch_cell_coadd import StitchCellCoaddTask as StitchCellCoaddTask
    from .tabulate_cells import TabulateCellsConfig as TabulateCellsConfig
    from .tabulate_cells import TabulateCellsTask as TabulateCellsTask

_MODULE_OF = {
    "AssembleCellCoaddConfig": "assemble_cell_coadd",
    "AssembleCellCoaddTask": "assemble_cell_coadd",
    "FindArtifactsConfig": "find_artifacts",
    "FindArtifactsTask": "find_artifacts",
    "MakeDirectWarpConfig": "make_direct_warp",
    "MakeDirectWarpTask": "make_direct_warp",
    "MapCellsConfig": "map_cells",
    "MapCellsTask": "map_cells",
    "MapVisitsConfig": "map_visits",
    "MapVisitsTask": "map_visits",
    "ReportCellsConfig": "report_cells",
    "ReportCellsTask": "report_cells",
    "StitchCellCoaddConfig": "stitch_cell_coadd",
    "StitchCellCoaddTask": "stitch_cell_coadd",
    "TabulateCellsConfig": "tabulate_cells",
    "TabulateCellsTask": "tabulate_cells",
}

__all__ = [*_MODULE_OF]

install_log_filters()


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
