"""A simulated survey in a repository that was filled by the commands of the README."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cellcoadd.simulate import Camera, SkySettings, VisitPlan, survey_plan, write_survey
from cellcoadd.testing.commands import Outcome, run_command

INPUT = "HSC/runs/RC2_subset/d_2024_08_27"


@pytest.fixture(scope="session")
def output() -> str:
    """The collection u/$USER/cell_coadds; not every computer that runs tests has a USER."""
    return f"u/{os.environ.get('USER') or 'someone'}/cell_coadds"


@pytest.fixture(scope="session")
def where() -> str:
    """The data that the pipeline is asked for."""
    return "instrument='HSC' AND skymap='hsc_rings_cells_v1' AND tract=9813 AND band='i'"


def _fill(root: Path, images: Path) -> Path:
    for arguments in (
        ("make-cell-repo", root),
        ("register-skymap", root, "hsc_rings_cells_v1", "--tracts", "9813"),
        ("ingest-calibrated", root, images, "-o", INPUT, "--no-check", "-t", "move"),
    ):
        done = run_command("butler", *arguments)
        assert done.exit_code == 0, done.output
    return root


@pytest.fixture(scope="session")
def survey_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The survey ``tests`` in the collection `INPUT` of a repository. Do not change it."""
    folder = tmp_path_factory.mktemp("survey")
    write_survey(survey_plan("tests"), folder)
    return _fill(tmp_path_factory.mktemp("filled") / "repo", folder)


@pytest.fixture(scope="session")
def small_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two visits, 1228 and 1230, of four detectors smaller than a cell. Do not change it."""
    plan = survey_plan(
        "tests",
        camera=Camera(columns=2, rows=2, width=96, height=80, gap_x=6, gap_y=6),
        visits=(
            VisitPlan(visit=1228, sequence=1),
            VisitPlan(visit=1230, sequence=2, rotation=90.0, dither_east=6.0),
        ),
        sky=None,
        artifacts=None,
    )
    folder = tmp_path_factory.mktemp("small")
    write_survey(plan, folder)
    return _fill(tmp_path_factory.mktemp("filled_small") / "repo", folder)


@pytest.fixture(scope="session")
def single_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two visits of one detector that holds a cell or two. Do not change it.

    Visit 1228 states an aperture correction and a subtracted background, visit 1230 neither.
    """
    plan = survey_plan(
        "tests",
        camera=Camera(columns=1, rows=1, width=420, height=420),
        visits=(
            VisitPlan(
                visit=1228,
                sequence=1,
                stated_aperture_corrections={"base_PsfFlux_instFlux": [[0.93]]},
                stated_backgrounds={"sky": [[400.0]]},
                subtracted_background="sky",
            ),
            VisitPlan(visit=1230, sequence=2, rotation=90.0),
        ),
    )
    folder = tmp_path_factory.mktemp("single")
    write_survey(plan, folder)
    return _fill(tmp_path_factory.mktemp("filled_single") / "repo", folder)


@pytest.fixture(scope="session")
def corner_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two visits, 1230 and 30482, of one detector around cell (0, 0) of patch 61. Do not change it.

    A saturated star and cosmic rays are in that cell. Three neighbours of the patch have it, too.
    """
    tests = {visit.visit: visit for visit in survey_plan("tests").visits}
    plan = survey_plan(
        "tests",
        ra=150.17667,
        dec=2.161683,
        seed=3,
        camera=Camera(columns=1, rows=1, width=640, height=520),
        visits=(tests[1230], dataclasses.replace(tests[19658], visit=30482)),
        sky=SkySettings(
            stars_per_arcmin2=8.0, star_magnitudes=(14.0, 22.0), galaxies_per_arcmin2=8.0
        ),
    )
    folder = tmp_path_factory.mktemp("corner")
    write_survey(plan, folder)
    return _fill(tmp_path_factory.mktemp("filled_corner") / "repo", folder)


@pytest.fixture
def single(single_repository: Path, tmp_path: Path) -> Path:
    """A copy of the repository of one detector that a test may change."""
    return Path(shutil.copytree(single_repository, tmp_path / "single"))


@pytest.fixture
def repository(survey_repository: Path, tmp_path: Path) -> Path:
    """A copy of the filled repository that a test may change."""
    return Path(shutil.copytree(survey_repository, tmp_path / "repo"))


@pytest.fixture(scope="session")
def pipeline_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline of the two tasks, as a user writes it."""
    path = tmp_path_factory.mktemp("pipeline") / "pipeline.yaml"
    path.write_text("""\
description: A simple pipeline to test development of cell-based coadds.
tasks:
  makeDirectWarp:
    class: cellcoadd.tasks.MakeDirectWarpTask
    config:
      doWarpMaskedFraction: true
      doPreWarpInterpolation: true
  assembleCellCoadd:
    class: cellcoadd.tasks.AssembleCellCoaddTask
""")
    return path


@pytest.fixture(scope="session")
def pipetask_run(pipeline_file: Path, where: str) -> Callable[..., Outcome]:
    """Run the pipeline in this process and one process, with further arguments."""

    def run(root: Path, output: str, *arguments: str | Path) -> Outcome:
        return run_command(
            "pipetask", "run", "-j", "1", "--register-dataset-types",
            "-b", root, "-i", INPUT, "-o", output, "-p", pipeline_file, "-d", where, *arguments,
        )  # fmt: skip

    return run
