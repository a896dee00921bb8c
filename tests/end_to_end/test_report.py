"""The report on coadds that the pipeline made."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from lsst.daf.butler import Butler

from cellcoadd.butler.coadd_provenance import read_provenance
from cellcoadd.butler.tract_datasets import TractName, read_tract
from cellcoadd.butler.warp_variance import weighted_warp_variance
from cellcoadd.cli import main
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.testing.commands import run_command

INPUT = "HSC/runs/RC2_subset/d_2024_08_27"
NAME = TractName(skymap="hsc_rings_cells_v1", tract=9813, band="i")


@pytest.fixture(scope="module")
def coadded(
    single_repository: Path, where: str, output: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Two visits of one detector, through the whole pipeline. Do not change it."""
    root = Path(shutil.copytree(single_repository, tmp_path_factory.mktemp("report") / "repo"))
    done = run_command(
        "pipetask", "run", "--register-dataset-types", "-b", root, "-i", INPUT, "-o", output,
        "-p", "resource://cellcoadd/pipelines/cell_coadds.yaml", "-d", where,
        "-c", "assembleCellCoadd:psf_dimensions=33",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return root


def test_the_command_writes_a_page_of_what_the_pipeline_made(
    coadded: Path, output: str, tmp_path: Path
) -> None:
    """Pictures of the coadd and of its tables, settings that were changed, and versions."""
    result = CliRunner().invoke(
        main, ["report", str(coadded), "--collection", output, "-o", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    (page,) = tmp_path.glob("*.html")
    assert page.name == "hsc_rings_cells_v1_9813_i.html"
    assert page.stat().st_size < 5e6
    figures = {path.name.removeprefix(f"{page.stem}_") for path in tmp_path.glob("*.png")}
    assert figures >= {"coadd.png", "cell-variance.png", "input-map.png", "variance-inputs.png"}
    text = page.read_text(encoding="utf-8")
    assert text.count("<img ") == len(figures)
    for word in ("psf_dimensions", "doPreWarpInterpolation", "numba", "deepCoaddCell_stitched"):
        assert word in text
    assert "There is no deepCoaddCell_depth_map." in text


def test_a_run_alone_is_enough(coadded: Path, output: str) -> None:
    """It does not hold the sky map, which is found all the same."""
    with Butler.from_config(coadded, collections=output) as butler:
        (ref,) = butler.query_datasets("deepCoaddCell")
        alone = butler.clone(collections=ref.run)
        provenance = read_provenance(alone, str(coadded), [ref.run], NAME)
        data = read_tract(alone, NAME, provenance)
        assert data.example == butler.get(ref)
    assert provenance.collections == [(ref.run, "run")]
    assert provenance.packages["cellcoadd"]
    settings = {(entry.task, entry.name): entry for entry in provenance.settings}
    changed = settings["assembleCellCoadd", "psf_dimensions"]
    assert (changed.value, changed.default) == ("33", "35")
    assert settings["makeDirectWarp", "preWarpInterpolation.badMaskPlanes"].value == (
        '["BAD", "SAT", "CR"]'
    )


def test_variance_of_the_warps_is_the_weighted_mean_of_their_planes(
    coadded: Path, output: str
) -> None:
    """sum w v / N, pixel by pixel, for the pixels of the cell; nothing if a warp is gone."""
    with Butler.from_config(coadded, collections=output) as butler:
        (ref,) = butler.query_datasets("deepCoaddCell")
        coadd: MultipleCellCoadd = butler.get(ref)
        cell = max(coadd.cells.values(), key=lambda cell: len(cell.inputs))
        rows = cell.contributions[cell.contributions["reason"] == 0]
        expected = np.zeros(tuple(cell.outer.bbox.shape))
        for entry, weight in zip(cell.inputs, rows["weight"], strict=True):
            warp = butler.get(
                "deepCoadd_directWarp", ref.dataId, instrument="HSC", visit=entry.visit
            )
            expected += weight * warp[cell.outer.bbox].variance.array / len(rows)
        found = weighted_warp_variance(butler, cell, coadd.identifiers)
        assert found is not None
        assert found.bbox == cell.outer.bbox
        np.testing.assert_allclose(found.array, expected, rtol=1e-6)
        assert 0.5 < np.median(found.array) < 1.0
        nowhere = butler.clone(collections="skymaps")
        assert weighted_warp_variance(nowhere, cell, coadd.identifiers) is None
