"""MapVisitsTask: under what the visits of a tract were taken, as HealSparse maps."""

from __future__ import annotations

__all__ = ["MapVisitsConfig", "MapVisitsConnections", "MapVisitsTask"]

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

from ..analysis.cell_pixels import PixelAssignment
from ..analysis.visit_maps import VisitMapSettings, map_visits
from ..analysis.visit_properties import DEFAULT_VISIT_MAPS, VISIT_PROPERTIES
from ..skymap import SkyMap, Tract
from ._map_config import MapConfig
from ._visit_map_connections import add_visit_maps

_DEFAULTS = VisitMapSettings()


class MapVisitsConnections(
    PipelineTaskConnections,
    dimensions=("tract", "band", "skymap"),
    defaultTemplates={"outputCoaddName": "deep", "outputCoaddSuffix": "Cell"},
):
    """What the task reads; it writes a map for each of the configuration's properties."""

    input_tables = connectionTypes.Input(
        doc="The tables of the inputs of the tract's patches.",
        name="{outputCoaddName}Coadd{outputCoaddSuffix}_inputTable",
        storageClass="ArrowAstropy",
        dimensions=("tract", "patch", "band", "skymap"),
        multiple=True,
        deferLoad=True,
    )
    sky_map = connectionTypes.Input(
        doc="The sky map.", name="skyMap", storageClass="CellSkyMap", dimensions=("skymap",)
    )

    def __init__(self, *, config: MapVisitsConfig | None = None) -> None:
        assert config is not None, "given by the middleware"
        add_visit_maps(self, config.connections, config.properties)


class MapVisitsConfig(PipelineTaskConfig, MapConfig, pipelineConnections=MapVisitsConnections):
    """Which maps are made, and how."""

    properties = ListField[str](
        doc="What is mapped, as the dataset types' names end: a property, _map_, and what is made "
        f"of it in each cell. Properties: {', '.join(VISIT_PROPERTIES)}. A mean has the weights of "
        "the cell; there are sums, over the visits, of exposure_time and n_exposure.",
        default=list(DEFAULT_VISIT_MAPS),
    )

    def validate(self) -> None:
        """Refuse bad values before any work begins."""
        super().validate()
        self.to_settings()

    def to_settings(self) -> VisitMapSettings:
        """Return the settings of the stage."""
        return VisitMapSettings(
            properties=tuple(self.properties),
            nside_sparse=self.nside_sparse,
            nside_coverage=self.nside_coverage,
            assignment=PixelAssignment(self.assignment),
        )


class MapVisitsTask(PipelineTask):
    """Map under what the visits of a tract were taken, weighted as its cells weight them."""

    ConfigClass = MapVisitsConfig
    _DefaultName = "mapVisits"

    config: MapVisitsConfig

    def runQuantum(
        self,
        butlerQC: QuantumContext,
        inputRefs: InputQuantizedConnection,
        outputRefs: OutputQuantizedConnection,
    ) -> None:
        """Read the tables one after the other, write the maps that there are."""
        data_id = butlerQC.quantum.dataId
        assert data_id is not None, "a quantum of this task has a data ID"
        sky_map: SkyMap = butlerQC.get(inputRefs.sky_map)
        tables = (butlerQC.get(ref).get() for ref in inputRefs.input_tables)
        made = self.run(tables=tables, tract=sky_map[int(data_id["tract"])])
        for name, found in made.getDict().items():
            butlerQC.put(found, getattr(outputRefs, name))

    def run(self, *, tables: Iterable[Table], tract: Tract) -> Struct:
        """Map visits.

        Parameters
        ----------
        tables
            The tables of inputs of the patches, in any order. They may be loaded one at a time.
        tract
            The tract.

        Returns
        -------
        struct
            A `healsparse.HealSparseMap` for each map that is asked for, by its name. A property
            that no input has has none; the log says so.

        Raises
        ------
        lsst.pipe.base.NoWorkFound
            If no cell has an input.
        """
        made = map_visits(tables, tract, settings=self.config.to_settings())
        if made is None:
            raise NoWorkFound(f"No cell of tract {tract.id} of {tract.skymap} is filled.")
        for why in made.missing.values():
            self.log.info("Tract %d: %s", tract.id, why)
        return Struct(**made.maps)
