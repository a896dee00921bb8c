"""What is ingested and registered is what a pipeline finds: its graph, its inputs, its sky map."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from lsst.daf.butler import Butler, DatasetRef, DeferredDatasetHandle
from lsst.pipe.base import (
    InputQuantizedConnection,
    OutputQuantizedConnection,
    PipelineTask,
    PipelineTaskConfig,
    PipelineTaskConnections,
    QuantumContext,
    connectionTypes,
)
from lsst.pipe.base.pipeline_graph import PipelineGraph
from lsst.pipe.base.simple_pipeline_executor import SimplePipelineExecutor

from cellcoadd.butler.image_collections import chain_images
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.skymap import SkyMap
from cellcoadd.testing.repositories import copy_repository

PER_VISIT = ("instrument", "visit", "tract", "patch")


class CountPixelsConnections(PipelineTaskConnections, dimensions=PER_VISIT):
    """The inputs of a warping task, and a small output."""

    images = connectionTypes.Input(
        doc="Images, read when they are needed.",
        name="calexp",
        storageClass="CalibratedImage",
        dimensions=("instrument", "visit", "detector"),
        multiple=True,
        deferLoad=True,
    )
    skymap = connectionTypes.Input(
        doc="The tiling.", name="skyMap", storageClass="CellSkyMap", dimensions=("skymap",)
    )
    counts = connectionTypes.Output(
        doc="Number of pixels by detector.",
        name="pixel_counts",
        storageClass="StructuredDataDict",
        dimensions=PER_VISIT,
    )


class CountPixelsConfig(PipelineTaskConfig, pipelineConnections=CountPixelsConnections):
    """Nothing to set."""


class CountPixelsTask(PipelineTask):
    """Counts the pixels of a visit's detectors."""

    ConfigClass: ClassVar[type[CountPixelsConfig]] = CountPixelsConfig
    _DefaultName = "countPixels"

    def runQuantum(  # noqa: N802
        self,
        butlerQC: QuantumContext,  # noqa: N803
        inputRefs: InputQuantizedConnection,  # noqa: N803
        outputRefs: OutputQuantizedConnection,  # noqa: N803
    ) -> None:
        inputs = butlerQC.get(inputRefs)
        counts: dict[str, Any] = {"skymap": inputs["skymap"].name}
        handle: DeferredDatasetHandle
        for handle in inputs["images"]:
            image = handle.get()
            assert isinstance(image, CalibratedImage)
            assert handle.get(component="bbox") == image.masked_image.bbox
            counts[str(handle.dataId["detector"])] = image.masked_image.image.array.size
        assert isinstance(inputs["skymap"], SkyMap)
        butlerQC.put(counts, outputRefs.counts)


@pytest.fixture
def chained(ingested: Path, tmp_path: Path) -> Path:
    """All images and the sky map under one name."""
    with copy_repository(ingested, tmp_path / "repo") as butler:
        chain_images(butler, "HSC/defaults", "images")
    return tmp_path / "repo"


def test_a_pipeline_finds_images_and_sky_map_in_one_collection(chained: Path) -> None:
    """One quantum a visit and patch, with the images that the regions say, read as they come."""
    graph = PipelineGraph()
    graph.add_task("countPixels", CountPixelsTask, CountPixelsConfig())  # type: ignore[no-untyped-call]
    butler: Butler = SimplePipelineExecutor.prep_butler(
        str(chained), inputs=["HSC/defaults"], output="u/someone/counts"
    )
    with butler:
        executor = SimplePipelineExecutor.from_pipeline_graph(
            graph,
            butler=butler,
            where="instrument='HSC' AND skymap='hsc_rings_cells_v1' AND tract=9813 AND band='i'",
        )
        executor.run(register_dataset_types=True)
        refs: list[DatasetRef] = butler.query_datasets("pixel_counts", "u/someone/counts")
        assert {(ref.dataId["visit"], ref.dataId["patch"]) for ref in refs} == {
            (1228, 61),
            (1230, 61),
            (19658, 61),
        }
        for ref in refs:
            assert butler.get(ref) == {"skymap": "hsc_rings_cells_v1", "0": 7680, "1": 7680}
