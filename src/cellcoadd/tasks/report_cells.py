"""ReportCellsTask: the page on a tract in a band, from its tables, maps and one of its coadds."""

from __future__ import annotations

__all__ = ["ReportCellsConfig", "ReportCellsConnections", "ReportCellsTask"]

import importlib.metadata
from collections.abc import Iterable, Sequence
from typing import Any

from lsst.daf.butler import DatasetRef
from lsst.pipe.base import (
    InputQuantizedConnection,
    NoWorkFound,
    OutputQuantizedConnection,
    PipelineTask,
    PipelineTaskConfig,
    PipelineTaskConnections,
    QuantumContext,
    Struct,
    connectionTypes,
)

from ..analysis.map_quantities import MAP_QUANTITIES
from ..analysis.visit_properties import DEFAULT_VISIT_MAPS
from ..report.page import render_page
from ..report.tract_data import Provenance, TractData
from ..report.tract_page import make_tract_page
from ..skymap import SkyMap
from ..tract_report.code_to_get import NamedDataset, code_to_get
from ..tract_report.gather import fullest_first, gather_tract_data, stack_tables
from ._visit_map_connections import add_visit_maps

_COADD = "{outputCoaddName}Coadd{outputCoaddSuffix}"
_TRACT_DIMENSIONS = ("tract", "band", "skymap")
_PATCH_DIMENSIONS = ("tract", "patch", "band", "skymap")


def _map_of(quantity: str) -> connectionTypes.Input:
    return connectionTypes.Input(
        doc=f"{MAP_QUANTITIES[quantity].meaning}, if there is this map.",
        name=f"{_COADD}_{quantity}_map",
        storageClass="HealSparseMap",
        dimensions=_TRACT_DIMENSIONS,
        minimum=0,
    )


class ReportCellsConnections(
    PipelineTaskConnections,
    dimensions=_TRACT_DIMENSIONS,
    defaultTemplates={"outputCoaddName": "deep", "outputCoaddSuffix": "Cell"},
):
    """What the task reads and writes. Only tables of cells are needed."""

    cell_tables = connectionTypes.Input(
        doc="The tables of the cells of the tract's patches.",
        name=f"{_COADD}_table",
        storageClass="ArrowAstropy",
        dimensions=_PATCH_DIMENSIONS,
        multiple=True,
    )
    input_tables = connectionTypes.Input(
        doc="The tables of their inputs.",
        name=f"{_COADD}_inputTable",
        storageClass="ArrowAstropy",
        dimensions=_PATCH_DIMENSIONS,
        multiple=True,
        minimum=0,
    )
    cell_coadds = connectionTypes.Input(
        doc="The coadds of the patches; that with the most filled cells is shown.",
        name=_COADD,
        storageClass="BorderedCellCoadd",
        dimensions=_PATCH_DIMENSIONS,
        multiple=True,
        deferLoad=True,
        minimum=0,
    )
    sky_map = connectionTypes.Input(
        doc="The sky map.", name="skyMap", storageClass="CellSkyMap", dimensions=("skymap",)
    )
    inputs_map = _map_of("inputs")
    variance_map = _map_of("variance")
    depth_map = _map_of("depth")
    psf_fwhm_map = _map_of("psf_fwhm")
    psf_ellipticity_map = _map_of("psf_ellipticity")
    psf_fidelity_map = _map_of("psf_fidelity")
    psf_size_spread_map = _map_of("psf_size_spread")
    psf_size_change_map = _map_of("psf_size_change")
    masked_fraction_map = _map_of("masked_fraction")
    input_fraction_005_map = _map_of("input_fraction_005")
    input_fraction_010_map = _map_of("input_fraction_010")
    report = connectionTypes.Output(
        doc="The page as HTML that needs no other file and no network.",
        name=f"{_COADD}_report",
        storageClass="CellReport",
        dimensions=_TRACT_DIMENSIONS,
    )

    def __init__(self, *, config: ReportCellsConfig | None = None) -> None:
        assert config is not None, "given by the middleware"
        add_visit_maps(self, config.connections, DEFAULT_VISIT_MAPS, are_optional_inputs=True)


class ReportCellsConfig(PipelineTaskConfig, pipelineConnections=ReportCellsConnections):
    """There is nothing to choose."""


class ReportCellsTask(PipelineTask):
    """Write the page of a tract in a band."""

    ConfigClass = ReportCellsConfig
    _DefaultName = "reportCells"

    config: ReportCellsConfig

    def runQuantum(
        self,
        butlerQC: QuantumContext,
        inputRefs: InputQuantizedConnection,
        outputRefs: OutputQuantizedConnection,
    ) -> None:
        """Read what there is, and one of the coadds; write the page."""
        for name in ("cell_tables", "input_tables", "cell_coadds"):
            # The middleware promises no order; the page has one.
            getattr(inputRefs, name).sort(key=lambda ref: int(ref.dataId["patch"]))
        data_id = inputRefs.cell_tables[0].dataId
        sky_map: SkyMap = butlerQC.get(inputRefs.sky_map)
        tract = sky_map[int(data_id["tract"])]
        cells = stack_tables(butlerQC.get(inputRefs.cell_tables), tract)
        if cells is None:
            raise NoWorkFound(f"No cell of tract {tract.id} of {tract.skymap} is filled.")
        coadds = {int(ref.dataId["patch"]): ref for ref in inputRefs.cell_coadds}
        shown = fullest_first(coadds, cells)[:1]
        connections = {quantity: f"{quantity}_map" for quantity in MAP_QUANTITIES}
        connections |= {name: name for name in DEFAULT_VISIT_MAPS}
        maps = {
            quantity: ref
            for quantity, name in connections.items()
            if (ref := getattr(inputRefs, name, None)) is not None
        }
        data = gather_tract_data(
            tract,
            str(data_id["band"]),
            provenance=self._provenance(
                [
                    *(ref.datasetRef for ref in inputRefs.cell_coadds),
                    *inputRefs.cell_tables,
                    *inputRefs.input_tables,
                    *maps.values(),
                ],
                outputRefs.report,
            ),
            cells=cells,
            inputs=stack_tables(butlerQC.get(inputRefs.input_tables), tract),
            maps={quantity: butlerQC.get(ref) for quantity, ref in maps.items()},
            coadded=coadds,
            example=next((butlerQC.get(coadds[patch]).get() for patch in shown), None),
            coadd_name=self._coadd_name,
        )
        butlerQC.put(self.run(data=data), outputRefs)

    def run(self, *, data: TractData) -> Struct:
        """Return the page as ``report``, the text of an HTML file."""
        return Struct(report=render_page(make_tract_page(data)))

    @property
    def _coadd_name(self) -> str:
        connections: Any = self.config.connections
        return _COADD.format(
            outputCoaddName=connections.outputCoaddName,
            outputCoaddSuffix=connections.outputCoaddSuffix,
        )

    def _provenance(self, refs: Sequence[DatasetRef], page: DatasetRef) -> Provenance:
        """Return what a task knows: it sees datasets and their runs, and no repository."""
        named = [NamedDataset.of(ref.datasetType.name, ref.dataId.mapping) for ref in refs]
        runs = list(dict.fromkeys([page.run, *(ref.run for ref in refs)]))
        searched = " ".join(f"--collection {run}" for run in runs)
        return Provenance(
            packages=dict(sorted(_installed())),
            packages_of="the process that made this page",
            runs=[
                (dataset.kind, dataset.title, ref.run)
                for dataset, ref in zip(named, refs, strict=True)
            ],
            code=code_to_get(
                named,
                repository="REPO",
                collections=runs,
                data_id={key: page.dataId[key] for key in ("skymap", "tract", "band")},
                coadd_name=self._coadd_name,
            ),
            left_out=[
                "Left out: settings of the tasks that ran before, files, and the variance of the "
                f"warps. 'cellcoadd report REPO {searched} -o FOLDER' writes a page with them."
            ],
        )


def _installed() -> Iterable[tuple[str, str]]:
    """Names and versions of the installed distributions."""
    return ((found.name, found.version) for found in importlib.metadata.distributions())
