"""Visit summaries as datasets: how they get into a repository, and what the warping task makes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lsst.daf.butler import Butler, DatasetType
from lsst.images import Box
from lsst.images.psfs import GaussianPointSpreadFunction
from lsst.pipe.base.pipeline_graph import PipelineGraph
from lsst.pipe.base.simple_pipeline_executor import SimplePipelineExecutor

from cellcoadd import Warp
from cellcoadd.butler import ingest_visit_summaries as module
from cellcoadd.butler.image_collections import chain_images
from cellcoadd.butler.ingest_visit_summaries import ingest_visit_summaries
from cellcoadd.errors import RepositoryError
from cellcoadd.products.warp import WarpInput
from cellcoadd.surveys.rubin import read_visit_image
from cellcoadd.tasks import MakeDirectWarpConfig, MakeDirectWarpTask
from cellcoadd.testing.afw_files import (
    AfwArchive,
    add_psf,
    add_sky_wcs,
    write_visit_summary,
)
from cellcoadd.testing.commands import run_command
from cellcoadd.testing.repositories import copy_repository

WHERE = "instrument='HSC' AND skymap='hsc_rings_cells_v1' AND tract=9813 AND visit IN (1228, 1230)"
ON_PATCH: dict[str, Any] = {"skymap": "hsc_rings_cells_v1", "tract": 9813, "patch": 61}
SWITCHES = ("useVisitSummaryPsf", "useVisitSummaryWcs", "useVisitSummaryPhotoCalib")


@pytest.fixture
def filled(ingested: Path, root: Path) -> Iterator[Butler]:
    """A repository with visit images in the run ``images``."""
    with copy_repository(ingested, root) as opened:
        yield opened


@pytest.fixture
def summary(images: tuple[Path, ...], tmp_path: Path) -> Path:
    """Of visit 1228, detector 0 alone: the WCS of visit 1230, and a wide PSF."""
    header = read_visit_image(images[2]).header
    assert (header.observation.visit, header.observation.detector) == (1230, 0)
    archive = AfwArchive()
    psf = GaussianPointSpreadFunction(sigma=3.3, bounds=header.detector_bbox, stamp_size=31)
    row = {
        "id": 0,
        "wcs": add_sky_wcs(archive, header.sky_projection),
        "psf": add_psf(archive, psf),
    }
    return write_visit_summary(tmp_path / "finalVisitSummary_1228.fits", [row], archive, visit=1228)


def warps(root: Path, output: str, **options: bool) -> dict[int, Warp]:
    """Run the warping task in this process; return the warps by visit."""
    make_config: Any = MakeDirectWarpConfig
    config = make_config()
    for name, value in options.items():
        setattr(config, name, value)
    graph = PipelineGraph()
    graph.add_task("makeDirectWarp", MakeDirectWarpTask, config)
    with SimplePipelineExecutor.prep_butler(str(root), inputs=["data"], output=output) as butler:
        executor = SimplePipelineExecutor.from_pipeline_graph(graph, butler=butler, where=WHERE)
        executor.run(register_dataset_types=True)
        found = butler.query_datasets("deepCoadd_directWarp", output)
        return {int(ref.dataId["visit"]): butler.get(ref) for ref in found}


def sigma(entry: WarpInput) -> float:
    assert isinstance(entry.psf, GaussianPointSpreadFunction)
    return entry.psf.sigma


def test_the_task_takes_a_visit_from_its_summary(
    filled: Butler, root: Path, summary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """WCS and PSF of one visit; a detector that it lacks is left out by name; others as ever."""
    assert ingest_visit_summaries(filled, [summary], run="images")[0] == [summary]
    chain_images(filled, "data", "images")
    plain = warps(root, "u/plain", **dict.fromkeys(SWITCHES, False))
    with caplog.at_level(logging.WARNING):
        better = warps(root, "u/better")
    assert "Left out: HSC visit 1228 detector 1 (i) by its visit summary: " in caplog.text
    assert "one row of detector 1, it has 0" in caplog.text
    numbers = {
        visit: [entry.observation.detector for entry in warp.inputs]
        for visit, warp in better.items()
    }
    assert numbers == {1228: [0], 1230: [0, 1]}
    assert len(plain[1228].inputs) == 2
    assert better[1230] == plain[1230]
    mine, its = better[1228].inputs[0], better[1230].inputs[0]
    there, expected = (entry.sky_projection.pixel_to_sky(x=20.0, y=30.0) for entry in (mine, its))
    assert there.separation(expected).arcsec < 1e-8
    assert sigma(mine) == 3.3
    assert sigma(plain[1228].inputs[0]) != 3.3


def test_the_command_takes_summaries_in(filled: Butler, root: Path, summary: Path) -> None:
    """Given alone, later than the images; again it changes nothing; they are found by pipetask."""
    filled.close()
    done = run_command("butler", "ingest-calibrated", root, summary, "--run", "images")
    assert done.exit_code == 0, done.output
    assert "0 files ingested into images" in done.output
    assert "1 visit summary as well" in done.output
    again = run_command("butler", "ingest-calibrated", root, summary, "--run", "images")
    assert again.exit_code == 0, again.output
    assert "1 there already, 0 refused" in again.output
    with Butler.from_config(root) as butler:
        (ref,) = butler.query_datasets("finalVisitSummary", "images")
        assert (ref.dataId["instrument"], ref.dataId["visit"]) == ("HSC", 1228)


def test_summaries_that_cannot_be_datasets_are_refused(
    filled: Butler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a visit that is not there, of one that another file has, and what is no summary."""
    archive = AfwArchive()
    box = Box.factory[0:80, 0:96]
    psf = add_psf(archive, GaussianPointSpreadFunction(sigma=2.0, bounds=box, stamp_size=21))
    files = [
        write_visit_summary(tmp_path / f"{name}.fits", [{"id": 0, "psf": psf}], archive, visit=v)
        for name, v in (("a", 1228), ("b", 1228), ("c", 4))
    ]
    files.append(tmp_path / "d.fits")
    taken, there, refused = ingest_visit_summaries(filled, files, run="images")
    assert (taken, there) == ([files[0]], [])
    assert [refusal.source for refusal in refused] == files[1:]
    for refusal, reason in zip(
        refused,
        ("a.fits is the summary of the same visit", "its visit 4 must be one of the", "no such"),
        strict=True,
    ):
        assert reason in refusal.reason
    other = DatasetType("other", ("instrument",), "CellReport", universe=filled.dimensions)
    filled.registry.registerDatasetType(other)
    with pytest.raises(
        RepositoryError, match=r"type other is registered otherwise.*visit_summary="
    ):
        ingest_visit_summaries(filled, files, run="images", dataset_type="other")
    monkeypatch.setattr(module, "_STORAGE_CLASS", "OfTheFuture")
    with pytest.raises(RepositoryError, match=r"made before visit summaries .*includeConfigs"):
        ingest_visit_summaries(filled, files, run="images")
