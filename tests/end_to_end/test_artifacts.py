"""Artifacts from images to coadds: by the pipeline, by the recipes, and strip by strip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lsst.daf.butler import Butler
from lsst.images import Mask

from cellcoadd.any_file import read
from cellcoadd.cell_grid import shared_box
from cellcoadd.comparison import tiles
from cellcoadd.comparison.settings import ComparisonSettings
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.warp import Warp
from cellcoadd.recipes import coadd_files, coadd_images
from cellcoadd.simulate import Camera, SkySettings, VisitPlan, simulate_survey, survey_plan
from cellcoadd.skymap import Patch, load_sky_map
from cellcoadd.surveys import reader_for
from cellcoadd.testing.commands import run_command
from cellcoadd.testing.same_cells import assert_same_cell

INPUT = "HSC/runs/RC2_subset/d_2024_08_27"
OUTPUT = "u/me/clipped"
PIPELINE = "resource://cellcoadd/pipelines/cell_coadds_clipped.yaml#makeDirectWarp,findArtifacts,"
FIELD = """\
name: field
kind: discrete
pixel_scale_arcsec: 0.168
patch_inner_cells: 3
tracts: [{ra: 150.133469, dec: 2.205781, radius: 0.008}]
"""
ON_PATCH: dict[str, Any] = {"skymap": "field", "tract": 0, "patch": 0}
CROSSED = 1230
TRAIL = 150.0
"""Peak in nJy; the noise of a pixel is 25 nJy."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four visits of one detector around the middle of a patch; a satellite crosses one of them."""
    plan = survey_plan(
        "tests",
        camera=Camera(columns=1, rows=1, width=600, height=440),
        visits=tuple(
            VisitPlan(visit=visit, sequence=n, seeing=0.55 + 0.07 * n, dither_east=2.0 * n)
            for n, visit in enumerate((1228, CROSSED, 1232, 1234))
        ),
        sky=SkySettings(stars_per_arcmin2=8.0, galaxies_per_arcmin2=8.0),
    )
    folder = tmp_path_factory.mktemp("crossed")
    for image in simulate_survey(plan):
        if image.obs_info.visit_id == CROSSED:
            y, x = np.indices(tuple(image.bbox.shape))
            off = (0.6 * x - 0.8 * (y - 60.0)) / 2.0
            image.image.array += (TRAIL * np.exp(-0.5 * off**2)).astype(np.float32)
        image.write(str(folder / f"visit_image_{image.obs_info.visit_id}.fits"))
    return folder


@pytest.fixture(scope="module")
def sky_map(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The definition of a field of one patch."""
    path = tmp_path_factory.mktemp("field") / "field.yaml"
    path.write_text(FIELD)
    return path


@pytest.fixture(scope="module")
def patch(sky_map: Path) -> Patch:
    """The patch."""
    return load_sky_map(sky_map)[0].patch(0)


@pytest.fixture(scope="module")
def repository(images: Path, sky_map: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images, their warps, masks and coadd in a repository. Do not change it."""
    root = tmp_path_factory.mktemp("clipped") / "repo"
    commands: tuple[tuple[str | Path, ...], ...] = (
        ("butler", "make-cell-repo", root),
        ("butler", "register-skymap", root, "field", "--definition", sky_map),
        ("butler", "ingest-calibrated", root, images, "-o", INPUT, "--no-check"),
        (
            "pipetask", "run", "-j", "1", "--register-dataset-types", "-b", root, "-i", INPUT,
            "-o", OUTPUT, "-p", f"{PIPELINE}assembleCellCoadd", "-d",
            "instrument='HSC' AND skymap='field'",
        ),
    )  # fmt: skip
    for program, *arguments in commands:
        done = run_command(str(program), *arguments)
        assert done.exit_code == 0, done.output
    return root


@pytest.fixture(scope="module")
def coadd(repository: Path) -> MultipleCellCoadd:
    """What the pipeline makes."""
    with Butler.from_config(repository, collections=OUTPUT) as butler:
        found: MultipleCellCoadd = butler.get("deepCoaddCell", {**ON_PATCH, "band": "i"})
    return found


def test_the_pipeline_masks_the_trail_and_leaves_it_out(
    repository: Path, coadd: MultipleCellCoadd, patch: Patch
) -> None:
    """One mask a visit; nothing is clipped in the others. The coadd says where an input lacks."""
    with Butler.from_config(repository, collections=OUTPUT) as butler:
        masks: dict[int, Mask] = {
            visit: butler.get(
                "deepCoadd_directWarp_artifactMask", ON_PATCH, instrument="HSC", visit=visit
            )
            for visit in (1228, CROSSED, 1232, 1234)
        }
        warp: Warp = butler.get("deepCoadd_directWarp", ON_PATCH, instrument="HSC", visit=CROSSED)
    clipped = {visit: int(mask.get("CLIPPED").sum()) for visit, mask in masks.items()}
    assert clipped.pop(CROSSED) > 2000
    assert set(clipped.values()) == {0}
    assert masks[CROSSED].bbox == shared_box(warp.bbox, patch.outer_bbox)
    for index, cell in coadd.cells.items():
        here = masks[CROSSED][patch.grid.outer_bbox_of(index)].get("CLIPPED")
        taken = any(entry.visit == CROSSED for entry in cell.inputs)
        np.testing.assert_array_equal(cell.outer.mask.get("CLIPPED"), here & taken)
        assert cell.outer.mask.get("INEXACT_PSF")[here & taken].all()


@pytest.fixture(scope="module")
def of_files(images: Path, patch: Patch) -> MultipleCellCoadd:
    """What the recipe makes of files in no order."""
    paths = sorted(images.iterdir(), reverse=True)
    found = coadd_files(paths, patch, artifacts=ComparisonSettings()).coadd
    assert found is not None
    return found


def test_a_recipe_gives_the_bits_of_the_pipeline(
    of_files: MultipleCellCoadd, coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """Rounded as they are in files."""
    of_files.write(tmp_path / "coadd.fits")
    written = MultipleCellCoadd.read(tmp_path / "coadd.fits")
    assert set(written.cells) == set(coadd.cells)
    for index in coadd.cells:
        assert_same_cell(coadd, index, written, index)


def test_the_command_is_the_recipe(
    images: Path, of_files: MultipleCellCoadd, sky_map: Path, tmp_path: Path
) -> None:
    """On the same sky map."""
    done = run_command(
        "cellcoadd", "coadd", images, "-o", tmp_path / "coadd.fits", "--skymap", sky_map,
        "--artifacts", "compare",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    of_files.write(tmp_path / "expected.fits")
    assert read(tmp_path / "coadd.fits") == read(tmp_path / "expected.fits")


def test_strips_make_no_difference(
    images: Path, of_files: MultipleCellCoadd, patch: Patch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images in memory, a row of cells at a time; the trail crosses the strips."""
    monkeypatch.setattr(tiles, "_MEMORY", 1)
    calibrated = [reader_for(path).read(path).calibrated_image for path in images.iterdir()]
    of_images = coadd_images(calibrated, patch, artifacts=ComparisonSettings())
    assert of_images is not None
    for index in of_files.cells:
        assert_same_cell(of_files, index, of_images, index)


def test_the_trail_is_gone_from_the_coadd(
    images: Path, of_files: MultipleCellCoadd, patch: Patch
) -> None:
    """Where it was, the coadd is that of the visits without it, to the rounding of sums."""
    paths = [path for path in images.iterdir() if str(CROSSED) not in path.name]
    others = coadd_files(paths, patch).coadd
    assert others is not None
    n_clipped = 0
    for index, cell in of_files.cells.items():
        clipped = cell.outer.mask.get("CLIPPED")
        n_clipped += int(clipped.sum())
        np.testing.assert_allclose(
            cell.outer.image.array[clipped],
            others.cells[index].outer.image.array[clipped],
            rtol=1e-5,
            atol=1e-4,
        )
    assert n_clipped > 2000
