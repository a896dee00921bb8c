"""Connections of maps of visits, of which a configuration says which there are."""

from __future__ import annotations

__all__ = ["add_visit_maps"]

from collections.abc import Iterable
from typing import Any

from lsst.pipe.base import PipelineTaskConnections, connectionTypes

from ..analysis.visit_properties import VisitMap


def add_visit_maps(
    connections: PipelineTaskConnections,
    templates: Any,
    names: Iterable[str],
    *,
    are_optional_inputs: bool = False,
) -> None:
    """Add a connection for each map, by its name, such as ``epoch_map_mean``.

    Parameters
    ----------
    connections
        Those of a task that works on a tract, while they are made.
    templates
        The ``connections`` of its configuration; the middleware fills in only what a class states.
    names
        Of the maps.
    are_optional_inputs
        Whether they are read, as far as there are any; else they are written.
    """
    coadd = f"{templates.outputCoaddName}Coadd{templates.outputCoaddSuffix}"
    for name in names:
        stated: dict[str, Any] = {
            "doc": f"{VisitMap.named(name).meaning}.",
            "name": f"{coadd}_{name}",
            "storageClass": "HealSparseMap",
            "dimensions": ("tract", "band", "skymap"),
        }
        setattr(
            connections,
            name,
            connectionTypes.Input(**stated, minimum=0)
            if are_optional_inputs
            else connectionTypes.Output(**stated),
        )
