"""A repository that knows a tract full of images and has none: what planning needs of it.

Rows of visits, the regions of their detectors and datasets without files, as ingest registers them.
"""

from __future__ import annotations

__all__ = ["measure_plan", "tract_repository"]

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from lsst.daf.butler import Butler, DatasetType
from lsst.pipe.base.quantum_graph import PredictedQuantumGraph
from standard import Result, run
from standard_survey import BAND, SKYMAP, TRACT, standard_plan

from cellcoadd.butler.instruments import ONE_TO_ONE, ONE_TO_ONE_NAME, instrument_record
from cellcoadd.butler.regions import detector_region, hull
from cellcoadd.butler.register_skymap import register_skymap
from cellcoadd.butler.repository import make_repository
from cellcoadd.simulate.camera import Camera
from cellcoadd.simulate.pointing import DetectorPointing
from cellcoadd.skymap import named_sky_map

_PIPELINE = "resource://cellcoadd/pipelines/full.yaml"
_FILTER, _NIGHT, _FIRST_VISIT = "HSC-I", 20240827, 1
_SPREAD = 0.45  # degrees from the tract's centre, in both directions


@contextlib.contextmanager
def tract_repository(folder: Path, *, visits: int, columns: int, rows: int) -> Iterator[Path]:
    """A repository with the rows of visits of some detectors each, scattered over a tract."""
    camera = Camera(columns=columns, rows=rows, width=2048, height=4176, gap_x=72, gap_y=315)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        repository = Path(scratch) / "repo"
        with make_repository(repository) as butler:
            register_skymap(butler, named_sky_map(SKYMAP), tracts=[TRACT])
            with butler.transaction():
                _register_camera(butler, camera)
                data_ids = list(_register_visits(butler, camera, visits))
            kind = DatasetType(
                "calexp",
                ("instrument", "visit", "detector"),
                "VisitImage",
                universe=butler.dimensions,
            )
            butler.registry.registerDatasetType(kind)
            butler.collections.register("calibrated")
            butler.registry.insertDatasets(kind, data_ids, run="calibrated")
        yield repository


def _register_camera(butler: Butler, camera: Camera) -> None:
    name = camera.instrument
    insert = butler.registry.insertDimensionData
    insert("instrument", instrument_record(name))
    insert("visit_system", {"instrument": name, "id": ONE_TO_ONE, "name": ONE_TO_ONE_NAME})
    insert("physical_filter", {"instrument": name, "name": _FILTER, "band": BAND})
    insert("day_obs", {"instrument": name, "id": _NIGHT})
    insert(
        "detector",
        *(
            {
                "instrument": name,
                "id": number,
                "full_name": camera.name_of(number),
                "purpose": "SCIENCE",
            }
            for number in camera.detectors
        ),
    )


def _register_visits(butler: Butler, camera: Camera, visits: int) -> Iterator[dict[str, Any]]:
    """Insert visits and the regions of their detectors; yield the data IDs of these."""
    plan = standard_plan(1)
    rng = np.random.default_rng(121)
    for visit in range(_FIRST_VISIT, _FIRST_VISIT + visits):
        visit_id = {"instrument": camera.instrument, "visit": visit}
        east, north = rng.uniform(-_SPREAD, _SPREAD, 2)
        rotation = float(rng.uniform(0.0, 360.0))
        regions = {}
        for detector in camera.detectors:
            pointing = DetectorPointing(
                camera=camera,
                detector=detector,
                ra=plan.ra + float(east),
                dec=plan.dec + float(north),
                rotation=rotation,
            )
            projection = pointing.sky_projection(visit=visit)
            regions[detector] = detector_region(projection, camera.bbox)
        butler.registry.insertDimensionData(
            "visit",
            {
                "instrument": camera.instrument,
                "id": visit,
                "name": str(visit),
                "physical_filter": _FILTER,
                "day_obs": _NIGHT,
                "region": hull(regions.values()),
            },
        )
        butler.registry.insertDimensionData(
            "visit_system_membership", visit_id | {"visit_system": ONE_TO_ONE}
        )
        butler.registry.insertDimensionData(
            "visit_detector_region",
            *(
                visit_id | {"detector": detector, "region": region}
                for detector, region in regions.items()
            ),
        )
        for detector in camera.detectors:
            yield visit_id | {"detector": detector}


def measure_plan(repository: Path, visits: int) -> Result:
    """Plan the whole tract for the first visits, as ``pipetask qgraph`` does."""
    graph = repository / f"{visits}.qg"
    where = f"skymap='{SKYMAP}' AND tract={TRACT} AND band='{BAND}'"
    last = _FIRST_VISIT + visits - 1
    arguments = ["--log-level", "WARNING", "qgraph", "-b", str(repository)]
    arguments += ["-i", "calibrated,skymaps", "-o", "coadds", "-p", _PIPELINE]
    arguments += ["-d", f"{where} AND instrument='HSC' AND visit IN (1..{last})"]
    arguments += ["--save-qgraph", str(graph)]
    used = run([str(Path(sys.executable).parent / "pipetask"), *arguments])
    with PredictedQuantumGraph.open(graph) as reader:
        quanta = reader.header.n_task_quanta
    return {
        "visits": visits,
        **used,
        "quanta": sum(quanta.values()),
        "warps": quanta["makeDirectWarp"],
        "patches": quanta["assembleCellCoadd"],
        "graph_mb": graph.stat().st_size / 1e6,
    }
