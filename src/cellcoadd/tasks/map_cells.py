"""MapCellsTask: what was measured of the cells of a tract, as HealSparse maps."""

from __future__ import annotations

__all__ = ["MapCellsConfig", "MapCellsConnections", "MapCellsTask"]

from collections.abc import Iterable

from astropy.table import Table
from lsst.pex.config import ListField
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

from ..analysis.cell_maps import CellMapSettings, map_cells
from ..analysis.cell_pixels import PixelAssignment
from ..analysis.map_quantities import MAP_QUANTITIES
from ..skymap import SkyMap, Tract
from ._map_config import MapConfig

_DEFAULTS = CellMapSettings()
_TRACT_DIMENSIONS = ("tract", "band", "skymap")


def _map_of(quantity: str) -> connectionTypes.Output:
    return connectionTypes.Output(
        doc=f"{MAP_QUANTITIES[quantity].meaning}.",
        name=f"{{outputCoaddName}}Coadd{{outputCoaddSuffix}}_{quantity}_map",
        storageClass="HealSparseMap",
        dimensions=_TRACT_DIMENSIONS,
    )


class MapCellsConnections(
    PipelineTaskConnections,
    dimensions=_TRACT_DIMENSIONS,
    defaultTemplates={"outputCoaddName": "deep", "outputCoaddSuffix": "Cell"},
):
    """What the task reads and writes."""

    cell_tables = connectionTypes.Input(
        doc="The tables of the cells of the tract's patches.",
        name="{outputCoaddName}Coadd{outputCoaddSuffix}_table",
        storageClass="ArrowAstropy",
        dimensions=("tract", "patch", "band", "skymap"),
        multiple=True,
        deferLoad=True,
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

    def __init__(self, *, config: MapCellsConfig | None = None) -> None:
        assert config is not None, "given by the middleware"
        for quantity in MAP_QUANTITIES:
            if quantity not in config.quantities:
                delattr(self, f"{quantity}_map")


class MapCellsConfig(PipelineTaskConfig, MapConfig, pipelineConnections=MapCellsConnections):
    """Which maps are made, and how."""

    quantities = ListField[str](
        doc=f"What is mapped, out of {', '.join(MAP_QUANTITIES)}.",
        default=list(_DEFAULTS.quantities),
    )

    def validate(self) -> None:
        """Refuse bad values before any work begins."""
        super().validate()
        self.to_settings()

    def to_settings(self) -> CellMapSettings:
        """Return the settings of the stage."""
        return CellMapSettings(
            quantities=tuple(self.quantities),
            nside_sparse=self.nside_sparse,
            nside_coverage=self.nside_coverage,
            assignment=PixelAssignment(self.assignment),
        )


class MapCellsTask(PipelineTask):
    """Map what was measured of the cells of a tract."""

    ConfigClass = MapCellsConfig
    _DefaultName = "mapCells"

    config: MapCellsConfig

    def runQuantum(
        self,
        butlerQC: QuantumContext,
        inputRefs: InputQuantizedConnection,
        outputRefs: OutputQuantizedConnection,
    ) -> None:
        """Read the tables one after the other, write the maps."""
        data_id = butlerQC.quantum.dataId
        assert data_id is not None, "a quantum of this task has a data ID"
        sky_map: SkyMap = butlerQC.get(inputRefs.sky_map)
        tables = (butlerQC.get(ref).get() for ref in inputRefs.cell_tables)
        butlerQC.put(self.run(tables=tables, tract=sky_map[int(data_id["tract"])]), outputRefs)

    def run(self, *, tables: Iterable[Table], tract: Tract) -> Struct:
        """Map cells.

        Parameters
        ----------
        tables
            The tables of the patches, in any order. They may be loaded one at a time.
        tract
            The tract.

        Returns
        -------
        struct
            A `healsparse.HealSparseMap` for each quantity that is switched on, ``inputs_map`` and
            so on.

        Raises
        ------
        lsst.pipe.base.NoWorkFound
            If the tables have no cell.
        """
        maps = map_cells(tables, tract, settings=self.config.to_settings())
        if maps is None:
            raise NoWorkFound(f"No cell of tract {tract.id} of {tract.skymap} is filled.")
        for name, made in maps.items():
            if made.metadata["NCELLS"] == 0:
                self.log.warning(
                    "The map of %s is empty: no cell of tract %d has it.", name, tract.id
                )
        return Struct(**{f"{name}_map": made for name, made in maps.items()})
