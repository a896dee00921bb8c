"""Datasets of maps: those that are made are those that the report asks for."""

from __future__ import annotations

from typing import Any

from lsst.pipe.base import PipelineGraph

from cellcoadd.analysis.map_quantities import MAP_QUANTITIES
from cellcoadd.analysis.visit_properties import DEFAULT_VISIT_MAPS
from cellcoadd.tasks import (
    MapCellsConfig,
    MapCellsTask,
    MapVisitsConfig,
    MapVisitsTask,
    ReportCellsConfig,
    ReportCellsTask,
)


def make(kind: type[Any]) -> Any:
    """A configuration; pex_config has no types for its parts."""
    return kind()


def test_every_quantity_has_its_dataset() -> None:
    """Those that can be mapped, those that are mapped, and those that are reported are the same."""
    graph = PipelineGraph()
    graph.add_task("mapCells", MapCellsTask, make(MapCellsConfig))
    graph.add_task("reportCells", ReportCellsTask, make(ReportCellsConfig))
    mapped = graph.tasks["mapCells"].outputs.values()
    reported = graph.tasks["reportCells"].inputs.values()
    names = {f"deepCoaddCell_{name}_map" for name in MAP_QUANTITIES}
    assert {edge.parent_dataset_type_name for edge in mapped} == names
    assert {
        edge.parent_dataset_type_name
        for edge in reported
        if edge.parent_dataset_type_name.endswith("_map")
    } == names


def test_every_property_of_visits_has_its_dataset() -> None:
    """Those that are made by default are on the report, whatever the coadd is called."""
    config = make(MapVisitsConfig)
    report = make(ReportCellsConfig)
    for each in (config, report):
        each.connections.outputCoaddName = "good"
    graph = PipelineGraph()
    graph.add_task("mapVisits", MapVisitsTask, config)
    graph.add_task("reportCells", ReportCellsTask, report)
    mapped = graph.tasks["mapVisits"].outputs.values()
    names = {f"goodCoaddCell_{name}" for name in DEFAULT_VISIT_MAPS}
    assert {edge.parent_dataset_type_name for edge in mapped} == names
    read = {edge.parent_dataset_type_name for edge in graph.tasks["reportCells"].inputs.values()}
    assert names <= read
