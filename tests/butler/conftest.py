"""A simulated survey and an empty repository, made once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lsst.daf.butler import Butler

from cellcoadd.butler.ingest import ingest_images
from cellcoadd.simulate import Camera, SurveyPlan, VisitPlan, survey_plan, write_survey
from cellcoadd.testing.repositories import copy_repository, template_repository


@pytest.fixture(scope="session")
def plan() -> SurveyPlan:
    """Three visits of two small detectors without sources in patch 61 of tract 9813."""
    camera = Camera(columns=2, rows=1, width=96, height=80, gap_x=6, gap_y=6)
    visits = (
        VisitPlan(visit=1228, sequence=1),
        VisitPlan(visit=1230, sequence=2, rotation=90.0, dither_east=6.0),
        VisitPlan(visit=19658, day_obs=20240829, rotation=30.0, dither_north=8.0),
    )
    return survey_plan("tests", camera=camera, visits=visits, sky=None, artifacts=None)


@pytest.fixture(scope="session")
def images(plan: SurveyPlan, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Files of the survey: visits 1228, 1230, 19658, two detectors each. Do not change them."""
    return write_survey(plan, tmp_path_factory.mktemp("survey")).images


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with tract 9813 of hsc_rings_cells_v1 and nothing else. Do not change it."""
    return template_repository(tmp_path_factory.mktemp("template") / "repo", tracts=[9813])


@pytest.fixture(scope="session")
def ingested(template: Path, images: tuple[Path, ...], tmp_path_factory: Any) -> Path:
    """The template with all images ingested into the run ``images``. Do not change it."""
    root: Path = tmp_path_factory.mktemp("ingested") / "repo"
    with copy_repository(template, root) as opened:
        report = ingest_images(opened, images, run="images", transfer="copy", check=False)
    assert len(report.ingested) == len(images)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where `butler` is."""
    return tmp_path / "repo"


@pytest.fixture
def butler(template: Path, root: Path) -> Iterator[Butler]:
    """A fresh repository like the template."""
    with copy_repository(template, root) as opened:
        yield opened
